/** Endpoints of a Service. Source: Kubernetes documentation, "EndpointSlices: Conditions". */
import {
  lastingContainers,
  serviceFamilies,
  objectKey,
  SERVICE_NAME_LABEL,
  type Endpoint,
  type EndpointSlice,
  type ServicePort,
  type StoredEndpointSlice,
  type StoredPod,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { familyOf, type Family } from '../../../contracts/ip.ts';
import type { Step } from '../step.ts';
import { compareText, controllerRef } from '../workloads/owners.ts';
import { isFinished, isReady, isTerminating } from '../workloads/pod-state.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { nameHash } from '../workloads/stable-hash.ts';

const MANAGED_BY = { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' };
const HASH_LENGTH = 5;
/** Of one slice. Kubernetes: --max-endpoints-per-slice. */
const MOST_ENDPOINTS = 100;

type SlicePort = EndpointSlice['ports'][number];

function resolve(port: ServicePort, pod: StoredPod): SlicePort | undefined {
  const name = port.name ?? '';
  if (typeof port.targetPort === 'number') return { name, port: port.targetPort, protocol: port.protocol };
  const named = lastingContainers(pod.spec)
    .flatMap((c) => c.ports ?? [])
    .find((p) => p.name === port.targetPort && p.protocol === port.protocol);
  return named && { name, port: named.containerPort, protocol: port.protocol };
}

/** The pod's host name, where it says that it is to be found under this Service (pkg/api/v1/endpoints: hostname). */
function hostnameOf({ spec }: StoredPod, service: StoredService): string | undefined {
  return spec.subdomain === service.metadata.name ? spec.hostname : undefined;
}

/** Zone of a node, by its name; undefined where nobody said. */
export type ZoneOf = (node: string) => string | undefined;

/**
 * Where a Service prefers near endpoints, the zone of each and who is to use it, while it is ready. Source: Kubernetes,
 * staging/src/k8s.io/endpointslice/trafficdist (KEP-3015).
 */
function nearness(
  { trafficDistribution }: StoredService['spec'],
  nodeName: string | undefined,
  ready: boolean,
  zoneOf: ZoneOf,
): Pick<Endpoint, 'zone' | 'hints'> {
  if (trafficDistribution === undefined || nodeName === undefined) return {};
  const zone = zoneOf(nodeName);
  const hints = {
    ...(zone !== undefined && { forZones: [{ name: zone }] }),
    ...(trafficDistribution === 'PreferSameNode' && { forNodes: [{ name: nodeName }] }),
  };
  return {
    ...(zone !== undefined && { zone }),
    ...(ready && Object.keys(hints).length > 0 && { hints }),
  };
}

function endpointOf(pod: StoredPod, ip: string, service: StoredService, zoneOf: ZoneOf): Endpoint {
  const publishNotReady = service.spec.publishNotReadyAddresses;
  const hostname = hostnameOf(pod, service);
  const terminating = isTerminating(pod);
  const serving = publishNotReady || isReady(pod);
  const ready = publishNotReady || (serving && !terminating);
  return {
    addresses: [ip],
    conditions: { ready, serving, terminating },
    ...nearness(service.spec, pod.spec.nodeName, ready, zoneOf),
    ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
    ...(hostname !== undefined && { hostname }),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name, uid: pod.metadata.uid },
  };
}

/** A way in which the Service's target ports resolve, and the endpoints of pods for which they do. */
interface Group {
  readonly ports: readonly SlicePort[];
  /** By the pod's uid. */
  readonly endpoints: Map<string, Endpoint>;
}

/**
 * The slices of a Service over the pods that its selector matches, at most 100 endpoints each, all of one family (`cluster`: those it has) and with the
 * same ports. What is `present` decides which endpoint is in which: one stays where it is, so that a pod's change is one
 * slice's. A Service without a selector has none; one without endpoints has one empty slice. Finished pods and pods
 * without an address are left out. Source: Kubernetes, staging/src/k8s.io/endpointslice/reconciler.go.
 */
export function endpointSlices(
  service: StoredService,
  pods: readonly StoredPod[],
  present: readonly StoredEndpointSlice[] = [],
  zoneOf: ZoneOf = () => undefined,
  cluster: readonly Family[] = ['IPv4'],
): readonly EndpointSlice[] {
  const { selector, type } = service.spec;
  if (type === 'ExternalName' || selector === undefined || Object.keys(selector).length === 0) return [];
  const families = serviceFamilies(service.spec, cluster).filter((family) => cluster.includes(family));
  return families.flatMap((family) =>
    slicesOf(
      family,
      service,
      pods,
      present.filter(({ addressType }) => addressType === family),
      zoneOf,
    ),
  );
}

function slicesOf(
  family: Family,
  service: StoredService,
  pods: readonly StoredPod[],
  present: readonly StoredEndpointSlice[],
  zoneOf: ZoneOf,
): readonly EndpointSlice[] {
  const groups = groupsOf(family, service, pods, zoneOf);
  const kept = [...groups].flatMap(([key, group]) => {
    const own = present.filter((slice) => canonicalJson(slice.ports) === key);
    return place([...group.endpoints.values()], own).map((slice) => ({ ...slice, key, ports: group.ports }));
  });
  const names = new SliceNames(family, service, groups.size === 1, new Set(kept.flatMap(({ name }) => name ?? [])));
  const { name, namespace } = service.metadata;
  return kept.map(({ name: own, key, ports, endpoints }) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: own ?? names.next(key),
      ...(namespace !== undefined && { namespace }),
      labels: { ...MANAGED_BY, [SERVICE_NAME_LABEL]: name },
      ownerReferences: [controllerRef(service)],
    },
    addressType: family,
    endpoints,
    ports,
  }));
}

