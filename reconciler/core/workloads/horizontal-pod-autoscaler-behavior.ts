/**
 * How fast an autoscaler follows what its measures ask for. Source: Kubernetes documentation, "Configurable scaling
 * behavior", and pkg/controller/podautoscaler/horizontal.go (stabilizeRecommendationWithBehaviors,
 * convertDesiredReplicasWithBehaviorRate).
 */
import type { HorizontalPodAutoscalerSpec, ScalingRules } from '../../../contracts/objects/index.ts';

/** What is remembered of an autoscaler from pass to pass; times are readings of the monotonic clock, ms. */
export interface AutoscalerHistory {
  /** What the measures asked for, as far back as the longer window. */
  readonly recommendations: readonly { readonly replicas: number; readonly at: number }[];
  /** Changes of the number of pods that it made, more or fewer, as far back as the longest period. */
  readonly changes: readonly { readonly by: number; readonly at: number }[];
}

/** What is wanted of an autoscaler at one moment. */
export interface Wanted {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly history: AutoscalerHistory;
  /** How many pods are wanted until now, within the bounds. */
  readonly current: number;
  /** What the measures ask for now. */
  readonly asked: number;
  /** ms, monotonic. */
  readonly at: number;
}

/** A number, and what Kubernetes says of how it came about. */
export interface Held {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

/** Kubernetes' `--horizontal-pod-autoscaler-downscale-stabilization`, where there is no `behavior`. */
const DOWN_WINDOW_SECONDS = 300;
/** Without a `behavior` the number at most doubles from one pass to the next, or rises to 4. */
const [SCALE_UP_FACTOR, SCALE_UP_LEAST] = [2, 4];

/**
 * What is asked for, unless the recommendations of a window ask for less of a change: the number of pods rises to the
 * lowest of the upward window, and falls to the highest of the downward one.
 */
export function stabilized({ spec, history, current, asked, at }: Wanted): Held {
  const within = (seconds: number): readonly number[] => [
    asked,
    ...history.recommendations.filter((one) => one.at > at - seconds * 1000).map(({ replicas }) => replicas),
  ];
  const highest = Math.max(...within(spec.behavior?.scaleDown.stabilizationWindowSeconds ?? DOWN_WINDOW_SECONDS));
  const lowest = Math.min(...within(spec.behavior?.scaleUp.stabilizationWindowSeconds ?? 0));
  const replicas = Math.min(Math.max(current, lowest), highest);
  if (replicas === asked)
    return { replicas, reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
  return asked >= current
    ? {
        replicas,
        reason: 'ScaleUpStabilized',
        message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
      }
    : {
        replicas,
        reason: 'ScaleDownStabilized',
        message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
      };
}

/** `wanted` as far as the bounds and the policies allow. */
export function limited(wanted: number, { spec, history, current, at }: Wanted): Held {
  if (wanted > current) {
    const rate = Math.max(current, upLimit(spec, history, current, at));
    const isRate = spec.maxReplicas > rate;
    const most = Math.min(spec.maxReplicas, rate);
    if (wanted > most)
      return isRate
        ? {
            replicas: most,
            reason: 'ScaleUpLimit',
            message: 'the desired replica count is increasing faster than the maximum scale rate',
          }
        : {
            replicas: most,
            reason: 'TooManyReplicas',
            message: 'the desired replica count is more than the maximum replica count',
          };
  } else if (wanted < current) {
    const rate = Math.min(current, downLimit(spec, history, current, at));
    const isRate = spec.minReplicas < rate;
    const least = Math.max(spec.minReplicas, rate);
    if (wanted < least)
      return isRate
        ? {
            replicas: least,
            reason: 'ScaleDownLimit',
            message: 'the desired replica count is decreasing faster than the maximum scale rate',
          }
        : {
            replicas: least,
            reason: 'TooFewReplicas',
            message: 'the desired replica count is less than the minimum replica count',
          };
  }
  return {
    replicas: wanted,
    reason: 'DesiredWithinRange',
    message: 'the desired count is within the acceptable range',
  };
}

function upLimit(
  { behavior }: HorizontalPodAutoscalerSpec,
  history: AutoscalerHistory,
  current: number,
  at: number,
): number {
  if (!behavior) return Math.max(SCALE_UP_FACTOR * current, SCALE_UP_LEAST);
  const { selectPolicy, policies } = behavior.scaleUp;
  if (selectPolicy === 'Disabled') return current;
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = periodStart(history, current, periodSeconds, at);
    return type === 'Pods' ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return selectPolicy === 'Min' ? Math.min(...limits) : Math.max(...limits);
}

function downLimit(
  { behavior }: HorizontalPodAutoscalerSpec,
  history: AutoscalerHistory,
  current: number,
  at: number,
): number {
  if (!behavior) return 0;
  const { selectPolicy, policies } = behavior.scaleDown;
  if (selectPolicy === 'Disabled') return current;
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = periodStart(history, current, periodSeconds, at);
    return type === 'Pods' ? start - value : Math.trunc(start * (1 - value / 100));
  });
  // The least change leaves the most pods.
  return selectPolicy === 'Min' ? Math.max(...limits) : Math.min(...limits);
}

/** How many pods were wanted when the period that ends now began. */
function periodStart({ changes }: AutoscalerHistory, current: number, seconds: number, at: number): number {
  return changes.filter((one) => one.at > at - seconds * 1000).reduce((start, { by }) => start - by, current);
}

/** The history without what no window and no period of the spec reaches any more. */
export function forgotten(
  { recommendations, changes }: AutoscalerHistory,
  spec: HorizontalPodAutoscalerSpec,
  at: number,
): AutoscalerHistory {
  const { scaleUp, scaleDown } = spec.behavior ?? {};
  const window = Math.max(
    scaleUp?.stabilizationWindowSeconds ?? 0,
    scaleDown?.stabilizationWindowSeconds ?? DOWN_WINDOW_SECONDS,
  );
  const period = Math.max(0, ...periodsOf(scaleUp), ...periodsOf(scaleDown));
  return {
    recommendations: recommendations.filter((one) => one.at > at - window * 1000),
    changes: changes.filter((one) => one.at > at - period * 1000),
  };
}

function periodsOf(rules: ScalingRules | undefined): readonly number[] {
  return (rules?.policies ?? []).map(({ periodSeconds }) => periodSeconds);
}
