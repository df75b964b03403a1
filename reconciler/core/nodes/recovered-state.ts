/**
 * The live state after the store was lost: what Git says, with what only the nodes know. A node is a witness
 * (docs/adr/0004): its pods are taken where Git gives the same pod, allocated addresses where most nodes tell them and
 * they are in range; all else is made anew.
 */
import {
  ClusterManifest,
  keyOf,
  labelsInclude,
  objectKey,
  OWN_API_VERSION,
  type ClusterSpec,
  type Kind,
  type KubeObject,
  type Machine,
  type Node,
  type Service,
  type Source,
} from '../../../contracts/objects/index.ts';
import type { NodeClaim, ServiceClaim } from '../../../contracts/agent/index.ts';
import { planSync } from '../diff/index.ts';
import { DESCRIPTORS } from '../kinds/index.ts';
import type { DesiredState } from '../manifests/types.ts';
import { ALLOCATED_ANNOTATION, allocatedText, portKey, wishesOf } from '../services/allocation.ts';
import { endpointSlices } from '../services/endpoints.ts';
import { formatRange, isAddress, parseAddress, parseRange, rangeHolds, readRange } from '../../../contracts/ipv4.ts';
import { NOT_READY_TAINT } from '../health/node.ts';
import type { KnownNode } from './bounded-report.ts';
import type { RefusedClaim } from './claim-sorting.ts';
import { podDefaultsOf, type PodTemplates } from './claimed-template.ts';
import { canBeHost } from './host-address.ts';
import { made } from './made-anew.ts';
import type { NodeWord } from './node-word.ts';
import { PODS_KNOWN } from '../workloads/unheard.ts';
import { recoveredVolumes } from './recovered-volumes.ts';
import { scaledByOthers } from './recovered-scale.ts';
import { recoverWorkloads } from './recovered-workloads.ts';
import { Votes } from './votes.ts';

