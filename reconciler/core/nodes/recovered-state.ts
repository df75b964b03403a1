/**
 * The live state after the store was lost: what Git says, with what only the nodes know. A node is a witness
 * (docs/adr/0004): its pods are taken where Git gives the same pod, allocated addresses where most nodes tell them and
 * they are in range; all else is made anew.
 */
import {
  familyNetwork,
  internalIPOf,
  podRangeOf,
  ClusterManifest,
  keyOf,
  labelsInclude,
  needsHealthCheck,
  objectKey,
  OWN_API_VERSION,
  poolHas,
  type ClusterSpec,
  type EndpointSlice,
  type IPAddressPool,
  type Kind,
  type KubeObject,
  type Machine,
  type Node,
  type Service,
  type Source,
  type SourcePin,
  type Stored,
  type StoredOf,
  wantsNodePorts,
} from '../../../contracts/objects/index.ts';
import { WIREGUARD_KEY } from '../../../contracts/objects/nodes.ts';
import { planSync } from '../diff/index.ts';
import { groupBy } from '../group-by.ts';
import { DESCRIPTORS } from '../kinds/index.ts';
import type { DesiredState } from '../manifests/types.ts';
import { finish, type Paced } from '../paced.ts';
import { ALLOCATED_ANNOTATION, allocatedText, HEALTH, portKey, wishesOf } from '../services/allocation.ts';
import { nodePortsOf } from '../services/claims.ts';
import { endpointSlices } from '../services/endpoints.ts';
import { isMirrored, mirroredSlices } from '../services/mirroring.ts';
import { cidrHas } from '../../../contracts/ip.ts';
import { formatRange, isAddress, parseAddress, parseRange, rangeHolds, readRange } from '../../../contracts/ipv4.ts';
import { NOT_READY_TAINT } from '../health/node.ts';
import type { KnownNode } from './bounded-report.ts';
import type { RefusedClaim } from './claim-sorting.ts';
import { podDefaultsOf, type PodTemplates } from './claimed-template.ts';
import { eachSaid } from './alike-claims.ts';
import { canBeHost } from './host-address.ts';
import { made } from './made-anew.ts';
import type { NodeWord } from './node-word.ts';
import { PODS_KNOWN } from '../workloads/unheard.ts';
import { recoveredVolumes } from './recovered-volumes.ts';
import { scaledByOthers } from './recovered-scale.ts';
import { recoverPeers } from './recovered-peers.ts';
import { recoverProxies } from './recovered-proxies.ts';
import { recoverWorkloads } from './recovered-workloads.ts';
import { Votes } from './votes.ts';

/** Who announces addresses, and to whom: what a node announces must not be taken back by a recovery. */
const ANNOUNCING: ReadonlySet<Kind> = new Set([
  'IPAddressPool',
  'L2Advertisement',
  'BGPPeer',
  'BGPAdvertisement',
  'Community',
]);

export interface RecoveryInput {
  readonly words: readonly NodeWord[];
  /** Machines whose pods are unknown. */
  readonly silent: readonly string[];
  readonly machines: readonly Machine[];
  readonly source: { readonly name: string } & Source['spec'];
  /** The commit in force, if it is known. */
  readonly appliedRevision: string | undefined;
  /** Other repositories that Apps of it are of. */
  readonly sources?: readonly SourcePin[];
  /** Its objects; without it those of the newest commit that can be read. */
  readonly applied: DesiredState;
  readonly templates: PodTemplates;
  /** Of the store that is being filled. */
  readonly incarnation: string;
  readonly now: Date;
}

export interface RecoveredState {
  /** To be created, owners before what they own, pods with their status. */
  readonly objects: readonly KubeObject[];
  readonly refused: readonly RefusedClaim[];
}

const DEFAULTS = ClusterManifest.parse({
  apiVersion: OWN_API_VERSION,
  kind: 'Cluster',
  metadata: { name: 'defaults' },
}).spec;

/** Place of an object among what is rebuilt; undefined where it comes with the first sync. */
function orderOf(kind: Kind): number | undefined {
  const { recovery } = DESCRIPTORS[kind];
  return typeof recovery === 'string' ? undefined : recovery.order;
}

/** As {@link recovering}, without a pause. */
export function recoverState(input: RecoveryInput): RecoveredState {
  return finish(recovering(input));
}

