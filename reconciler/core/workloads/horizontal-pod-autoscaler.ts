/**
 * One pass over a HorizontalPodAutoscaler. Source: Kubernetes documentation, "Horizontal Pod Autoscaling", and
 * pkg/controller/podautoscaler/horizontal.go, reconcileAutoscaler: conditions, reasons and Events are theirs.
 */
import {
  withCondition,
  type Condition,
  type HorizontalPodAutoscalerStatus,
  type Stored,
  type StoredHorizontalPodAutoscaler,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import type { Decision, Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { forgotten, limited, stabilized, type AutoscalerHistory } from './horizontal-pod-autoscaler-behavior.ts';
import { measure, type Measured, type Reading } from './horizontal-pod-autoscaler-metrics.ts';

export interface ScaleTarget {
  readonly object: Stored;
  /** How many pods it is to have. */
  readonly replicas: number;
  /** How many it has. */
  readonly present: number;
  /** Those that its selector matches. */
  readonly pods: readonly StoredPod[];
  /** The object with another number. */
  readonly scaledTo: (replicas: number) => Stored;
}

/** What was found of the measures at one time. */
export interface Round {
  /** Tells the rounds apart. */
  readonly number: number;
  /** Of the autoscaler whose measures were asked for. */
  readonly generation: number;
  /** One for each measure of the spec; none is asked for where there are rivals. */
  readonly readings: readonly Reading[];
  /** Names of other autoscalers that are over pods of the target. */
  readonly rivals: readonly string[];
}

/** What is remembered of an autoscaler from pass to pass. */
export interface AutoscalerMemory extends AutoscalerHistory {
  /** The last round that was decided on; 0 before the first. */
  readonly round: number;
  /** What was written last; whether it came to pass is seen in the next pass. */
  readonly written?: { readonly from: number; readonly to: number; readonly at: number };
}

export interface AutoscalerInput {
  readonly autoscaler: StoredHorizontalPodAutoscaler;
  /** Or why there is none. */
  readonly target: ScaleTarget | string;
  /** Undefined before the first, and where nobody measures. */
  readonly round: Round | undefined;
  /** Undefined before the first pass that had a round, or changed the number. */
  readonly memory: AutoscalerMemory | undefined;
  readonly now: Date;
  /** Reading of the monotonic clock, ms. */
  readonly at: number;
}

export interface AutoscalerPlan {
  readonly decision: Decision;
  readonly memory: AutoscalerMemory | undefined;
}

const TOLD_RIVALS = 3;
/** Rounds are counted from 1. */
const NO_ROUND = 0;

/**
 * Decides once on each round. Without a new one it only brings the number back within the bounds: what a commit changes
 * is in force at once. A number that was written and is not there is decided on again.
 */
export function planAutoscaler(input: AutoscalerInput): AutoscalerPlan {
  const { autoscaler, target, round, at } = input;
  const { spec, metadata } = autoscaler;
  const current = typeof target === 'string' ? undefined : target.replicas;
  const memory = remembered(input, current);
  const isLost = memory?.written !== undefined;
  const isNew = round?.generation === metadata.generation && (memory?.round !== round.number || isLost);
  const known: AutoscalerMemory = memory ?? {
    recommendations: current === undefined ? [] : [{ replicas: current, at }],
    changes: [],
    round: NO_ROUND,
  };
  if (!isNew) {
    const bound = current === undefined ? undefined : outOfBounds(spec, current);
    if (bound === undefined || typeof target === 'string') return { decision: { steps: [] }, memory };
    return {
      decision: { steps: new Report(input).rescaled(target, bound).steps() },
      memory: { ...known, written: { from: target.replicas, to: bound.replicas, at } },
    };
  }
  const { written: _written, ...history } = { ...known, ...forgotten(known, spec, at), round: round.number };
  // Within a round the write lost a race, and is made again; after one it was refused.
  const report = new Report(input, known.round === round.number ? undefined : known.written);
  if (typeof target === 'string')
    return { decision: { steps: report.withoutTarget(target).steps() }, memory: memory && history };
  report.able('True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale");
  const decided = decide(input, target, round, history, report);
  return {
    decision: { steps: report.steps() },
    memory: {
      ...history,
      ...(decided.asked !== undefined && {
        recommendations: [...history.recommendations, { replicas: decided.asked, at }],
      }),
      ...(decided.to !== target.replicas && { written: { from: target.replicas, to: decided.to, at } }),
    },
  };
}

interface Decided {
  readonly to: number;
  /** What the measures asked for, where they were looked at. */
  readonly asked?: number;
}

function decide(
  { autoscaler: { spec }, now, at }: AutoscalerInput,
  target: ScaleTarget,
  { readings, rivals }: Round,
  history: AutoscalerHistory,
  report: Report,
): Decided {
  const { replicas: current } = target;
  if (current === 0) {
    report.active('False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero');
    report.found(target, current);
    return { to: current };
  }
  const bound = outOfBounds(spec, current);
  if (bound) {
    report.rescaled(target, bound);
    return { to: bound.replicas };
  }
  if (rivals.length > 0) {
    const message = `pods of the target are controlled by multiple HPAs: ${andMore(rivals, TOLD_RIVALS)}`;
    report.failed(target, [{ reason: 'AmbiguousSelector', message }]);
    return { to: current };
  }
  const measured = measure({ spec, readings, pods: target.pods, replicas: current, present: target.present, now });
  const { wanted } = measured;
  if (!wanted) {
    report.failed(target, measured.unmeasured, measured);
    return { to: current };
  }
  report.measured(measured, wanted.by);
  const moment = { spec, history, current, asked: wanted.replicas, at };
  const stable = stabilized(moment);
  report.able('True', stable.reason, stable.message);
  const allowed = limited(stable.replicas, moment);
  report.limited(allowed.replicas === stable.replicas ? 'False' : 'True', allowed.reason, allowed.message);
  if (allowed.replicas === current) report.found(target, current);
  else
    report.rescaled(target, {
      replicas: allowed.replicas,
      why: wanted.replicas > current ? `${wanted.by} above target` : 'All metrics below target',
    });
  return { to: allowed.replicas, asked: wanted.replicas };
}

/** What was written and is there has been a change; a number that somebody else wrote since is none of ours. */
function remembered({ memory }: AutoscalerInput, current: number | undefined): AutoscalerMemory | undefined {
  if (!memory?.written || current === undefined || current === memory.written.from) return memory;
  const { written, ...rest } = memory;
  if (current !== written.to) return rest;
  return { ...rest, changes: [...rest.changes, { by: written.to - written.from, at: written.at }] };
}

interface Rescale {
  readonly replicas: number;
  readonly why: string;
}

/** The nearest number that is allowed, where the present one is not. A target that has none is left alone. */
function outOfBounds(
  { minReplicas, maxReplicas }: StoredHorizontalPodAutoscaler['spec'],
  current: number,
): Rescale | undefined {
  if (current === 0) return undefined;
  if (current > maxReplicas) return { replicas: maxReplicas, why: 'Current number of replicas above Spec.MaxReplicas' };
  if (current < minReplicas) return { replicas: minReplicas, why: 'Current number of replicas below Spec.MinReplicas' };
  return undefined;
}

/** What a pass tells: the status, and Events. */
class Report {
  readonly #autoscaler: StoredHorizontalPodAutoscaler;
  readonly #time: string;
  readonly #steps: Step[] = [];
  /** A number that was to be written before this pass, and is not there. */
  readonly #lost: AutoscalerMemory['written'];
  #status: HorizontalPodAutoscalerStatus;

  constructor({ autoscaler, now }: AutoscalerInput, lost?: AutoscalerMemory['written']) {
    this.#autoscaler = autoscaler;
    this.#time = now.toISOString().replace(/\.\d+Z$/, 'Z');
    this.#lost = lost;
    const { currentMetrics: _metrics, ...before } = autoscaler.status ?? { currentReplicas: 0, desiredReplicas: 0 };
    this.#status = { ...before, observedGeneration: autoscaler.metadata.generation };
  }

  able(status: Condition['status'], reason: string, message: string): void {
    this.#condition({ type: 'AbleToScale', status, reason, message });
  }

  active(status: Condition['status'], reason: string, message: string): void {
    this.#condition({ type: 'ScalingActive', status, reason, message });
  }

  limited(status: Condition['status'], reason: string, message: string): void {
    this.#condition({ type: 'ScalingLimited', status, reason, message });
  }

  withoutTarget(why: string): this {
    this.#warn('FailedGetScale', why);
    this.able('False', 'FailedGetScale', `the HPA controller was unable to get the target's current scale: ${why}`);
    return this;
  }

  measured({ statuses, unmeasured }: Measured, by: string): void {
    for (const { reason, message } of unmeasured) this.#warn(reason, message);
    this.active('True', 'ValidMetricFound', `the HPA was able to successfully calculate a replica count from ${by}`);
    this.#status = { ...this.#status, currentMetrics: statuses };
  }

  /** Nothing is changed for these reasons. */
  failed(
    { replicas }: ScaleTarget,
    reasons: readonly { readonly reason: string; readonly message: string }[],
    measured?: Measured,
  ): void {
    for (const { reason, message } of reasons) this.#warn(reason, message);
    const [first] = reasons;
    if (first)
      this.active(
        'False',
        first.reason,
        measured ? `the HPA was unable to compute the replica count: ${first.message}` : first.message,
      );
    this.#status = {
      ...this.#status,
      currentReplicas: replicas,
      ...(measured && { currentMetrics: measured.statuses }),
    };
  }

  /** The number stays. */
  found({ replicas }: ScaleTarget, desired: number): void {
    this.#status = { ...this.#status, currentReplicas: replicas, desiredReplicas: desired };
  }

  rescaled(target: ScaleTarget, { replicas, why }: Rescale): this {
    this.#steps.push({ do: 'update', object: target.scaledTo(replicas) });
    const message = `New size: ${replicas}; reason: ${why}`;
    if (this.#lost?.to === replicas) {
      this.#warn('FailedRescale', `${message}; it was written before and is not there`);
      this.able('False', 'FailedUpdateScale', 'the HPA controller was unable to update the target scale');
    } else {
      this.#tell('Normal', 'SuccessfulRescale', message);
      this.able('True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${replicas}`);
    }
    this.#status = {
      ...this.#status,
      currentReplicas: target.replicas,
      desiredReplicas: replicas,
      lastScaleTime: this.#time,
    };
    return this;
  }

  steps(): readonly Step[] {
    const { status } = this.#autoscaler;
    return canonicalJson(status) === canonicalJson(this.#status)
      ? this.#steps
      : [...this.#steps, { do: 'updateStatus', object: { ...this.#autoscaler, status: this.#status } }];
  }

  #condition(condition: Omit<Condition, 'lastTransitionTime'>): void {
    this.#status = { ...this.#status, conditions: withCondition(this.#status.conditions, condition, this.#time) };
  }

  #warn(reason: string, message: string): void {
    this.#tell('Warning', reason, message);
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#steps.push({ do: 'event', regarding: this.#autoscaler, type, reason, message });
  }
}
