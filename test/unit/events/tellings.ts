import type { Telling } from '../../../reconciler/core/events/similar.ts';

/** Of the pod `name`, unless another kind is given, at a second of the first hour of 2026. */
export function telling(
  name: string,
  { kind = 'Pod', at = 0, ...more }: Partial<Omit<Telling, 'involvedObject'>> & { kind?: string; at?: number } = {},
): Telling {
  const time = new Date(Date.UTC(2026, 0, 1, 0, 0, at)).toISOString();
  return {
    involvedObject: { kind, namespace: 'default', name, uid: `uid-${name}` },
    type: 'Normal',
    reason: 'Pulled',
    message: 'pulled',
    source: { component: 'nodeagent' },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    ...more,
  };
}
