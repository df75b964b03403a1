/** Pods and claims against the LimitRanges of their namespaces: what would never be made is refused with its commit. */
import type { LimitRange } from '../../../contracts/objects/index.ts';
import { groupBy } from '../group-by.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import type { Paced } from '../paced.ts';
import { claimViolations, limitViolations, withLimitDefaults } from '../quota/limit-range.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

/** Its pauses: each pod is held against each range of its namespace. */
export function* checkLimits(state: DesiredState, tell: Tell): Paced<void> {
  const ranges = [...state.values()].flatMap(({ object }) => (object.kind === 'LimitRange' ? [object] : []));
  if (ranges.length === 0) return;
  const byNamespace = groupBy(ranges, ({ metadata }: LimitRange) => metadata.namespace ?? '');
  for (const desired of state.values()) {
    yield;
    const own = byNamespace.get(desired.object.metadata.namespace ?? '');
    if (!own) continue;
    const names = own.map(({ metadata }) => metadata.name).join(', ');
    if (desired.object.kind === 'PersistentVolumeClaim')
      for (const why of claimViolations(desired.object.spec, own))
        tell(
          'error',
          'LimitRangeExceeded',
          positionOf(desired, 'spec'),
          `spec: ${why}`,
          `ask for another size, or change LimitRange ${names}`,
        );
    const template = podTemplateOf(desired.object);
    if (!template) continue;
    const { spec } = withLimitDefaults({ metadata: {}, spec: template.spec }, own);
    for (const why of limitViolations(spec, own))
      tell(
        'error',
        'LimitRangeExceeded',
        positionOf(desired, ...template.path),
        `${pathText(template.path)}: ${why}`,
        `change its resources, or LimitRange ${names}`,
      );
  }
}
