/** Health of an autoscaler: whether it can measure, and set what it finds. */
import { findCondition, type HorizontalPodAutoscaler } from '../../../contracts/objects/index.ts';
import { degraded, healthy, progressing, type Health } from './health.ts';

/** One that is at its bounds does what it is there for. */
export function autoscalerHealth({ status, metadata, spec }: HorizontalPodAutoscaler): Health {
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return progressing('its target has not been looked at yet');
  const able = findCondition(status.conditions, 'AbleToScale');
  if (able?.status === 'False') return degraded(`${able.reason ?? ''}: ${able.message ?? ''}`);
  const active = findCondition(status.conditions, 'ScalingActive');
  if (active?.reason === 'ScalingDisabled') return { status: 'Suspended', message: active.message ?? '' };
  if (active?.status === 'False') return degraded(`${active.reason ?? ''}: ${active.message ?? ''}`);
  if (!active) return progressing('nothing has been measured yet');
  const limited = findCondition(status.conditions, 'ScalingLimited');
  const limit = limited?.status === 'True' ? `; ${limited.message ?? ''}` : '';
  const { kind, name } = spec.scaleTargetRef;
  return healthy(`wants ${status.desiredReplicas} pods of ${kind} ${name}${limit}`);
}