export interface RecoveryInput {
  readonly words: readonly NodeWord[];
  /** Machines whose pods are unknown. */
  readonly silent: readonly string[];
  readonly machines: readonly Machine[];
  readonly source: { readonly name: string; readonly url: string; readonly branch: string };
  /** The commit in force, if it is known. */
  readonly appliedRevision: string | undefined;
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

export function recoverState(input: RecoveryInput): RecoveredState {
  const settings = settingsOf(input.applied);
  const nodes = recoverNodes(input, settings);
  const known = new Map(
    nodes.map((node): [string, KnownNode] => [
      node.metadata.name,
      { podCIDR: node.spec.podCIDR, internalIP: node.status?.addresses?.[0]?.address },
    ]),
  );
  const desired = manifests(input);
  const services = recoverServices(
    desired.filter((object) => object.kind === 'Service'),
    input.words,
    settings,
  ).map((service) => made(service, input));
  const {
    objects: workloads,
    pods,
    refused,
  } = recoverWorkloads({
    ...input,
    desired,
    scaledByOthers: scaledByOthers(input.applied),
    defaults: podDefaultsOf([...input.applied.values()].map(({ object }) => object)),
    known,
  });
  const slices = services.flatMap((service) =>
    endpointSlices(
      service,
      pods.filter(
        ({ metadata }) =>
          metadata.namespace === service.metadata.namespace && labelsInclude(metadata.labels, service.spec.selector),
      ),
    ),
  );
  const volumes = [...desired.filter(({ kind }) => kind === 'PersistentVolume'), ...recoveredVolumes(input.words)];
  const objects = [recoveredSource(input), ...nodes, ...volumes, ...services, ...workloads, ...pods, ...slices];
  return { objects: objects.sort((a, b) => (orderOf(a.kind) ?? 0) - (orderOf(b.kind) ?? 0)), refused };
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

function recoveredSource({ source: { name, url, branch }, appliedRevision }: RecoveryInput): Source {
  return {
    apiVersion: OWN_API_VERSION,
    kind: 'Source',
    metadata: { name },
    spec: { url, branch },
    ...(appliedRevision !== undefined && { status: { appliedRevision, history: [] } }),
  };
}

/**
 * Nodes of Git's Machines. Every node holds every Node, so all have a vote on a pod range; one that is no cut of the
 * cluster's range, or that meets one with more votes, is not followed, and the node gets a free one.
 */
function recoverNodes({ words, machines, silent, now }: RecoveryInput, { network }: ClusterSpec): readonly Node[] {
  const podRangeVotes = new Votes();
  const addresses = new Votes();
  for (const { claims } of words) {
    for (const claim of oncePerKey(claims.filter((one) => one.kind === 'Node'))) {
      if (claim.spec.podCIDR !== undefined) podRangeVotes.add(claim.metadata.name, claim.spec.podCIDR);
      const address = claim.status?.addresses.find(({ type }) => type === 'InternalIP')?.address;
      if (address !== undefined) addresses.add(claim.metadata.name, address);
    }
  }
  const names = machines.map(({ metadata }) => metadata.name);
  const podRanges = elect(names, podRangeVotes, (cidr) => isCutOf(network, cidr));
  const ranges = [network.podCIDR, network.serviceCIDR];
  const hostAddresses = elect(names, addresses, (address) => canBeHost(address, ranges));
  return machines.flatMap((machine): Node[] => {
    const { name } = machine.metadata;
    const podCIDR = podRanges.get(name);
    const address = machine.spec.internalIP ?? hostAddresses.get(name);
    const pending = {
      type: PODS_KNOWN,
      status: 'False' as const,
      reason: 'InventoryPending',
      message: 'the state was rebuilt without this node: its pods are not known yet',
      lastTransitionTime: now.toISOString(),
    };
    if (podCIDR === undefined && !silent.includes(name)) return [];
    const status = {
      ...(address !== undefined && { addresses: [{ type: 'InternalIP' as const, address }] }),
      ...(silent.includes(name) && { conditions: [pending] }),
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
function recoverServices(
  services: readonly Service[],
  words: readonly NodeWord[],
  { network }: ClusterSpec,
): readonly Service[] {
  const addresses = new Votes();
  const ports = new Votes();
  for (const { claims } of words) {
    for (const { metadata, spec } of oncePerKey(claims.filter((one) => one.kind === 'Service'))) {
      const key = objectKey('Service', metadata.namespace, metadata.name);
      if (spec.clusterIP !== undefined && spec.clusterIP !== 'None') addresses.add(key, spec.clusterIP);
      for (const [port, nodePort] of new Map(spec.ports.map((one) => [`${one.protocol}/${one.port}`, one.nodePort])))
        if (nodePort !== undefined) ports.add(`${key} ${port}`, String(nodePort));
    }
  }
  const stated = new Set(
    services.flatMap(({ spec }) =>
      [spec.clusterIP, ...spec.ports.map(({ nodePort }) => nodePort)]
        .filter((value) => value !== undefined)
        .map(String),
    ),
  );
  const range = parseRange(network.serviceCIDR);
  const [first = 0, last = 0] = network.nodePortRange.split('-').map(Number);
  const wanting = services.filter(({ spec }) => spec.clusterIP === undefined);
  const clusterIPs = elect(wanting.map(keyOf), addresses, (ip) => !stated.has(ip) && isGivenOut(range, ip));
  const portSubjects = services
    .filter(({ spec }) => spec.type === 'NodePort')
    .flatMap((service) =>
      service.spec.ports
        .filter(({ nodePort }) => nodePort === undefined)
        .map((port) => `${keyOf(service)} ${portKey(port)}`),
    );
  const nodePorts = elect(
    portSubjects,
    ports,
    (port) => !stated.has(port) && Number(port) >= first && Number(port) <= last,
  );
  return services.map((service) => {
    const key = keyOf(service);
    const clusterIP = service.spec.clusterIP ?? clusterIPs.get(key);
    const spec = {
      ...service.spec,
      ...(clusterIP !== undefined && { clusterIP }),
      ports: service.spec.ports.map((port) => {
        const given = port.nodePort === undefined ? nodePorts.get(`${key} ${portKey(port)}`) : undefined;
        return given === undefined ? port : { ...port, nodePort: Number(given) };
      }),
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
    };
  });
}

/** Of the service range, what allocation gives out: not its first two addresses and not its last. */
function isGivenOut(range: { readonly first: number; readonly size: number }, ip: string): boolean {
  if (!isAddress(ip)) return false;
  const address = parseAddress(ip);
  return address >= range.first + 2 && address < range.first + range.size - 1;
}

/** A node that claims two things of one object has one vote. */
function oncePerKey<T extends NodeClaim | ServiceClaim>(claims: readonly T[]): readonly T[] {
  return [
    ...new Map(
      claims.map((claim) => [
        `${'namespace' in claim.metadata ? claim.metadata.namespace : ''}/${claim.metadata.name}`,
        claim,
      ]),
    ).values(),
  ];
}
