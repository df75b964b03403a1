/**
 * One look at one StatefulSet. Source: Kubernetes, pkg/controller/statefulset/stateful_set_control.go.
 *
 * A pod's name is its ordinal, and a name is in the store once: so there are never two pods of an ordinal, as long as a
 * pod that a node may still run stays in the store. It does: only its node's word, the removal of its Machine, or a
 * person who forces it lets it go.
 */
import {
  objectKey,
  selectorMatches,
  type ControllerRevision,
  type StatefulSetSpec,
  type StatefulSetStatus,
  type StoredControllerRevision,
  type StoredPod,
  type StoredStatefulSet,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import type { Decision, Step } from '../step.ts';
import { adoptedBy, controllerOf, releasedFrom } from './owners.ts';
import { availableInMs, isActive, isFinished, isReady, isTerminating } from './pod-state.ts';
import { refusalPauseMs } from './replicaset.ts';
import { planHistory, revisionTemplate, truncateHistory, type History } from './revision-history.ts';
import { share } from './rollout-numbers.ts';
import { firstOrdinal, identityLabels, isWanted, ordinalOf, podName, revisionOf, statefulPod } from './stateful-pod.ts';
import type { Member, Revision, Revisions } from './stateful-pod.ts';
import { planClaims, type ClaimLookup } from './statefulset-claims.ts';
import { statefulSetStatus } from './statefulset-status.ts';
import { HEARD_ORDINALS_ANNOTATION, withHeard, type HeldOrdinals } from './unheard.ts';

export interface StatefulSetInput {
  readonly set: StoredStatefulSet;
  /** Pods of its namespace that it controls, and those without a controller. */
  readonly pods: readonly StoredPod[];
  /** ControllerRevisions of its namespace, likewise. */
  readonly revisions: readonly StoredControllerRevision[];
  /** Any ControllerRevision of the namespace, by name. */
  readonly revisionNamed: (name: string) => StoredControllerRevision | undefined;
  readonly now: Date;
  /** Pods that may run on nodes which were not heard since the store was lost; none when absent. */
  readonly held?: HeldOrdinals | undefined;
  /** Any claim of the namespace, by name. */
  readonly claimNamed: ClaimLookup;
  /** Whether a pod of that name exists in the namespace. */
  readonly nameTaken: (name: string) => boolean;
}

/**
 * Pods that one pass makes: each is news that asks for the next one. A manifest may ask for two billion. Kubernetes'
 * MaxBatchSize.
 */
export const MOST_AT_ONCE = 500;
/** Missing ordinals that one pass looks at: those that are held back among them. */
const MOST_LOOKED_AT = 10 * MOST_AT_ONCE;

interface Claimed {
  /** By ordinal, ascending. */
  readonly members: readonly Member[];
  readonly steps: readonly Step[];
}

/**
 * Its own pods: adopts matching orphans that have a name of its own, lets go of those that no longer match, and puts back
 * the labels that say which they are.
 */
function claim({ set, pods }: StatefulSetInput): Claimed {
  const members: Member[] = [];
  const steps: Step[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod.metadata.name);
    const controller = controllerOf(pod.metadata);
    const matches = selectorMatches(set.spec.selector, pod.metadata.labels);
    const isOwn = controller?.uid === set.metadata.uid;
    if (isOwn && !matches) {
      if (isActive(pod)) steps.push({ do: 'update', object: releasedFrom(pod, set.metadata.uid) });
      continue;
    }
    if (ordinal === undefined || !matches || (!isOwn && (controller !== undefined || !isActive(pod)))) continue;
    members.push({ ordinal, pod });
    const owned = isOwn ? pod : adoptedBy(pod, set);
    const labels = { ...owned.metadata.labels, ...identityLabels(set, ordinal) };
    if (!isOwn || (isActive(pod) && canonicalJson(labels) !== canonicalJson(pod.metadata.labels)))
      steps.push({ do: 'update', object: { ...owned, metadata: { ...owned.metadata, labels } } });
  }
  return { members: members.sort((a, b) => a.ordinal - b.ordinal), steps };
}

/**
 * Brings the pods to what the StatefulSet wants.
 *
 * `OrderedReady`: one step at a time. A pod is made when all of lower ordinal are available, ended when it is the last
 * and all others are, and nothing happens while one is not: an update that makes a pod which never becomes ready halts
 * there, and goes on when a person deleted that pod. `Parallel`: all that are missing at once.
 *
 * Pods that ended are made anew under their name, whatever the exit code. One that is held back, or whose name another's
 * pod has, is left out. A StatefulSet that is being deleted is only counted. Asks to look again when a ready pod becomes
 * available, or when the pause after a pod that its node refused is over.
 */
