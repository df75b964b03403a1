/**
 * One look at one DaemonSet: a pod on each node that should have one. Source: Kubernetes,
 * pkg/controller/daemon/daemon_controller.go (podsShouldBeOnNode, manage, updateDaemonSetStatus).
 */
import {
  type DaemonSetStatus,
  type RuntimeClass,
  type StoredControllerRevision,
  type StoredDaemonSet,
  type StoredNode,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import type { Decision, Step } from '../step.ts';
import { daemonPod, eligibility, targetNode, type DaemonNode } from './daemon-pod.ts';
import { allowsSurge, rollNodes } from './daemon-rollout.ts';
import { claimPods, createPod, deletePod, freshNames, MOST_AT_ONCE, type Naming } from './owned-pods.ts';
import { byAge, controllerOf } from './owners.ts';
import { availableInMs, isAvailable, isFinished, isReady, isTerminating } from './pod-state.ts';
import { planHistory, REVISION_LABEL, revisionHash, truncateHistory, type History } from './revision-history.ts';

export interface DaemonSetInput extends Naming {
  readonly daemonSet: StoredDaemonSet;
  /** Pods of its namespace that it controls, and those without a controller. */
  readonly pods: readonly StoredPod[];
  /** ControllerRevisions of its namespace that it controls, and those without a controller. */
  readonly revisions: readonly StoredControllerRevision[];
  /** Any ControllerRevision of the namespace, by name. */
  readonly lookup: (name: string) => StoredControllerRevision | undefined;
  /** Of its template; undefined where that names none, or none that there is. */
  readonly runtimeClass: RuntimeClass | undefined;
  /** All nodes. */
  readonly nodes: readonly StoredNode[];
  readonly now: Date;
  /** Milliseconds for which a failed pod of the node is not replaced yet; 0: it may be. */
  readonly failedBackOffMs: (node: string) => number;
}

export interface DaemonSetDecision extends Decision {
  /** Nodes whose failed pod is replaced: the next one there has to wait longer. */
  readonly failedOn: readonly string[];
}

/** What this pass does to pods. */
interface Moves {
  readonly makeOn: readonly string[];
  readonly remove: readonly StoredPod[];
}

/**
 * Brings one pod to each node that should have one, {@link MOST_AT_ONCE} at most, and takes those away that should not
 * be there, or are too many; then, once nothing of that is left to do, goes on with the update of the others. A failed
 * pod is deleted and made anew, later each time. Asks to look again when a ready pod becomes available, or such a wait
 * is over.
 */
export function planDaemonSet(input: DaemonSetInput): DaemonSetDecision {
  const { daemonSet, now } = input;
  // What its history holds may be collected before its pods: nothing can be told of them any more.
  if (daemonSet.metadata.deletionTimestamp !== undefined) return { steps: [], failedOn: [] };
  const history = planHistory({
    owner: daemonSet,
    revisions: input.revisions,
    collisionCount: daemonSet.status?.collisionCount ?? 0,
    lookup: input.lookup,
  });
  const hash = revisionHash(history.current);
  const isUpdated = (pod: StoredPod): boolean => pod.metadata.labels?.[REVISION_LABEL] === hash;
  const claimed = claimPods(daemonSet, input.pods, daemonSet.spec.selector);
  const nodes = nodesOf(input, claimed.pods);
  const steps: Step[] = [...history.steps, ...claimed.steps];
  const waits: number[] = [];

  const failed = failedPods(nodes, input, waits);
  const moves = manage(nodes, failed.removed, daemonSet, isUpdated, now);
  const isSettled = moves.makeOn.length === 0 && moves.remove.length === 0;
  const { makeOn, remove } = isSettled ? rollNodes({ daemonSet, nodes, isUpdated, now }) : moves;

  steps.push(...failed.events);
  const { template } = daemonSet.spec;
  const names = freshNames(daemonSet, Math.min(makeOn.length, MOST_AT_ONCE), input);
  names.forEach((name, i) => steps.push(...createPod(daemonSet, name, daemonPod(template, makeOn[i] ?? '', hash))));
  // One that is adopted in this pass has its write already.
  const own = remove.filter(({ metadata }) => controllerOf(metadata)?.uid === daemonSet.metadata.uid);
  for (const pod of own.slice(0, MOST_AT_ONCE)) steps.push(...deletePod(daemonSet, pod));
  if (isSettled && makeOn.length === 0 && remove.length === 0)
    steps.push(...outdated(daemonSet, history, claimed.pods));

  const status = daemonSetStatus(daemonSet, nodes, isUpdated, history, now);
  if (canonicalJson(status) !== canonicalJson(daemonSet.status))
    steps.push({ do: 'updateStatus', object: { ...daemonSet, status } });
  for (const pod of claimed.pods) {
    const left = isTerminating(pod) ? undefined : availableInMs(pod, daemonSet.spec.minReadySeconds, now);
    if (left !== undefined && left > 0) waits.push(left);
  }
  return {
    steps,
    failedOn: failed.replacedOn,
    ...(waits.length > 0 && { requeueAfterMs: Math.min(...waits) }),
  };
}

/** By name. Nodes that are gone are among them while a pod is meant for one. */
function nodesOf(
  { daemonSet, nodes, runtimeClass }: DaemonSetInput,
  pods: readonly StoredPod[],
): readonly DaemonNode[] {
  const byNode = new Map<string, StoredPod[]>(nodes.map(({ metadata }) => [metadata.name, []]));
  const present = new Map(nodes.map((node) => [node.metadata.name, node]));
  for (const pod of pods) {
    const node = targetNode(pod);
    // One that ended and is being deleted only waits for its finalizers.
    if (node === undefined || (isFinished(pod) && isTerminating(pod))) continue;
    const there = byNode.get(node);
    if (there) there.push(pod);
    else byNode.set(node, [pod]);
  }
  return [...byNode]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, own]) => {
      const node = present.get(name);
      return { name, wants: node ? eligibility(daemonSet, node, runtimeClass) : 'gone', pods: own.sort(byPlace) };
    });
}

