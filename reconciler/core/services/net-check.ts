/**
 * What nodes are to try so that it is known whether nodes, pods, names and Services reach each other, and what the results
 * mean. Nothing is made for it: connections are opened to what is there, and ended without a word.
 */
import type { NetworkProbe, NetworkProbeResult } from '../../../contracts/agent/index.ts';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import {
  conditionIsTrue,
  findCondition,
  lastingContainers,
  SERVICE_NAME_LABEL,
  type StoredEndpointSlice,
  type StoredMachine,
  type StoredNetworkPolicy,
  type StoredNode,
  type StoredPod,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import { groupBy } from '../group-by.ts';
import { selectingPolicies } from '../policies/selecting.ts';
import { isReady, isTerminating } from '../workloads/pod-state.ts';

export interface NetCheckWorld {
  readonly nodes: readonly StoredNode[];
  readonly machines: readonly StoredMachine[];
  readonly pods: readonly StoredPod[];
  readonly services: readonly StoredService[];
  readonly slices: readonly StoredEndpointSlice[];
  readonly policies: readonly StoredNetworkPolicy[];
  /** Of the cluster's names. */
  readonly domain: string;
}

/** What a probe is about. */
export type NetCheckSubject =
  | { readonly about: 'node'; readonly node: string }
  | { readonly about: 'pods'; readonly node: string; readonly pod: string }
  | { readonly about: 'name'; readonly service: string; readonly address: string }
  | { readonly about: 'service'; readonly service: string };

export interface NetCheck {
  /** The node that tries. */
  readonly from: string;
  /** The pod of it in whose network that is; the machine's own when absent. */
  readonly pod?: string;
  readonly subject: NetCheckSubject;
  readonly probe: NetworkProbe;
}

export interface NetCheckPlan {
  /** By the node that tries them, at most {@link NETWORK_LIMITS}.probes each. */
  readonly checks: ReadonlyMap<string, readonly NetCheck[]>;
  /** What nodes say of their networks by themselves. */
  readonly told: readonly NetCheckFinding[];
  /** What cannot be tried, and why. */
  readonly notTried: readonly string[];
}

/** Nodes that try, and nodes that each of them tries: the next ones by name, so that all are tried by somebody. */
const MOST_NODES = 50;
const MOST_OTHERS = 20;
const MOST_SERVICES = 100;
const MOST_NAMES = 10;
/** That a pod tries. */
const MOST_SERVICES_OF_POD = 20;

export function planNetCheck(world: NetCheckWorld): NetCheckPlan {
  const notTried: string[] = [];
  const ready = world.nodes.filter((node) => conditionIsTrue(node.status?.conditions, 'Ready'));
  for (const node of world.nodes)
    if (!ready.includes(node)) notTried.push(`node ${node.metadata.name}: it is not ready`);
  const sources = ready.slice(0, MOST_NODES);
  if (ready.length > sources.length) notTried.push(`from ${ready.length - sources.length} more nodes`);
  const pods = targetPods(world, ready, notTried);
  const services = targetServices(world, notTried);
  const named = services.slice(0, MOST_NAMES);
  const sourcePods = podsThatTry(world, sources, pods, notTried);
  const checks = new Map<string, readonly NetCheck[]>();
  for (const [i, node] of sources.entries()) {
    const from = node.metadata.name;
    const others = ring(ready, i, MOST_OTHERS);
    const toPods = [node, ...others].flatMap((other): NetCheck[] => {
      const target = pods.get(other.metadata.name);
      if (!target) return [];
      const subject = { about: 'pods' as const, node: other.metadata.name, pod: target.pod };
      const { address, port } = target;
      return [{ from, subject, probe: { ask: 'connect', address, port } }];
    });
    const names = named.map(({ service, address }): NetCheck => ({
      from,
      subject: { about: 'name', service, address },
      probe: { ask: 'resolve', name: `${service.split('/').toReversed().join('.')}.svc.${world.domain}` },
    }));
    const toServices = services.flatMap(({ service, address, ports, onlyOn }) =>
      onlyOn !== undefined && !onlyOn.has(from)
        ? []
        : ports.map((port): NetCheck => ({
            from,
            subject: { about: 'service', service: `${service}:${port}` },
            probe: { ask: 'connect', address, port },
          })),
    );
    const by = sourcePods.get(from);
    const inPod = by
      ? [
          ...toPods.filter(({ subject }) => !(subject.about === 'pods' && subject.pod === by.pod)),
          ...names,
          ...toServices.slice(0, MOST_SERVICES_OF_POD),
        ].map((check): NetCheck => ({ ...check, pod: by.pod, probe: { ...check.probe, pod: by.uid } }))
      : [];
    const own = [
      ...others.flatMap((other) => nodeCheck(from, other, world.machines)),
      ...toPods,
      ...names,
      ...toServices,
    ];
    checks.set(from, [...own.slice(0, NETWORK_LIMITS.probes - inPod.length), ...inPod]);
  }
  return { checks, told: world.nodes.flatMap(wordOnNetwork), notTried };
}

/** What a node says of its network by itself, where that is not as it should be. */
function wordOnNetwork({ metadata, status }: StoredNode): NetCheckFinding[] {
  const found = findCondition(status?.conditions, 'NetworkUnavailable');
  return found?.status === 'True'
    ? [{ text: `node ${metadata.name} says of its network: ${found.message ?? found.reason ?? 'it is not available'}` }]
    : [];
}

/** The next ones after the one at `at`, without it. */
function ring<T>(all: readonly T[], at: number, most: number): readonly T[] {
  return [...all.slice(at + 1), ...all.slice(0, at)].slice(0, most);
}

function nodeCheck(from: string, to: StoredNode, machines: readonly StoredMachine[]): NetCheck[] {
  const address = internalIP(to);
  if (address === undefined) return [];
  const { name } = to.metadata;
  const port = machines.find(({ metadata }) => metadata.name === name)?.spec.port ?? 22;
  return [{ from, subject: { about: 'node', node: name }, probe: { ask: 'connect', address, port } }];
}

interface TargetPod {
  readonly pod: string;
  readonly address: string;
  readonly port: number;
}

/** One of each node that can be expected to answer, or at least to refuse: no policy closes it. */
function targetPods(
  { pods, policies }: NetCheckWorld,
  nodes: readonly StoredNode[],
  notTried: string[],
): ReadonlyMap<string, TargetPod> {
  const byNamespace = groupBy(policies, ({ metadata }) => metadata.namespace ?? '');
  const found = new Map<string, TargetPod>();
  const closed = new Set<string>();
  for (const pod of pods) {
    const { nodeName, hostNetwork } = pod.spec;
    const address = pod.status?.podIP;
    if (nodeName === undefined || found.has(nodeName) || hostNetwork || address === undefined) continue;
    if (!isReady(pod) || isTerminating(pod)) continue;
    if (isClosed(pod, byNamespace.get(pod.metadata.namespace ?? '') ?? [])) {
      closed.add(nodeName);
      continue;
    }
    found.set(nodeName, { pod: `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`, address, port: portOf(pod) });
  }
  for (const { metadata } of nodes)
    if (!found.has(metadata.name))
      notTried.push(
        `pods of ${metadata.name}: ${closed.has(metadata.name) ? 'policies close all that are ready' : 'none is ready'}`,
      );
  return found;
}

interface SourcePod {
  /** `namespace/name` */
  readonly pod: string;
  readonly uid: string;
}

/** One pod of each node that may open connections to all, and another one than the node's target where there are two. */
function podsThatTry(
  { pods, policies }: NetCheckWorld,
  nodes: readonly StoredNode[],
  targets: ReadonlyMap<string, TargetPod>,
  notTried: string[],
): ReadonlyMap<string, SourcePod> {
  const byNamespace = groupBy(policies, ({ metadata }) => metadata.namespace ?? '');
  const found = new Map<string, SourcePod>();
  for (const one of pods) {
    const { nodeName, hostNetwork } = one.spec;
    const pod = `${one.metadata.namespace ?? ''}/${one.metadata.name}`;
    if (nodeName === undefined || hostNetwork || one.status?.podIP === undefined) continue;
    const before = found.get(nodeName);
    if (before !== undefined && before.pod !== targets.get(nodeName)?.pod) continue;
    if (!isReady(one) || isTerminating(one)) continue;
    const selecting = selectingPolicies(one, byNamespace.get(one.metadata.namespace ?? '') ?? []);
    if (selecting.some(({ spec }) => spec.policyTypes.includes('Egress'))) continue;
    if (before === undefined || pod !== targets.get(nodeName)?.pod) found.set(nodeName, { pod, uid: one.metadata.uid });
  }
  const without = nodes.filter(({ metadata }) => !found.has(metadata.name)).map(({ metadata }) => metadata.name);
  for (const name of without)
    if (targets.has(name)) notTried.push(`from pods of ${name}: policies close what those that are ready may open`);
  return found;
}

function isClosed(pod: StoredPod, policies: readonly StoredNetworkPolicy[]): boolean {
  return selectingPolicies(pod, policies).some(({ spec }) => spec.policyTypes.includes('Ingress'));
}

/** One that it says it has; else any, which it refuses. */
function portOf({ spec }: StoredPod): number {
  const ports = lastingContainers(spec).flatMap((container) => container.ports ?? []);
  return ports.find(({ protocol }) => protocol === 'TCP')?.containerPort ?? 80;
}

interface TargetService {
  readonly service: string;
  readonly address: string;
  readonly ports: readonly number[];
  /** Nodes that have an endpoint, where no other is used. */
  readonly onlyOn?: ReadonlySet<string>;
}

function targetServices(world: NetCheckWorld, notTried: string[]): readonly TargetService[] {
  const slicesOf = groupBy(
    world.slices,
    ({ metadata }) => `${metadata.namespace ?? ''}/${metadata.labels?.[SERVICE_NAME_LABEL] ?? ''}`,
  );
  const podsBy = new Map(world.pods.map((pod) => [pod.metadata.uid, pod]));
  const policies = groupBy(world.policies, ({ metadata }) => metadata.namespace ?? '');
  const found: TargetService[] = [];
  let more = 0;
  for (const { metadata, spec } of world.services) {
    const { clusterIP } = spec;
    const ports = spec.ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => port);
    if (clusterIP === undefined || clusterIP === 'None' || ports.length === 0) continue;
    const service = `${metadata.namespace ?? ''}/${metadata.name}`;
    const ready = (slicesOf.get(service) ?? [])
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ conditions }) => conditions.ready);
    if (ready.length === 0) {
      notTried.push(`Service ${service}: it has no ready endpoint`);
      continue;
    }
    const closed = ready.some(({ targetRef }) => {
      const pod = targetRef && podsBy.get(targetRef.uid);
      return pod !== undefined && isClosed(pod, policies.get(metadata.namespace ?? '') ?? []);
    });
    if (closed) {
      notTried.push(`Service ${service}: a policy closes endpoints of it`);
      continue;
    }
    if (found.length >= MOST_SERVICES) {
      more += 1;
      continue;
    }
    const onlyOn = spec.internalTrafficPolicy === 'Local' && new Set(ready.flatMap(({ nodeName }) => nodeName ?? []));
    found.push({ service, address: clusterIP, ports, ...(onlyOn && { onlyOn }) });
  }
  if (more > 0) notTried.push(`${more} more Services`);
  return found;
}

