/** A packet's way to a Service, as far as the live state tells it: where clients aim, who gets it, who does not and why. */
import {
  findCondition,
  labelsInclude,
  lastingContainers,
  loadBalancerAddresses,
  SERVICE_NAME_LABEL,
  type Endpoint,
  type Event,
  type Kind,
  type NetworkPolicy,
  type StoredEndpointSlice,
  type StoredOf,
  type StoredPod,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { mayHaveNodePorts } from '../../../contracts/objects/service-traffic.ts';
import { selectingPolicies } from '../policies/selecting.ts';
import { compareText } from '../workloads/owners.ts';
import { isFinished, isReady, isTerminating } from '../workloads/pod-state.ts';
import { ingressWords } from './policy-words.ts';

/** What a trace looks at; the process's view of the store is one. */
export interface TraceView {
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[];
  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[];
}

export interface TracedEndpoint {
  /** A pod's name, or the address that a manifest lists. */
  readonly name: string;
  readonly node?: string;
  /** `ADDRESS:PORT`, one for each port. */
  readonly at: readonly string[];
  /** Whether new connections go there. */
  readonly is: 'in' | 'last resort' | 'out';
  readonly why: string;
}

export interface TracedPolicy {
  readonly name: string;
  /** How many of the Service's pods it selects, of how many. */
  readonly pods: number;
  readonly of: number;
  /** Who it lets in. */
  readonly lets: readonly string[];
}

export interface ServiceTrace {
  /** Where clients aim, and who may. */
  readonly addresses: readonly string[];
  readonly endpoints: readonly TracedEndpoint[];
  readonly more: number;
  /** Those that close the way in to its pods, but for whom they let in. */
  readonly policies: readonly TracedPolicy[];
  /** What is in the way whatever node the packet starts at. */
  readonly broken?: string;
}

const MOST_ENDPOINTS = 20;

/** Of more endpoints than are told, those that get nothing come first. */
export function traceService(service: StoredService, view: TraceView): ServiceTrace {
  const { namespace, name } = service.metadata;
  const slices = view.labelled('EndpointSlice', SERVICE_NAME_LABEL, name, namespace);
  const pods = podsOf(service, view);
  const listed = listedEndpoints(slices);
  const hasReady = [...listed.values()].some(({ endpoint }) => endpoint.conditions.ready);
  const troubles = probeTroubles(view.list('Event', namespace));
  const known = new Set(pods.map(({ metadata }) => metadata.uid));
  const all = [
    ...pods.map((pod) => ofPod(pod, service, listed.get(pod.metadata.uid), hasReady, troubles.get(pod.metadata.uid))),
    ...[...listed].filter(([id]) => !known.has(id)).map(([, one]) => ofSlice(one, hasReady)),
  ].sort((a, b) => ORDER[a.is] - ORDER[b.is] || compareText(a.name, b.name));
  const policies = policiesOf(pods, view.list('NetworkPolicy', namespace));
  const broken = brokenAt(service, all);
  return {
    addresses: addressesOf(service),
    endpoints: all.slice(0, MOST_ENDPOINTS),
    more: Math.max(0, all.length - MOST_ENDPOINTS),
    policies,
    ...(broken !== undefined && { broken }),
  };
}

const ORDER = { out: 0, 'last resort': 1, in: 2 } as const;

interface Listed {
  readonly endpoint: Endpoint;
  readonly ports: StoredEndpointSlice['ports'];
}

/** By the pod's uid, or by the address where it is no pod. */
function listedEndpoints(slices: readonly StoredEndpointSlice[]): ReadonlyMap<string, Listed> {
  const found = new Map<string, Listed>();
  for (const { endpoints, ports } of slices)
    for (const endpoint of endpoints) {
      const id = endpoint.targetRef?.uid ?? endpoint.addresses[0] ?? '';
      const before = found.get(id);
      found.set(id, {
        endpoint: before?.endpoint.conditions.ready ? before.endpoint : endpoint,
        ports: [...(before?.ports ?? []), ...ports],
      });
    }
  return found;
}

function podsOf({ spec, metadata }: StoredService, view: TraceView): readonly StoredPod[] {
  const [label] = Object.entries(spec.selector ?? {});
  if (!label) return [];
  return view
    .labelled('Pod', label[0], label[1], metadata.namespace)
    .filter((pod) => labelsInclude(pod.metadata.labels, spec.selector));
}

function places({ endpoint, ports }: Listed): readonly string[] {
  const [address = ''] = endpoint.addresses;
  return ports.length === 0 ? [address] : [...new Set(ports.map(({ port }) => `${address}:${port}`))];
}

function ofSlice(listed: Listed, hasReady: boolean): TracedEndpoint {
  const { endpoint } = listed;
  const name = endpoint.targetRef?.name ?? endpoint.addresses[0] ?? '';
  return {
    name,
    at: places(listed),
    ...(endpoint.nodeName !== undefined && { node: endpoint.nodeName }),
    ...standing(endpoint, hasReady, endpoint.targetRef ? 'an EndpointSlice lists it still' : 'a manifest lists it'),
  };
}

function standing({ conditions }: Endpoint, hasReady: boolean, ready: string): Pick<TracedEndpoint, 'is' | 'why'> {
  if (conditions.ready) return { is: 'in', why: ready };
  if (!conditions.serving || !conditions.terminating) return { is: 'out', why: 'it is listed as not ready' };
  return hasReady
    ? { is: 'out', why: 'it ends, and others are ready' }
    : { is: 'last resort', why: 'it ends, still answers, and no other is ready' };
}

function ofPod(
  pod: StoredPod,
  service: StoredService,
  listed: Listed | undefined,
  hasReady: boolean,
  trouble: string | undefined,
): TracedEndpoint {
  const { nodeName } = pod.spec;
  const own = { name: pod.metadata.name, ...(nodeName !== undefined && { node: nodeName }) };
  const told = trouble === undefined ? '' : `; last probe that failed: ${trouble}`;
  const out = (why: string): TracedEndpoint => ({
    ...own,
    at: listed ? places(listed) : [],
    is: 'out',
    why: why + told,
  });
  if (isFinished(pod)) return out('it has ended');
  if (nodeName === undefined) return out('it is on no node yet');
  if (pod.status?.podIP === undefined) return out('it has no address yet');
  const missing = missingPort(pod, service);
  if (missing !== undefined) return out(missing);
  const isIn = service.spec.publishNotReadyAddresses || isReady(pod);
  if (!isIn && !isTerminating(pod)) return out(`it is not ready: ${notReadyWhy(pod)}`);
  if (!listed) return out('no EndpointSlice has it yet');
  const ready = isReady(pod) ? 'it is ready' : 'it is not ready, and published all the same';
  const { is, why } = standing(listed.endpoint, hasReady, ready);
  return { ...own, at: places(listed), is, why: why + told };
}

/** Why no port of the Service leads to the pod: it has none of these names. */
function missingPort(pod: StoredPod, { spec }: StoredService): string | undefined {
  const has = lastingContainers(pod.spec).flatMap(({ ports = [] }) => ports);
  const missing = spec.ports.flatMap(({ targetPort, protocol }) =>
    typeof targetPort === 'string' && !has.some((port) => port.name === targetPort && port.protocol === protocol)
      ? [`${targetPort} (${protocol})`]
      : [],
  );
  return spec.ports.length > 0 && missing.length === spec.ports.length
    ? `none of its containers has a port named ${missing.join(' or ')}`
    : undefined;
}

function notReadyWhy({ status }: StoredPod): string {
  const ready = findCondition(status?.conditions, 'Ready');
  const waiting = status?.containerStatuses?.find((container) => !container.ready)?.state.waiting;
  return [ready?.message ?? ready?.reason ?? 'nobody said why', ...(waiting ? [waiting.reason] : [])].join(', ');
}

/** What the last probe that failed said, by the pod's uid. */
function probeTroubles(events: readonly StoredOf<'Event'>[]): ReadonlyMap<string | undefined, string> {
  const newest = new Map<string | undefined, Event>();
  for (const event of events) {
    const { uid } = event.involvedObject;
    const before = newest.get(uid);
    if (event.reason === 'Unhealthy' && (!before || before.lastTimestamp < event.lastTimestamp)) newest.set(uid, event);
  }
  return new Map([...newest].map(([uid, { message, lastTimestamp }]) => [uid, `${message} (${lastTimestamp})`]));
}

function policiesOf(
  pods: readonly StoredPod[],
  policies: readonly StoredOf<'NetworkPolicy'>[],
): readonly TracedPolicy[] {
  const counts = new Map<NetworkPolicy, number>();
  const living = pods.filter((pod) => !isFinished(pod));
  for (const pod of living)
    for (const policy of selectingPolicies(pod, policies))
      if (policy.spec.policyTypes.includes('Ingress')) counts.set(policy, (counts.get(policy) ?? 0) + 1);
  return [...counts].map(([policy, count]) => ({
    name: policy.metadata.name,
    pods: count,
    of: living.length,
    lets: ingressWords(policy),
  }));
}

function addressesOf(service: StoredService): readonly string[] {
  const { spec } = service;
  if (spec.type === 'ExternalName') return [`its name is an alias of ${spec.externalName ?? ''}: no address, no rules`];
  const ports = spec.ports.map(({ port, protocol }) => `${port}/${protocol}`).join(', ');
  if (spec.clusterIP === 'None') return ['headless: its name has the addresses of its endpoints, no rules'];
  const policy = (name: string, value: string | undefined): string =>
    value === 'Local' ? `, ${name}: endpoints of the same node alone` : '';
  const inside =
    spec.clusterIP === undefined
      ? []
      : [
          `${spec.clusterIP} ${ports}: from pods and nodes${policy('internalTrafficPolicy Local', spec.internalTrafficPolicy)}`,
        ];
  const outside = policy('externalTrafficPolicy Local', spec.externalTrafficPolicy);
  const nodePorts = mayHaveNodePorts(spec)
    ? spec.ports.flatMap(({ nodePort, protocol }) => (nodePort === undefined ? [] : [`${nodePort}/${protocol}`]))
    : [];
  const ranges = spec.loadBalancerSourceRanges ?? [];
  return [
    ...inside,
    ...(nodePorts.length > 0 ? [`every node ${nodePorts.join(', ')}: node ports${outside}`] : []),
    ...loadBalancerAddresses(service).map(
      (address) =>
        `${address} ${ports}: load balancer${ranges.length > 0 ? `, only from ${ranges.join(', ')}` : ''}${outside}`,
    ),
    ...(spec.externalIPs ?? []).map((address) => `${address} ${ports}: external address${outside}`),
  ];
}

function brokenAt({ spec }: StoredService, endpoints: readonly TracedEndpoint[]): string | undefined {
  if (spec.type === 'ExternalName') return undefined;
  if (spec.clusterIP === undefined) return 'it has no address yet';
  if (endpoints.length === 0)
    return spec.selector && Object.keys(spec.selector).length > 0
      ? `no pod has the labels ${Object.entries(spec.selector)
          .map(([key, value]) => `${key}=${value}`)
          .join(',')}`
      : 'it has no selector, and no EndpointSlice or Endpoints of its name lists an address';
  if (endpoints.every(({ is }) => is === 'out')) {
    const [first] = endpoints;
    return `none of its ${endpoints.length} endpoints gets connections: ${first?.name ?? ''}: ${first?.why ?? ''}`;
  }
  return undefined;
}