/** In the order of their ports; endpoints in that of their pods' names. */
function groupsOf(
  family: Family,
  service: StoredService,
  pods: readonly StoredPod[],
  zoneOf: ZoneOf,
): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const pod of [...pods].sort((a, b) => compareText(a.metadata.name, b.metadata.name))) {
    const ip = addressOf(pod, family);
    if (ip === undefined || isFinished(pod)) continue;
    const ports = service.spec.ports.map((port) => resolve(port, pod)).filter((port) => port !== undefined);
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map() };
    groups.set(key, group);
    group.endpoints.set(pod.metadata.uid, endpointOf(pod, ip, service, zoneOf));
  }
  if (groups.size === 0) {
    const ports = service.spec.ports
      .filter((port) => typeof port.targetPort === 'number')
      .map((port): SlicePort => ({ name: port.name ?? '', port: Number(port.targetPort), protocol: port.protocol }));
    groups.set(canonicalJson(ports), { ports, endpoints: new Map() });
  }
  return new Map([...groups].sort(([a], [b]) => compareText(a, b)));
}

function addressOf({ status }: StoredPod, family: Family): string | undefined {
  return family === 'IPv4' ? status?.podIP : status?.podIPs?.find(({ ip }) => familyOf(ip) === family)?.ip;
}

interface Placed {
  /** Undefined for a new one. */
  readonly name: string | undefined;
  readonly endpoints: Endpoint[];
}

/**
 * New endpoints fill slices that change anyway, fullest first; then the fullest other that has room for all that are
 * left; then new ones.
 */
function place(wanted: readonly Endpoint[], present: readonly StoredEndpointSlice[]): readonly Placed[] {
  const left = new Map(wanted.map((endpoint) => [podOf(endpoint), endpoint]));
  const [changing, others]: [Placed[], Placed[]] = [[], []];
  for (const { metadata, endpoints: before } of [...present].sort((a, b) =>
    compareText(a.metadata.name, b.metadata.name),
  )) {
    const endpoints: Endpoint[] = [];
    let changes = false;
    for (const old of before) {
      const endpoint = endpoints.length < MOST_ENDPOINTS ? left.get(podOf(old)) : undefined;
      if (endpoint) endpoints.push(endpoint);
      changes ||= endpoint === undefined || canonicalJson(endpoint) !== canonicalJson(old);
      if (endpoint) left.delete(podOf(old));
    }
    if (endpoints.length > 0 || !changes) (changes ? changing : others).push({ name: metadata.name, endpoints });
  }
  const rest = [...left.values()];
  const byFullness = (a: Placed, b: Placed): number => b.endpoints.length - a.endpoints.length;
  for (const slice of changing.toSorted(byFullness))
    slice.endpoints.push(...rest.splice(0, MOST_ENDPOINTS - slice.endpoints.length));
  const made: Placed[] = [];
  while (rest.length > 0) {
    const roomy = others.toSorted(byFullness).find((slice) => slice.endpoints.length + rest.length <= MOST_ENDPOINTS);
    if (roomy) roomy.endpoints.push(...rest.splice(0));
    else made.push({ name: undefined, endpoints: rest.splice(0, MOST_ENDPOINTS) });
  }
  const used = [...changing, ...others, ...made].filter(({ endpoints }) => endpoints.length > 0);
  return used.length > 0 ? used : [others[0] ?? { name: undefined, endpoints: [] }];
}

function podOf({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid ?? addresses.join();
}

/** Names for new slices: derived, so that two passes over the same view choose the same. */
class SliceNames {
  readonly #family: Family;
  readonly #service: StoredService;
  readonly #single: boolean;
  readonly #used: Set<string>;

  constructor(family: Family, service: StoredService, single: boolean, used: Set<string>) {
    this.#family = family;
    this.#service = service;
    this.#single = single;
    this.#used = used;
  }

  next(key: string): string {
    const { name, namespace } = this.#service.metadata;
    const seed = `${namespace ?? ''}/${name}${this.#family === 'IPv4' ? '' : ` ${this.#family}`}${this.#single ? '' : ` ${key}`}`;
    for (let index = 0; ; index += 1) {
      const made = `${name}-${nameHash(index === 0 ? seed : `${seed} ${index}`, HASH_LENGTH)}`;
      if (this.#used.has(made)) continue;
      this.#used.add(made);
      return made;
    }
  }
}

/** Steps from the slices that are there to those that should be. */
export function sliceSteps(wanted: readonly EndpointSlice[], present: readonly StoredEndpointSlice[]): readonly Step[] {
  const steps: Step[] = [];
  const left = new Map(present.map((slice) => [slice.metadata.name, slice]));
  for (const slice of wanted) {
    const before = left.get(slice.metadata.name);
    left.delete(slice.metadata.name);
    if (!before) {
      steps.push({ do: 'create', object: slice });
      continue;
    }
    const after: StoredEndpointSlice = {
      ...slice,
      metadata: {
        ...before.metadata,
        labels: { ...before.metadata.labels, ...slice.metadata.labels },
        ownerReferences: slice.metadata.ownerReferences,
      },
    };
    if (canonicalJson(after) !== canonicalJson(before)) steps.push({ do: 'update', object: after });
  }
  for (const slice of left.values())
    steps.push({
      do: 'delete',
      key: objectKey('EndpointSlice', slice.metadata.namespace, slice.metadata.name),
      uid: slice.metadata.uid,
    });
  return steps;
}