/** What one node said of what it was to try: results in the order of its checks, or why there are none. */
export type NodeWord = { readonly results: readonly NetworkProbeResult[] } | { readonly silent: string };

export interface NetCheckFinding {
  /** What is broken, in one line. */
  readonly text: string;
  /** Where to look next. */
  readonly hint?: string;
}

export interface NetCheckReport {
  /** Tries, and those that went well. */
  readonly tried: number;
  readonly well: number;
  readonly findings: readonly NetCheckFinding[];
  readonly notTried: readonly string[];
}

interface Failure {
  readonly check: NetCheck;
  readonly why: string;
}

/** Findings in the order of causes: a node that nobody reaches is not told again for its pods, nor what a machine does not reach for its pods. */
export function judgeNetCheck(plan: NetCheckPlan, words: ReadonlyMap<string, NodeWord>): NetCheckReport {
  const findings: NetCheckFinding[] = [...plan.told];
  const failures: Failure[] = [];
  let tried = 0;
  for (const [node, checks] of plan.checks) {
    const word = words.get(node) ?? { silent: 'nobody asked it' };
    if ('silent' in word) {
      findings.push({ text: `node ${node} was not asked: ${word.silent}` });
      continue;
    }
    for (const [i, check] of checks.entries()) {
      const result = word.results[i];
      if (!result) continue;
      tried += 1;
      const why = wrong(check, result);
      if (why !== undefined) failures.push({ check, why });
    }
  }
  const apart = new Set<string>();
  /** What machines do not reach themselves. */
  const ofMachines = new Set<string>();
  for (const { check } of failures) {
    if (check.subject.about === 'node') apart.add(`${check.from} ${check.subject.node}`);
    if (check.pod === undefined) ofMachines.add(`${check.from} ${subjectKey(check.subject)}`);
  }
  const own = failures.filter(
    ({ check: { from, pod, subject } }) =>
      !(subject.about === 'pods' && apart.has(`${from} ${subject.node}`)) &&
      !(pod !== undefined && ofMachines.has(`${from} ${subjectKey(subject)}`)),
  );
  const askedBy = groupBy([...plan.checks.values()].flat(), checkKey);
  for (const [key, some] of groupBy(own, ({ check }) => checkKey(check)))
    findings.push(finding(some, askedBy.get(key)?.length ?? some.length));
  return { tried, well: tried - failures.length, findings, notTried: plan.notTried };
}