/** Source: podByCreationTimestampAndPhase. */
function byPlace(a: StoredPod, b: StoredPod): number {
  return Number(a.spec.nodeName === undefined) - Number(b.spec.nodeName === undefined) || byAge(a, b);
}

interface Failed {
  readonly removed: ReadonlySet<StoredPod>;
  readonly replacedOn: readonly string[];
  readonly events: readonly Step[];
}

/** Pods that ended: the node's back-off says when they may be replaced. */
function failedPods(
  nodes: readonly DaemonNode[],
  { daemonSet, failedBackOffMs }: DaemonSetInput,
  waits: number[],
): Failed {
  const removed = new Set<StoredPod>();
  const replacedOn: string[] = [];
  const events: Step[] = [];
  for (const { name, wants, pods } of nodes) {
    if (wants !== 'run' && wants !== 'stay') continue;
    for (const pod of pods.filter((one) => isFinished(one) && !isTerminating(one))) {
      const hasFailed = pod.status?.phase === 'Failed';
      const left = hasFailed ? failedBackOffMs(name) : 0;
      if (left > 0) {
        waits.push(left);
        continue;
      }
      if (hasFailed && replacedOn.at(-1) !== name) replacedOn.push(name);
      removed.add(pod);
      events.push({
        do: 'event',
        regarding: daemonSet,
        type: hasFailed ? 'Warning' : 'Normal',
        reason: hasFailed ? 'FailedDaemonPod' : 'SucceededDaemonPod',
        message: hasFailed
          ? `Found failed daemon pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name} on node ${name}, will try to kill it`
          : `Found succeeded daemon pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name} on node ${name}, will try to delete it`,
      });
    }
  }
  return { removed, replacedOn, events };
}

function manage(
  nodes: readonly DaemonNode[],
  ended: ReadonlySet<StoredPod>,
  daemonSet: StoredDaemonSet,
  isUpdated: (pod: StoredPod) => boolean,
  now: Date,
): Moves {
  const makeOn: string[] = [];
  const remove: StoredPod[] = [...ended];
  const inSurge = allowsSurge(daemonSet.spec);
  for (const { name, wants, pods } of nodes) {
    const staying = pods.filter((pod) => !isTerminating(pod));
    if (wants === 'gone') {
      // The pods that it had go with it: see pod-gc.ts. Those that never got there would wait for ever.
      remove.push(...staying.filter(({ spec }) => spec.nodeName === undefined));
    } else if (wants === 'leave') {
      remove.push(...staying);
    } else {
      const running = staying.filter((pod) => !isFinished(pod));
      const isFree = inSurge ? staying.length === 0 : pods.length === 0;
      if (isFree && wants === 'run') makeOn.push(name);
      remove.push(...(inSurge ? tooManyInSurge(running, isUpdated, daemonSet, now) : running.slice(1)));
    }
  }
  return { makeOn, remove };
}

/**
 * In a surge an old and a new pod may stand beside one another, while the old one is ready and the new one is not
 * available yet.
 */
function tooManyInSurge(
  running: readonly StoredPod[],
  isUpdated: (pod: StoredPod) => boolean,
  { spec }: StoredDaemonSet,
  now: Date,
): readonly StoredPod[] {
  if (running.length <= 1) return [];
  const next = running.find(isUpdated);
  const old = running.find((pod) => !isUpdated(pod));
  const isOver = next && old && (!isReady(old) || isAvailable(next, spec.minReadySeconds, now));
  return running.filter((pod) => (pod !== next && pod !== old) || (isOver && pod === old));
}

function outdated(daemonSet: StoredDaemonSet, { old }: History, pods: readonly StoredPod[]): readonly Step[] {
  const live = new Set(pods.map(({ metadata }) => metadata.labels?.[REVISION_LABEL]));
  return truncateHistory(old, (revision) => live.has(revisionHash(revision)), daemonSet.spec.revisionHistoryLimit);
}

/** Of a node with several pods the first one counts: in a surge, the old one. */
function daemonSetStatus(
  { metadata, spec, status }: StoredDaemonSet,
  nodes: readonly DaemonNode[],
  isUpdated: (pod: StoredPod) => boolean,
  { collisionCount }: History,
  now: Date,
): DaemonSetStatus {
  const wanted = nodes.filter(({ wants }) => wants === 'run');
  const first = wanted.flatMap(({ pods }) => pods.slice(0, 1));
  const available = first.filter((pod) => isAvailable(pod, spec.minReadySeconds, now)).length;
  return {
    observedGeneration: metadata.generation,
    desiredNumberScheduled: wanted.length,
    currentNumberScheduled: first.length,
    numberMisscheduled: nodes.filter(({ wants, pods }) => (wants === 'stay' || wants === 'leave') && pods.length > 0)
      .length,
    numberReady: first.filter(isReady).length,
    updatedNumberScheduled: first.filter(isUpdated).length,
    numberAvailable: available,
    numberUnavailable: wanted.length - available,
    ...(collisionCount > 0 && { collisionCount }),
    ...(status?.conditions && status.conditions.length > 0 && { conditions: status.conditions }),
  };
}
