/** The explain report: the chain from a commit to the runtime's words, pure, from the store's view. */
import {
  customKey,
  findCondition,
  groupOf,
  isKind,
  keyOf,
  type AnyKey,
  type Condition,
  type ContainerStatus,
  type Event,
  type Kind,
  type KindRegistry,
  type KubeObject,
  type ObjectKey,
  objectKey,
  type Stored,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { ORIGIN_ANNOTATION } from '../core/diff/types.ts';
import { descriptorOf } from '../core/kinds/index.ts';
import { childrenOf, descendantsOf, ownerChain, podsOf } from '../core/kinds/owners.ts';
import { reportHealth } from '../core/revisions/health.ts';
import { recordOf } from '../core/revisions/history.ts';
import type { StoreView } from '../controllers/runtime/controller.ts';
import { selectingPolicies } from '../core/policies/selecting.ts';
import { nodeReport } from './status.ts';
import type { ExplainedPod, ExplainReport } from './types.ts';

export interface ExplainInput {
  readonly view: StoreView;
  readonly sourceName: string;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

const MAX_PODS = 5;
const MAX_EVENTS = 8;

export function explainReport(input: ExplainInput): ExplainReport {
  const { view, kind, namespace, name } = input;
  const key: ObjectKey = objectKey(kind, namespace, name);
  const object: Stored | undefined = view.get(key);
  const owners = object ? ownerChain(view, object) : [];
  const root = owners.at(-1) ?? object;
  const origin = root?.metadata.annotations?.[ORIGIN_ANNOTATION];
  const pods = object ? shownPodsOf(view, object).map((pod) => ({ ...explainPod(pod), ...policiesOf(pod, view) })) : [];
  const shownPods = [...pods]
    .sort((a, b) => Number(b.problem !== undefined) - Number(a.problem !== undefined))
    .slice(0, MAX_PODS);
  const nodeName =
    kind === 'Node' || kind === 'Machine'
      ? name
      : (shownPods.find((p) => p.problem !== undefined)?.node ?? shownPods[0]?.node);
  const node = nodeName === undefined ? undefined : nodeReport(view, nodeName);
  const health = object && reportHealth(object, view);
  const commit = commitOf(input);
  const conditions = conditionsOf(object);
  const involved = new Set<AnyKey | undefined>([key, ...(object ? descendantsOf(view, object).map(keyOf) : [])]);
  const events = view
    .list('Event')
    .filter(({ involvedObject }) => involved.has(involvedKey(involvedObject, view.custom.kinds)));
  const toldEvents = shownEvents(events);
  const draft: ExplainReport = {
    object: { kind, namespace, name },
    found: object !== undefined,
    ...(commit && { commit }),
    ...(origin !== undefined && { origin }),
    ...(health && { health }),
    ...(node && { node }),
    owners: owners.map((o) => `${o.kind} ${o.metadata.name}`),
    conditions,
    events: toldEvents,
    pods: shownPods,
    more: { pods: pods.length - shownPods.length, events: events.length - toldEvents.length },
    children: object ? childrenOf(view, object).flatMap(summarized) : [],
  };
  const broken = firstBrokenLink(draft);
  return broken === undefined ? draft : { ...draft, broken };
}

/** The newest first, of too many the warnings before others. */
export function shownEvents(events: readonly Event[]): ExplainReport['events'] {
  const ordered = events.toSorted((a, b) => (a.lastTimestamp < b.lastTimestamp ? 1 : -1));
  const isWarning = (e: Event): number => Number(e.type === 'Warning');
  return ordered
    .toSorted((a, b) => isWarning(b) - isWarning(a))
    .slice(0, MAX_EVENTS)
    .sort((a, b) => ordered.indexOf(a) - ordered.indexOf(b))
    .map(({ type, reason, message, count, lastTimestamp }) => ({ type, reason, message, count, lastTimestamp }));
}

/** Whom an event is about; undefined for an object of a kind that is not known (any more). */
export function involvedKey(
  { apiVersion, kind, namespace, name }: Event['involvedObject'],
  kinds: KindRegistry,
): AnyKey | undefined {
  if (apiVersion === undefined) return isKind(kind) ? objectKey(kind, namespace, name) : undefined;
  const custom = kinds.named(groupOf(apiVersion), kind);
  return custom && customKey(custom.resource, namespace, name);
}

/** The first link of the chain that does not hold, from the commit downwards. */
export function firstBrokenLink(report: ExplainReport): string | undefined {
  const { commit, health, object } = report;
  if (commit?.outcome === 'Refused' || commit?.outcome === 'Failed')
    return `the newest commit ${commit.revision.slice(0, 12)} is ${commit.outcome.toLowerCase()}: ${commit.message ?? ''}`;
  if (!report.found)
    return `no manifest of the applied revision makes ${object.kind} ${object.name}${object.namespace === '' ? '' : ` in namespace ${object.namespace}`}`;
  const pod = report.pods.find((p) => p.problem !== undefined);
  const { node } = report;
  const isItself = object.kind === 'Node' || object.kind === 'Machine';
  if (
    node &&
    node.ready !== 'True' &&
    (isItself ||
      pod?.node === node.name ||
      report.pods.some(({ phase, node: on }) => phase === 'Terminating' && on === node.name))
  ) {
    const next = report.pods.some(({ phase }) => phase === 'Terminating')
      ? `; its pods end when it is heard again; if it is gone for good, \`plumb node rm ${node.name} --commit\` and a push let them go${oneByForce(report.pods, node.name)}`
      : '';
    return `node ${node.name} is not ready: ${node.reason}: ${node.message}${next}`;
  }
  if (pod) return `pod ${pod.name}: ${pod.problem}`;
  if (health && health.health !== 'Healthy') return health.message;
  return undefined;
}

/** How a person lets one pod of a node go that nobody hears. */
function oneByForce(pods: ExplainReport['pods'], node: string): string {
  const [pod] = pods.filter(({ phase, node: on }) => phase === 'Terminating' && on === node);
  return pod === undefined ? '' : `, and \`plumb delete pod/${pod.name} -n ${pod.namespace} --force\` this one alone`;
}

export function commitOf({
  view,
  sourceName,
}: Pick<ExplainInput, 'view' | 'sourceName'>): ExplainReport['commit'] | undefined {
  const status = view.get(objectKey('Source', undefined, sourceName))?.status;
  const record = status?.observedRevision === undefined ? undefined : recordOf(status, status.observedRevision);
  return (
    record && {
      revision: record.revision,
      subject: record.subject,
      author: record.author,
      outcome: record.outcome,
      ...(record.message !== undefined && { message: record.message }),
    }
  );
}

function shownPodsOf(view: StoreView, object: Stored): readonly StoredPod[] {
  return object.kind === 'Node' ? view.podsOnNode(object.metadata.name) : podsOf(view, object);
}

function conditionsOf(object: KubeObject | undefined): readonly Condition[] {
  const status = object && 'status' in object ? object.status : undefined;
  const conditions = status && 'conditions' in status ? (status.conditions ?? []) : [];
  // What was heard of a node before it fell silent is not what is.
  if (object?.kind !== 'Node' || findCondition(conditions, 'Ready')?.status !== 'Unknown') return conditions;
  return conditions.map((condition) =>
    condition.status === 'True'
      ? { ...condition, message: `before the node fell silent: ${condition.message ?? condition.reason ?? ''}` }
      : condition,
  );
}

/** One line for each of those that its kind has one for. */
function summarized(object: Stored): ExplainReport['children'] {
  const { summary } = descriptorOf(object.kind);
  const text = summary === 'none' ? undefined : summary.of(object);
  if (text === undefined) return [];
  const { kind, metadata } = object;
  return [{ kind, namespace: metadata.namespace ?? '', name: metadata.name, summary: text }];
}

/** What is wrong with a pod, in the words of whoever said it first: runtime, probe, scheduler. */
function explainPod(pod: StoredPod): ExplainedPod {
  const statuses = [
    ...(pod.status?.initContainerStatuses ?? []).filter((c) => c.state.terminated?.exitCode !== 0),
    ...(pod.status?.containerStatuses ?? []),
  ];
  const containers = statuses.map((c) => {
    const { state, message } = containerWords(c);
    return { name: c.name, ready: c.ready, restarts: c.restartCount, state, ...(message !== undefined && { message }) };
  });
  const unscheduled = findCondition(pod.status?.conditions, 'PodScheduled');
  const failing = containers.find((c) => !c.ready);
  const ready = findCondition(pod.status?.conditions, 'Ready')?.status === 'True' || pod.status?.phase === 'Succeeded';
  const problem = ready
    ? undefined
    : pod.spec.nodeName === undefined
      ? (unscheduled?.message ?? 'waiting to be scheduled')
      : failing
        ? `container ${failing.name}: ${failing.state}${failing.message === undefined ? '' : `: ${failing.message}`}`
        : (pod.status?.message ?? pod.status?.reason ?? 'not ready yet');
  return {
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? '',
    phase: pod.metadata.deletionTimestamp === undefined ? (pod.status?.phase ?? 'Pending') : 'Terminating',
    ...(pod.spec.nodeName !== undefined && { node: pod.spec.nodeName }),
    ...(problem !== undefined && { problem }),
    containers,
  };
}

/** Absent where no policy selects it. */
function policiesOf(pod: StoredPod, view: StoreView): Pick<ExplainedPod, 'policies'> {
  const policies = selectingPolicies(pod, view.list('NetworkPolicy', pod.metadata.namespace));
  if (policies.length === 0) return {};
  return { policies: policies.map(({ metadata, spec }) => ({ name: metadata.name, types: spec.policyTypes })) };
}

function containerWords(c: ContainerStatus): { state: string; message?: string } {
  const ended = c.state.terminated ?? c.lastState.terminated;
  const { waiting } = c.state;
  if (waiting) {
    const before = ended ? ` (last run: ${ended.reason}, exit code ${ended.exitCode})` : '';
    const message = `${waiting.message ?? ''}${before}`.trim();
    return { state: waiting.reason, ...(message !== '' && { message }) };
  }
  if (c.state.terminated)
    return {
      state: `${c.state.terminated.reason}, exit code ${c.state.terminated.exitCode}`,
      ...(c.state.terminated.message !== undefined && { message: c.state.terminated.message }),
    };
  if (c.ready) return { state: 'running' };
  return {
    state: 'running, not ready',
    ...(ended && { message: `last run: ${ended.reason}, exit code ${ended.exitCode}` }),
  };
}

/** The container whose log is worth showing, and whether its run before this one is meant. */
export function failingContainer(
  pod: StoredPod,
): { readonly container: string; readonly previous: boolean } | undefined {
  const failing = [
    ...(pod.status?.initContainerStatuses ?? []).filter((c) => c.state.terminated?.exitCode !== 0),
    ...(pod.status?.containerStatuses ?? []),
  ].find((c) => !c.ready);
  if (!failing || (failing.containerID === undefined && failing.restartCount === 0 && !failing.state.terminated))
    return undefined;
  return {
    container: failing.name,
    previous: failing.state.waiting !== undefined && failing.lastState.terminated !== undefined,
  };
}