/** The state as Git and the nodes' words make it: the same whatever the order of the words. */
export function* recovering(input: RecoveryInput): Paced<RecoveredState> {
  const settings = settingsOf(input.applied);
  const nodes = yield* recoverNodes(input, settings);
  const known = new Map(
    nodes.map((node): [string, KnownNode] => [
      node.metadata.name,
      {
        podCIDR: node.spec.podCIDR,
        internalIP: node.status?.addresses?.[0]?.address,
        podRangeIPv6: podRangeOf(node, settings.network, 'IPv6'),
        internalIPv6: internalIPOf(node, 'IPv6'),
      },
    ]),
  );
  const desired = manifests(input);
  const given = yield* recoverServices(
    desired.filter((object) => object.kind === 'Service'),
    input.words,
    settings,
    desired.filter((object) => object.kind === 'IPAddressPool'),
  );
  const services = given.map((service) => made(service, input));
  const pools = desired.filter(({ kind }) => ANNOUNCING.has(kind)).map((object) => made(object, input));
  const mirrored = desired.filter((object) => object.kind === 'Endpoints').map((object) => made(object, input));
  const serviceOf = new Map(services.map((service) => [keyOf(service), service]));
  const {
    objects: workloads,
    pods,
    refused,
  } = yield* recoverWorkloads({
    ...input,
    desired,
    scaledByOthers: scaledByOthers(input.applied),
    defaults: podDefaultsOf([...input.applied.values()].map(({ object }) => object)),
    known,
  });
  const peers = yield* recoverPeers(desired, pods, input);
  const asWritten = desired
    .filter(({ kind }) => kind === 'Namespace' || kind === 'NetworkPolicy')
    .map((object) => made(object, input));
  const slices = [
    ...(yield* recoverSlices(services, pods)),
    ...desired.filter((object) => object.kind === 'EndpointSlice'),
    ...mirrored.flatMap((endpoints) =>
      isMirrored(endpoints, serviceOf.get(objectKey('Service', endpoints.metadata.namespace, endpoints.metadata.name)))
        ? mirroredSlices(endpoints)
        : [],
    ),
  ];
  const classes = new Map(
    desired.flatMap((object) => (object.kind === 'StorageClass' ? [[object.metadata.name, object] as const] : [])),
  );
  const volumes = [
    ...desired.filter(({ kind }) => kind === 'PersistentVolume'),
    ...recoveredVolumes(input.words, (name) => classes.get(name)),
  ];
  const objects: readonly KubeObject[] = [
    recoveredSource(input),
    ...nodes,
    ...asWritten,
    ...volumes,
    ...services,
    ...pools,
    ...mirrored,
    ...workloads,
    ...pods,
    ...slices,
    ...peers,
    ...recoverProxies({ ...input, settings, nodes, services }),
  ];
  const inOrder = [...groupBy(objects, ({ kind }) => orderOf(kind) ?? 0)].sort(([a], [b]) => a - b);
  return { objects: inOrder.flatMap(([, some]) => some), refused };
}

function* recoverSlices(
  services: readonly Stored<Service>[],
  pods: readonly StoredOf<'Pod'>[],
): Paced<readonly EndpointSlice[]> {
  // A selector matches only pods that have its first label: not every pod is held against every Service.
  const byLabel = new Map<string, StoredOf<'Pod'>[]>();
  const term = (namespace = '', [label, value]: readonly [string, string]): string => `${namespace} ${label}=${value}`;
  const firstOf = ({ spec, metadata }: Service): string | undefined => {
    const [first] = Object.entries(spec.selector ?? {});
    return first && term(metadata.namespace, first);
  };
  for (const service of services) {
    const first = firstOf(service);
    if (first !== undefined) byLabel.set(first, []);
  }
  for (const pod of pods) {
    yield;
    for (const label of Object.entries(pod.metadata.labels ?? {}))
      byLabel.get(term(pod.metadata.namespace, label))?.push(pod);
  }
  const slices: EndpointSlice[] = [];
  for (const service of services) {
    yield;
    const first = firstOf(service);
    const candidates = first === undefined ? [] : (byLabel.get(first) ?? []);
    slices.push(
      ...endpointSlices(
        service,
        candidates.filter(({ metadata }) => labelsInclude(metadata.labels, service.spec.selector)),
      ),
    );
  }
  return slices;
}

function settingsOf(applied: DesiredState): ClusterSpec {
  const clusters = [...applied.values()].flatMap(({ object }) => (object.kind === 'Cluster' ? [object] : []));
  return clusters.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))[0]?.spec ?? DEFAULTS;
}

