/**
 * What each kind is called: the one table of names, free of schemas, so that a node agent pays little for it. The
 * schemas are beside it, in kinds.ts.
 */

/** Names of one kind, in Kubernetes' words. */
export interface KindIdentity {
  /** The word in an object's `kind` field. */
  readonly kind: string;
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Kubernetes' GroupResource as text: `pods`, `deployments.apps`. Keys begin with it. */
  readonly resource: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

export const OWN_API_VERSION = 'plumbline.dev/v1alpha1';

/**
 * By the name that the kind has in this program, which is the word in the object's `kind` field. A word that two groups
 * use for kinds of theirs is the name of one of them only; the other one's row says `kind`. Where a word alone is asked
 * for, the first row that has it is meant.
 */
export const IDENTITIES = withKinds({
  Cluster: clusterScoped(OWN_API_VERSION, 'clusters'),
  Machine: clusterScoped(OWN_API_VERSION, 'machines'),
  App: clusterScoped(OWN_API_VERSION, 'apps'),
  AppSet: clusterScoped(OWN_API_VERSION, 'appsets'),
  Source: clusterScoped(OWN_API_VERSION, 'sources'),
  SchedulerPlugin: clusterScoped(OWN_API_VERSION, 'schedulerplugins'),
  ProxyConfig: clusterScoped(OWN_API_VERSION, 'proxyconfigs'),
  Namespace: clusterScoped('v1', 'namespaces', 'ns'),
  CustomResourceDefinition: clusterScoped('apiextensions.k8s.io/v1', 'customresourcedefinitions', 'crd', 'crds'),
  Node: clusterScoped('v1', 'nodes', 'no'),
  ConfigMap: namespaced('v1', 'configmaps', 'cm'),
  Secret: namespaced('v1', 'secrets'),
  ServiceAccount: namespaced('v1', 'serviceaccounts', 'sa'),
  ResourceQuota: namespaced('v1', 'resourcequotas', 'quota'),
  LimitRange: namespaced('v1', 'limitranges', 'limits'),
  Lease: namespaced('coordination.k8s.io/v1', 'leases'),
  StorageClass: clusterScoped('storage.k8s.io/v1', 'storageclasses', 'sc'),
  PersistentVolume: clusterScoped('v1', 'persistentvolumes', 'pv'),
  PersistentVolumeClaim: namespaced('v1', 'persistentvolumeclaims', 'pvc'),
  Service: namespaced('v1', 'services', 'svc'),
  IPAddressPool: namespaced('metallb.io/v1beta1', 'ipaddresspools'),
  L2Advertisement: namespaced('metallb.io/v1beta1', 'l2advertisements'),
  BGPPeer: namespaced('metallb.io/v1beta2', 'bgppeers'),
  BGPAdvertisement: namespaced('metallb.io/v1beta1', 'bgpadvertisements'),
  Community: namespaced('metallb.io/v1beta1', 'communities'),
  EndpointSlice: namespaced('discovery.k8s.io/v1', 'endpointslices'),
  NetworkPolicy: namespaced('networking.k8s.io/v1', 'networkpolicies', 'netpol'),
  PeerSlice: clusterScoped(OWN_API_VERSION, 'peerslices'),
  Ingress: namespaced('networking.k8s.io/v1', 'ingresses', 'ing'),
  IngressClass: clusterScoped('networking.k8s.io/v1', 'ingressclasses'),
  GatewayClass: clusterScoped('gateway.networking.k8s.io/v1', 'gatewayclasses', 'gc'),
  Gateway: namespaced('gateway.networking.k8s.io/v1', 'gateways', 'gtw'),
  HTTPRoute: namespaced('gateway.networking.k8s.io/v1', 'httproutes'),
  GRPCRoute: namespaced('gateway.networking.k8s.io/v1', 'grpcroutes'),
  TLSRoute: namespaced('gateway.networking.k8s.io/v1', 'tlsroutes'),
  TCPRoute: namespaced('gateway.networking.k8s.io/v1alpha2', 'tcproutes'),
  ReferenceGrant: namespaced('gateway.networking.k8s.io/v1beta1', 'referencegrants', 'refgrant'),
  BackendTLSPolicy: namespaced('gateway.networking.k8s.io/v1', 'backendtlspolicies', 'btlspolicy'),
  ClusterIssuer: clusterScoped('cert-manager.io/v1', 'clusterissuers', 'ciss'),
  Issuer: namespaced('cert-manager.io/v1', 'issuers', 'iss'),
  Certificate: namespaced('cert-manager.io/v1', 'certificates', 'cert', 'certs'),
  Order: namespaced('acme.cert-manager.io/v1', 'orders'),
  Challenge: namespaced('acme.cert-manager.io/v1', 'challenges'),
  Endpoints: namespaced('v1', 'endpoints', 'ep'),
  Deployment: namespaced('apps/v1', 'deployments', 'deploy'),
  ReplicaSet: namespaced('apps/v1', 'replicasets', 'rs'),
  ReplicationController: namespaced('v1', 'replicationcontrollers', 'rc'),
  DaemonSet: namespaced('apps/v1', 'daemonsets', 'ds'),
  ControllerRevision: namespaced('apps/v1', 'controllerrevisions'),
  StatefulSet: namespaced('apps/v1', 'statefulsets', 'sts'),
  Job: namespaced('batch/v1', 'jobs'),
  CronJob: namespaced('batch/v1', 'cronjobs', 'cj'),
  HorizontalPodAutoscaler: namespaced('autoscaling/v2', 'horizontalpodautoscalers', 'hpa'),
  Pod: namespaced('v1', 'pods', 'po'),
  PodTemplate: namespaced('v1', 'podtemplates'),
  RuntimeClass: clusterScoped('node.k8s.io/v1', 'runtimeclasses'),
  PriorityClass: clusterScoped('scheduling.k8s.io/v1', 'priorityclasses', 'pc'),
  PodDisruptionBudget: namespaced('policy/v1', 'poddisruptionbudgets', 'pdb'),
  PodGroup: namespaced('scheduling.x-k8s.io/v1alpha1', 'podgroups', 'pg'),
  KubeSchedulerConfiguration: clusterScoped('kubescheduler.config.k8s.io/v1', 'kubeschedulerconfigurations'),
  DeschedulerPolicy: clusterScoped('descheduler/v1alpha2', 'deschedulerpolicies'),
  Event: namespaced('v1', 'events', 'ev'),
});

/** A kind that this program has a type and a controller or a use for. */
export type Kind = keyof typeof IDENTITIES;
/** `pods`, `deployments.apps`. Distributes over a union of kinds. */
export type ResourceOf<K extends Kind> = (typeof IDENTITIES)[K]['resource'];
export type ApiVersionOf<K extends Kind> = (typeof IDENTITIES)[K]['apiVersion'];

/** All kinds, in the table's order. */
export const ALL_KINDS = Object.keys(IDENTITIES) as readonly Kind[];

const KNOWN = kindLookup<Kind>(IDENTITIES);

/** Whether there is a kind of this name here. Says nothing of the group: see {@link kindOf}. */
export function isKind(text: string): text is Kind {
  return Object.hasOwn(IDENTITIES, text);
}

/** The kind of an object or a reference, by its group and its word; another version of the group is the same kind. */
export function kindOf(apiVersion: string, kind: string): Kind | undefined {
  return KNOWN.named(groupOf(apiVersion), kind);
}

/** The kind whose keys begin with `resource`. */
export function kindOfResource(resource: string): Kind | undefined {
  return KNOWN.ofResource(resource);
}

/**
 * Finds a kind as kubectl does, in any case: by its word, plural or short name (`Pod`, `pods`, `po`), alone or followed
 * by a group or its beginning, or by version and group (`deployments.apps`, `deploy.v1.apps`, `pods.v1.`).
 */
export function findKind(word: string): Kind | undefined {
  return KNOWN.find(word);
}

/** Empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

export function resourceName(group: string, plural: string): string {
  return group === '' ? plural : `${plural}.${group}`;
}

export interface KindLookup<N extends string> {
  named(group: string, kind: string): N | undefined;
  ofResource(resource: string): N | undefined;
  find(word: string): N | undefined;
}

/** Looks up the rows of a table by what they are called. The first row with a word comes before the others. */
export function kindLookup<N extends string>(table: Readonly<Record<N, KindIdentity>>): KindLookup<N> {
  const rows = Object.entries<KindIdentity>(table) as [N, KindIdentity][];
  const byResource = new Map(rows.map(([name, { resource }]) => [resource, name]));
  const byWord = new Map(rows.map(([name, { group, kind }]) => [`${group}/${kind}`, name]));
  const first = (test: (identity: KindIdentity) => boolean): N | undefined =>
    rows.find(([, identity]) => test(identity))?.[0];
  return {
    named: (group, kind) => byWord.get(`${group}/${kind}`),
    ofResource: (resource) => byResource.get(resource),
    find(text) {
      const [word = '', second, ...rest] = text.toLowerCase().split('.');
      if (second === undefined) return first((identity) => isCalled(identity, word));
      const third = rest.join('.');
      const group = rest.length === 0 ? second : `${second}.${third}`;
      return (
        first((i) => isCalled(i, word) && rest.length > 0 && i.version === second && i.group === third) ??
        first((i) => isCalled(i, word) && i.group === group) ??
        // As kubectl: `priorityclasses.scheduling` is enough. Source: DefaultRESTMapper.ResourcesFor, apimachinery.
        first((i) => isCalled(i, word) && i.group.startsWith(group))
      );
    },
  };
}

function isCalled({ kind, plural, shortNames }: KindIdentity, word: string): boolean {
  return plural === word || kind.toLowerCase() === word || shortNames.includes(word);
}

type GroupOf<A extends string> = A extends `${infer Group}/${string}` ? Group : '';
type ResourceName<Group extends string, Plural extends string> = Group extends '' ? Plural : `${Plural}.${Group}`;

/** A row before its word is known. */
type Row<A extends string, P extends string> = Omit<KindIdentity, 'kind'> & {
  readonly kind?: string;
  readonly apiVersion: A;
  readonly plural: P;
  readonly resource: ResourceName<GroupOf<A>, P>;
};

function row<A extends string, P extends string>(
  apiVersion: A,
  plural: P,
  shortNames: readonly string[],
  isNamespaced: boolean,
): Row<A, P> {
  const group = groupOf(apiVersion);
  return {
    apiVersion,
    group,
    version: group === '' ? apiVersion : apiVersion.slice(group.length + 1),
    plural,
    resource: resourceName(group, plural) as ResourceName<GroupOf<A>, P>,
    shortNames,
    namespaced: isNamespaced,
  };
}

function namespaced<A extends string, P extends string>(
  apiVersion: A,
  plural: P,
  ...shortNames: readonly string[]
): Row<A, P> {
  return row(apiVersion, plural, shortNames, true);
}

function clusterScoped<A extends string, P extends string>(
  apiVersion: A,
  plural: P,
  ...shortNames: readonly string[]
): Row<A, P> {
  return row(apiVersion, plural, shortNames, false);
}

function withKinds<T extends Readonly<Record<string, Row<string, string>>>>(
  rows: T,
): { readonly [N in keyof T]: T[N] & { readonly kind: string } } {
  return Object.fromEntries(Object.entries(rows).map(([name, of]) => [name, { kind: name, ...of }])) as {
    readonly [N in keyof T]: T[N] & { readonly kind: string };
  };
}