export function planStatefulSet(input: StatefulSetInput): Decision {
  const { set, now } = input;
  const claimed = claim(input);
  const { members } = claimed;
  const history = historyOf(input);
  const { revisions } = history;
  const isEnding = set.metadata.deletionTimestamp !== undefined;
  // One write per object: what is adopted in this pass is dealt with in the next.
  const isBusy = isEnding || claimed.steps.length > 0;
  const done = isBusy ? undefined : new Pass({ ...input, revisions }, members).plan();
  const steps = isEnding ? [] : [...history.steps, ...claimed.steps, ...(done?.steps ?? [])];
  const status = statefulSetStatus({ ...input, members, revisions, collisionCount: history.collisionCount });
  const annotated = withHeardOrdinals(input, members);
  if (annotated !== set) steps.push({ do: 'update', object: annotated });
  else if (canonicalJson(status) !== canonicalJson(set.status))
    steps.push({ do: 'updateStatus', object: { ...set, status } });
  if (!isEnding) steps.push(...truncateHistory(history.old, isLive(status, members), set.spec.revisionHistoryLimit));
  const waits = [
    annotated === set ? undefined : 0,
    done?.againInMs,
    ...members.flatMap(({ pod }) => availableInMs(pod, set.spec.minReadySeconds, now) || undefined),
  ].filter((ms) => ms !== undefined);
  return waits.length > 0 ? { steps, requeueAfterMs: Math.min(...waits) } : { steps };
}

interface StatefulHistory extends Pick<History, 'steps' | 'old' | 'collisionCount'> {
  readonly revisions: Revisions;
}

/** The current revision is the one that the status names, for as long as it is there. */
function historyOf({ set, revisions, revisionNamed }: StatefulSetInput): StatefulHistory {
  const { current: present, ...history } = planHistory({
    owner: set,
    revisions,
    collisionCount: set.status?.collisionCount ?? 0,
    lookup: revisionNamed,
  });
  const named = history.old.find(({ metadata }) => metadata.name === set.status?.currentRevision);
  const of = (revision: ControllerRevision): Revision => ({
    name: revision.metadata.name,
    template: revisionTemplate(revision),
  });
  return { ...history, revisions: { current: of(named ?? present), update: of(present) } };
}

function isLive(status: StatefulSetStatus, members: readonly Member[]): (revision: ControllerRevision) => boolean {
  const live = new Set([status.currentRevision, ...members.map(({ pod }) => revisionOf(pod))]);
  return ({ metadata }) => live.has(metadata.name);
}

/** Notes ordinals whose pods have been seen while nodes are waited for; takes the note away when none is. */
function withHeardOrdinals({ set, held }: StatefulSetInput, members: readonly Member[]): StoredStatefulSet {
  const { [HEARD_ORDINALS_ANNOTATION]: before, ...others } = set.metadata.annotations ?? {};
  if (before === undefined) return set;
  const heard =
    held &&
    withHeard(
      before,
      members.map(({ ordinal }) => ordinal),
    );
  if (heard === before) return set;
  const annotations = { ...others, ...(heard !== undefined && { [HEARD_ORDINALS_ANNOTATION]: heard }) };
  return { ...set, metadata: { ...set.metadata, annotations } };
}

/** Pods that an update may make unavailable: of a share at least one. */
export function mostUnavailable({ replicas, updateStrategy }: StatefulSetSpec): number {
  if (updateStrategy.type !== 'RollingUpdate') return 0;
  return Math.max(1, share(updateStrategy.rollingUpdate.maxUnavailable, replicas, Math.floor));
}

/** The place from which on an update replaces pods. */
function partitionOf({ updateStrategy }: StatefulSetSpec): number {
  return updateStrategy.type === 'RollingUpdate' ? updateStrategy.rollingUpdate.partition : 0;
}

type PassInput = Pick<StatefulSetInput, 'set' | 'now' | 'held' | 'nameTaken' | 'claimNamed'> & {
  readonly revisions: Revisions;
};

/** What is done with the pods in one pass. */
class Pass {
  readonly #input: PassInput;
  readonly #isOrdered: boolean;
  readonly #wanted: readonly Member[];
  /** Beyond the ordinals that are wanted, ascending. */
  readonly #condemned: readonly Member[];
  readonly #steps: Step[] = [];
  /** Uids of pods that this pass ends. */
  readonly #ended = new Set<string>();
  #againInMs: number | undefined;

  constructor(input: PassInput, members: readonly Member[]) {
    this.#input = input;
    this.#isOrdered = input.set.spec.podManagementPolicy === 'OrderedReady';
    this.#wanted = members.filter(({ ordinal }) => isWanted(input.set, ordinal));
    this.#condemned = members.filter(({ ordinal }) => !isWanted(input.set, ordinal));
  }