/** Those that are rebuilt, as the sync would create them. */
function manifests({ applied, source }: RecoveryInput): readonly KubeObject[] {
  const desired = new Map([...applied].filter(([, { object }]) => orderOf(object.kind) !== undefined));
  return planSync({ sourceName: source.name, applied: new Map(), desired, live: new Map() }).items.map(
    ({ object }) => object,
  );
}

function pinOf({ problem: _problem, ...pin }: SourcePin): SourcePin {
  return pin;
}

function recoveredSource({ source: { name, ...spec }, appliedRevision, sources }: RecoveryInput): Source {
  return {
    apiVersion: OWN_API_VERSION,
    kind: 'Source',
    metadata: { name },
    spec,
    ...(appliedRevision !== undefined && {
      status: { appliedRevision, history: [], ...(sources && { sources: sources.map(pinOf) }) },
    }),
  };
}

/**
 * Nodes of Git's Machines. Every node holds every Node, so all have a vote on a pod range; one that is no cut of the
 * cluster's range, or that meets one with more votes, is not followed, and the node gets a free one. So it is with
 * addresses and WireGuard keys, which their nodes tell again.
 */
function* recoverNodes(
  { words, machines, silent, now }: RecoveryInput,
  { network }: ClusterSpec,
): Paced<readonly Node[]> {
  const podRangeVotes = new Votes();
  const addresses = new Votes();
  const keys = new Votes();
  yield* eachSaid(words, 'Node', ({ metadata: { name }, spec, status }, nodes) => {
    if (spec.podCIDR !== undefined) podRangeVotes.add(name, spec.podCIDR, nodes);
    const address = status?.addresses.find(({ type }) => type === 'InternalIP')?.address;
    if (address !== undefined) addresses.add(name, address, nodes);
    if (status?.wireguard) keys.add(name, status.wireguard.publicKey, nodes);
  });
  const isSilent = new Set(silent);
  const names = machines.map(({ metadata }) => metadata.name);
  const podRanges = elect(names, podRangeVotes, (cidr) => isCutOf(network, cidr));
  const ranges = [network.podCIDR, network.serviceCIDR];
  const hostAddresses = elect(names, addresses, (address) => canBeHost(address, ranges));
  const publicKeys = elect(names, keys, (key) => WIREGUARD_KEY.test(key));
  return machines.flatMap((machine): Node[] => {
    const { name } = machine.metadata;
    const podCIDR = podRanges.get(name);
    const address = machine.spec.internalIP ?? hostAddresses.get(name);
    const publicKey = publicKeys.get(name);
    const pending = {
      type: PODS_KNOWN,
      status: 'False' as const,
      reason: 'InventoryPending',
      message: 'the state was rebuilt without this node: its pods are not known yet',
      lastTransitionTime: now.toISOString(),
    };
    if (podCIDR === undefined && !isSilent.has(name)) return [];
    const status = {
      ...(address !== undefined && { addresses: [{ type: 'InternalIP' as const, address }] }),
      ...(publicKey !== undefined && { wireguard: { publicKey } }),
      ...(isSilent.has(name) && { conditions: [pending] }),
    };
    // As its controller would give it: nothing is scheduled there before its agent is heard.
    const taints = [{ key: NOT_READY_TAINT, effect: 'NoSchedule' as const, timeAdded: now.toISOString() }];
    return [
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        spec: { ...(podCIDR !== undefined && { podCIDR }), taints },
        ...(Object.keys(status).length > 0 && { status }),
      },
    ];
  });
}

/** One value for each subject and no value twice: those with more votes first. */
function elect(
  subjects: readonly string[],
  votes: Votes,
  isGood: (value: string) => boolean,
): ReadonlyMap<string, string> {
  const wishes = subjects.flatMap((subject) =>
    votes
      .ranked(subject)
      .filter(({ value }) => isGood(value))
      .map((wish) => ({ subject, ...wish })),
  );
  const elected = new Map<string, string>();
  const taken = new Set<string>();
  for (const { subject, value } of wishes.sort(
    (a, b) => b.votes - a.votes || (a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0),
  )) {
    if (elected.has(subject) || taken.has(value)) continue;
    elected.set(subject, value);
    taken.add(value);
  }
  return elected;
}

/** A node's range is a whole cut of the cluster's: two such are equal or do not meet. */
function isCutOf({ podCIDR, nodeMaskSize }: ClusterSpec['network'], cidr: string): boolean {
  const range = readRange(cidr);
  const whole = parseRange(podCIDR);
  return (
    range !== undefined &&
    cidr === formatRange({ first: range.first, prefix: nodeMaskSize }) &&
    rangeHolds(whole, range.first) &&
    range.size <= whole.size
  );
}