function checkKey({ pod, subject }: NetCheck): string {
  return `${pod === undefined ? 'machine' : 'pod'} ${subjectKey(subject)}`;
}

function subjectKey(subject: NetCheckSubject): string {
  switch (subject.about) {
    case 'node':
    case 'pods':
      return `${subject.about} ${subject.node}`;
    case 'name':
    case 'service':
      return `${subject.about} ${subject.service}`;
  }
}

/** Why a result is not as it should be. */
function wrong({ subject }: NetCheck, result: NetworkProbeResult): string | undefined {
  const why = { answered: '', refused: 'refused', silent: 'no answer', failed: 'failed' }[result.outcome];
  const text = result.message === undefined ? why : `${why}: ${result.message}`;
  switch (subject.about) {
    // Who refuses is there.
    case 'node':
    case 'pods':
      return result.outcome === 'answered' || result.outcome === 'refused' ? undefined : text;
    case 'service':
      return result.outcome === 'answered' ? undefined : text;
    case 'name': {
      if (result.outcome !== 'answered') return text;
      const { addresses = [] } = result;
      return addresses.includes(subject.address)
        ? undefined
        : `answered with ${addresses.join(', ') || 'no address'} instead of ${subject.address}`;
    }
  }
}

const MOST_NAMED = 5;