  plan(): { readonly steps: readonly Step[]; readonly againInMs: number | undefined } {
    if (this.#keep() && this.#scaleDown()) this.#update();
    return { steps: this.#steps, againInMs: this.#againInMs };
  }

  /** Makes what is missing and what has ended anew. False: nothing else is to be done now. */
  #keep(): boolean {
    const { set } = this.#input;
    const first = firstOrdinal(set);
    const end = first + set.spec.replicas;
    let at = 0;
    let made = 0;
    let missing = 0;
    for (let ordinal = first; ordinal < end && made < MOST_AT_ONCE && missing < MOST_LOOKED_AT; ordinal += 1) {
      const pod = this.#wanted[at]?.ordinal === ordinal ? this.#wanted[at++]?.pod : undefined;
      if (!pod) {
        missing += 1;
        if (this.#make(ordinal)) made += 1;
      } else if (isFinished(pod)) this.#replace(pod);
      else if (!isTerminating(pod)) this.#claim(ordinal, pod);
      if (this.#isOrdered && (!pod || !this.#isAvailable(pod))) return false;
    }
    return true;
  }

  /** Ends pods of ordinals that are not wanted, the highest first. False: nothing else is to be done now. */
  #scaleDown(): boolean {
    // How many pods there are to be may be known only when all have been heard.
    if (this.#input.held) return this.#condemned.length === 0;
    for (const { ordinal, pod } of this.#condemned) this.#claim(ordinal, pod);
    const firstUnavailable = this.#condemned.find(({ pod }) => !this.#isAvailable(pod));
    for (const one of this.#condemned.toReversed()) {
      if (!this.#isOrdered) {
        if (!isTerminating(one.pod)) this.#end(one.pod);
        continue;
      }
      if (!isTerminating(one.pod) && (this.#isAvailable(one.pod) || one === firstUnavailable)) this.#end(one.pod);
      return false;
    }
    return true;
  }

  /**
   * Ends pods of another revision, the highest ordinal first, none below the partition: pods that are unavailable, and
   * those that are replaced, are never more than `maxUnavailable`. One of an old revision that is unavailable anyway
   * costs no availability, so that a broken revision can be left: but as many at once as others.
   */
  #update(): void {
    const { set, revisions } = this.#input;
    if (set.spec.updateStrategy.type !== 'RollingUpdate') return;
    const isOld = (pod: StoredPod): boolean => revisionOf(pod) !== revisions.update.name;
    const isGoing = (pod: StoredPod): boolean => isTerminating(pod) || this.#ended.has(pod.metadata.uid);
    const isDown = (pod: StoredPod): boolean => isGoing(pod) || !this.#isAvailable(pod);
    const most = mostUnavailable(set.spec);
    const missing = set.spec.replicas - this.#wanted.length;
    let spare = most - missing - this.#wanted.filter(({ pod }) => isDown(pod)).length;
    let places = most - missing - this.#wanted.filter(({ pod }) => isGoing(pod) || (isDown(pod) && !isOld(pod))).length;
    const from = firstOrdinal(set) + partitionOf(set.spec);
    for (const { ordinal, pod } of this.#wanted.toReversed()) {
      if (ordinal < from || places <= 0) return;
      if (!isOld(pod) || isGoing(pod)) continue;
      if (!isDown(pod)) {
        if (spare <= 0) continue;
        spare -= 1;
      }
      places -= 1;
      this.#end(pod);
    }
  }

  #isAvailable(pod: StoredPod): boolean {
    const { set, now } = this.#input;
    return (
      pod.status?.phase === 'Running' &&
      isReady(pod) &&
      !isTerminating(pod) &&
      availableInMs(pod, set.spec.minReadySeconds, now) === 0
    );
  }

  #make(ordinal: number): boolean {
    const { set, revisions, held, nameTaken } = this.#input;
    const name = podName(set, ordinal);
    if (held?.isHeld(ordinal)) return false;
    if (nameTaken(name)) {
      this.#tell(
        'Warning',
        'FailedCreate',
        `create Pod ${name} in StatefulSet ${set.metadata.name} failed: another pod has that name`,
      );
      return false;
    }
    if (!this.#claim(ordinal, undefined)) return false;
    const isBelow = ordinal < firstOrdinal(set) + partitionOf(set.spec);
    this.#steps.push({
      do: 'create',
      object: statefulPod(set, isBelow ? revisions.current : revisions.update, ordinal),
    });
    this.#tell('Normal', 'SuccessfulCreate', `create Pod ${name} in StatefulSet ${set.metadata.name} successful`);
    return true;
  }

  /** Sees to the claims of an ordinal; whether a pod may use them. */
  #claim(ordinal: number, pod: StoredPod | undefined): boolean {
    const { set, claimNamed } = this.#input;
    const { steps, areReady } = planClaims(set, ordinal, pod, claimNamed);
    this.#steps.push(...steps);
    return areReady;
  }

  /** A pod that ended goes, so that its name is free; one that its node has just refused a while later. */
  #replace(pod: StoredPod): void {
    if (isTerminating(pod)) return;
    const pauseMs = refusalPauseMs([pod], this.#input.now);
    if (pauseMs === 0) this.#end(pod);
    else this.#againInMs = Math.min(this.#againInMs ?? pauseMs, pauseMs);
  }

  #end({ metadata: { namespace, name, uid } }: StoredPod): void {
    this.#ended.add(uid);
    this.#steps.push({ do: 'delete', key: objectKey('Pod', namespace, name), uid });
    this.#tell(
      'Normal',
      'SuccessfulDelete',
      `delete Pod ${name} in StatefulSet ${this.#input.set.metadata.name} successful`,
    );
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#steps.push({ do: 'event', regarding: this.#input.set, type, reason, message });
  }
}