/**
 * Services of Git with the addresses and ports that were given out. Those that Git states come first; then those with
 * more votes.
 */
function* recoverServices(
  services: readonly Service[],
  words: readonly NodeWord[],
  { network }: ClusterSpec,
  pools: readonly IPAddressPool[],
): Paced<readonly Service[]> {
  const addresses = new Votes();
  const ports = new Votes();
  const balancers = new Votes();
  yield* eachSaid(words, 'Service', ({ metadata, spec, status }, nodes) => {
    const key = objectKey('Service', metadata.namespace, metadata.name);
    if (spec.clusterIP !== undefined && spec.clusterIP !== 'None') addresses.add(key, spec.clusterIP, nodes);
    for (const [port, nodePort] of new Map(spec.ports.map((one) => [`${one.protocol}/${one.port}`, one.nodePort])))
      if (nodePort !== undefined) ports.add(`${key} ${port}`, String(nodePort), nodes);
    if (spec.healthCheckNodePort !== undefined) ports.add(`${key} ${HEALTH}`, String(spec.healthCheckNodePort), nodes);
    // A Service gets one: to say it again, or to name more, is no further vote.
    const [balancer] = status?.loadBalancer?.ingress ?? [];
    if (balancer !== undefined) balancers.add(key, balancer.ip, nodes);
  });
  const stated = new Set(
    services.flatMap(({ spec }) =>
      [spec.clusterIP, ...nodePortsOf({ spec })].filter((value) => value !== undefined).map(String),
    ),
  );
  const range = parseRange(network.serviceCIDR);
  const second = familyNetwork(network, 'IPv6')?.serviceCIDR;
  const [first = 0, last = 0] = network.nodePortRange.split('-').map(Number);
  const wanting = services.filter(({ spec }) => spec.clusterIP === undefined && spec.type !== 'ExternalName');
  const clusterIPs = elect(
    wanting.map(keyOf),
    addresses,
    (ip) => !stated.has(ip) && (isGivenOut(range, ip) || (second !== undefined && cidrHas(second, ip))),
  );
  const portSubjects = services.flatMap((service) => [
    ...service.spec.ports
      .filter(({ nodePort }) => nodePort === undefined && wantsNodePorts(service.spec))
      .map((port) => `${keyOf(service)} ${portKey(port)}`),
    ...(needsHealthCheck(service.spec) && service.spec.healthCheckNodePort === undefined
      ? [`${keyOf(service)} ${HEALTH}`]
      : []),
  ]);
  const nodePorts = elect(
    portSubjects,
    ports,
    (port) => !stated.has(port) && Number(port) >= first && Number(port) <= last,
  );
  return services.map((service) => {
    const key = keyOf(service);
    const clusterIP = service.spec.clusterIP ?? clusterIPs.get(key);
    const health = nodePorts.get(`${key} ${HEALTH}`);
    // Several Services may share an address, so it is not elected; whose it is when they do not, their controller settles.
    const balancer = balancers.ranked(key).find(({ value }) => pools.some((pool) => poolHas(pool, value)))?.value;
    const spec = {
      ...service.spec,
      ...(clusterIP !== undefined && { clusterIP }),
      ports: service.spec.ports.map((port) => {
        const given = port.nodePort === undefined ? nodePorts.get(`${key} ${portKey(port)}`) : undefined;
        return given === undefined ? port : { ...port, nodePort: Number(given) };
      }),
      ...(health !== undefined && { healthCheckNodePort: Number(health) }),
    };
    const text = allocatedText(
      spec,
      wishesOf({
        ...service,
        metadata: { ...service.metadata, uid: '', resourceVersion: '0', generation: 1, creationTimestamp: '' },
      }),
    );
    return {
      ...service,
      metadata: {
        ...service.metadata,
        annotations: { ...service.metadata.annotations, ...(text && { [ALLOCATED_ANNOTATION]: text }) },
      },
      spec,
      ...(spec.type === 'LoadBalancer' &&
        balancer !== undefined && {
          status: { loadBalancer: { ingress: [{ ip: balancer, ipMode: 'VIP' as const }] } },
        }),
    };
  });
}

/** Of the service range, what allocation gives out: not its first two addresses and not its last. */
function isGivenOut(range: { readonly first: number; readonly size: number }, ip: string): boolean {
  if (!isAddress(ip)) return false;
  const address = parseAddress(ip);
  return address >= range.first + 2 && address < range.first + range.size - 1;
}
