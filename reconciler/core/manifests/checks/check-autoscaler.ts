/** HorizontalPodAutoscaler. Source: Kubernetes, pkg/apis/autoscaling/validation/validation.go. */
import type { HorizontalPodAutoscaler, MetricIdentifier, MetricSpec } from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkSelector } from './check-selector.ts';
import type { CheckContext } from './context.ts';

export function checkAutoscaler({ spec }: HorizontalPodAutoscaler, context: CheckContext): void {
  if (spec.maxReplicas < spec.minReplicas)
    context.error(
      'InvalidValue',
      ['spec', 'maxReplicas'],
      `must be minReplicas (${spec.minReplicas}) or more, found ${spec.maxReplicas}`,
    );
  for (const [i, metric] of spec.metrics.entries()) {
    const found = identifierIn(metric);
    if (found) checkIdentifier(found.metric, ['spec', 'metrics', i, found.field, 'metric'], context);
  }
}

interface Identified {
  readonly field: string;
  readonly metric: MetricIdentifier;
}

/** Of what is asked for by name. */
function identifierIn(metric: MetricSpec): Identified | undefined {
  switch (metric.type) {
    case 'Pods':
      return { field: 'pods', metric: metric.pods.metric };
    case 'Object':
      return { field: 'object', metric: metric.object.metric };
    case 'External':
      return { field: 'external', metric: metric.external.metric };
    default:
      return undefined;
  }
}

/** Source: Prometheus documentation, "Data model". */
const PROMETHEUS_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The labels are those of Prometheus' series, whose names are narrower than Kubernetes'. */
function checkIdentifier({ selector }: MetricIdentifier, path: FieldPath, context: CheckContext): void {
  if (!selector) return;
  const at = [...path, 'selector'];
  checkSelector(selector, at, context);
  const keys: readonly (readonly [string, FieldPath])[] = [
    ...Object.keys(selector.matchLabels ?? {}).map((key) => [key, [...at, 'matchLabels', key]] as const),
    ...(selector.matchExpressions ?? []).map(({ key }, i) => [key, [...at, 'matchExpressions', i, 'key']] as const),
  ];
  for (const [key, where] of keys)
    if (!PROMETHEUS_LABEL.test(key))
      context.error(
        'InvalidValue',
        where,
        `is no label of Prometheus: ${key} must consist of letters, digits and '_', and not start with a digit`,
      );
}