function finding(failures: readonly Failure[], asked: number): NetCheckFinding {
  const [first] = failures;
  if (!first) return { text: '' };
  const { subject, probe, pod } = first.check;
  const from = failures.map(({ check }) => check.from);
  const more = from.length > MOST_NAMED ? ` and ${from.length - MOST_NAMED} more` : '';
  const all = from.length === asked && asked > 1;
  const nodes = all ? `all ${asked} nodes that tried` : `${from.slice(0, MOST_NAMED).join(', ')}${more}`;
  const who = pod === undefined ? nodes : `pods of ${nodes} (${pod})`;
  const reasons = [...new Set(failures.map(({ why }) => why))].slice(0, MOST_NAMED).join('; ');
  const at = probe.ask === 'connect' ? ` at ${probe.address}:${probe.port}` : '';
  switch (subject.about) {
    case 'node':
      return {
        text: `node ${subject.node} is not reached${at} from ${who}: ${reasons}`,
        hint: 'look at the cables, addresses and firewalls between these machines',
      };
    case 'pods':
      return {
        text: `pods of ${subject.node} are not reached (${subject.pod}${at}) from ${who}: ${reasons}`,
        hint:
          from.join() === subject.node && pod === undefined
            ? `the pod does not answer its own node: look at \`plumb explain pod/${subject.pod.split('/')[1] ?? ''} -n ${subject.pod.split('/')[0] ?? ''}\``
            : 'the machines reach each other: look for a firewall that drops what is forwarded to pods, or the pod network between them (UDP 8472 where it is VXLAN, 51820 where it is WireGuard), and at the condition NetworkUnavailable of the nodes',
      };
    case 'name':
      return {
        text: `the name of Service ${subject.service} is not resolved ${pod === undefined ? 'on' : 'for'} ${who}: ${reasons}`,
        hint: 'look at Events of the node (`ClusterDNSUnavailable`)',
      };
    case 'service':
      return {
        text: `Service ${subject.service} is not reached${at} from ${who}: ${reasons}`,
        hint: `\`plumb explain service/${(subject.service.split('/')[1] ?? '').split(':')[0] ?? ''} -n ${subject.service.split('/')[0] ?? ''}\` follows its packets`,
      };
  }
}
