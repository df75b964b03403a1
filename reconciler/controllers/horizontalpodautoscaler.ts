/** HorizontalPodAutoscalers: set the number of a workload's pods as what was measured asks for. */
import { objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { planAutoscaler } from '../core/workloads/horizontal-pod-autoscaler.ts';
import type { Rounds } from './autoscaling/rounds.ts';
import { targetOf } from './autoscaling/targets.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now, monotonic }: PassContext, rounds: Rounds): Decision {
  const { namespace, name } = parseKey(key);
  const autoscaler = view.get(objectKey('HorizontalPodAutoscaler', namespace, name));
  if (!autoscaler) return { steps: [] };
  const { uid } = autoscaler.metadata;
  const { decision, memory } = planAutoscaler({
    autoscaler,
    target: targetOf(view, autoscaler),
    round: rounds.of(uid),
    memory: rounds.memoryOf(uid),
    now,
    at: monotonic,
  });
  rounds.remember(uid, memory);
  return decision;
}

/**
 * `rounds`: what is measured, by whoever asks for a pass then. Nothing is watched, as nothing that changes is decided on
 * before it is measured, but what a commit wants: bounds are kept at once.
 */
export const horizontalPodAutoscalerController = (rounds: Rounds): Controller => ({
  name: 'horizontal-pod-autoscaler',
  kind: 'HorizontalPodAutoscaler',
  concerns: ({ metadata }, previous) => previous?.metadata.generation !== metadata.generation,
  watches: {},
  decide: (key, context) => decide(key, context, rounds),
});
