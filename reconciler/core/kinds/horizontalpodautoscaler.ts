/** HorizontalPodAutoscaler: changes the number of a workload's pods with what is measured. */
import {
  KINDS,
  type HorizontalPodAutoscaler,
  type MetricSpec,
  type MetricStatus,
  type MetricValueStatus,
} from '../../../contracts/objects/index.ts';
import { autoscalerHealth } from '../health/autoscaler.ts';
import { checkAutoscaler } from '../manifests/checks/check-autoscaler.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const HORIZONTAL_POD_AUTOSCALER: KindDescriptor<'HorizontalPodAutoscaler'> = {
  identity: KINDS.HorizontalPodAutoscaler,
  wave: 4,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'REFERENCE', cell: ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}` },
    { heading: 'TARGETS', cell: targets },
    { heading: 'MINPODS', cell: ({ spec }) => String(spec.minReplicas) },
    { heading: 'MAXPODS', cell: ({ spec }) => String(spec.maxReplicas) },
    { heading: 'REPLICAS', cell: ({ status }) => String(status?.currentReplicas ?? 0) },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkAutoscaler },
  compared: [['spec', 'scaleTargetRef']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: { judge: autoscalerHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};

/** Metrics that a cell has room for, as in kubectl. */
const MOST_SHOWN = 2;

/** As kubectl prints it: `cpu: 30%/80%, 12/10 (avg) + 1 more...`. */
function targets({ spec, status }: HorizontalPodAutoscaler): string {
  const all = spec.metrics.map((metric, i) => measured(metric, status?.currentMetrics?.[i]));
  const more = all.length - MOST_SHOWN;
  return `${all.slice(0, MOST_SHOWN).join(', ') || NONE}${more > 0 ? ` + ${more} more...` : ''}`;
}

function measured(metric: MetricSpec, status: MetricStatus | undefined): string {
  switch (metric.type) {
    case 'Resource':
      return `${metric.resource.name}: ${ofTarget(metric.resource.target, status?.resource?.current)}`;
    case 'ContainerResource':
      return `${metric.containerResource.name}: ${ofTarget(metric.containerResource.target, status?.containerResource?.current)}`;
    case 'Pods':
      return ofTarget(metric.pods.target, status?.pods?.current);
    case 'Object':
      return `${ofTarget(metric.object.target, status?.object?.current)}${average(metric.object.target.type)}`;
    case 'External':
      return `${ofTarget(metric.external.target, status?.external?.current)}${average(metric.external.target.type)}`;
  }
}

const UNKNOWN = '<unknown>';

type Target =
  | { readonly type: 'Utilization'; readonly averageUtilization: number }
  | { readonly type: 'AverageValue'; readonly averageValue: string }
  | { readonly type: 'Value'; readonly value: string };

function ofTarget(target: Target, current: MetricValueStatus | undefined): string {
  switch (target.type) {
    case 'Utilization': {
      const now = current?.averageUtilization;
      return `${now === undefined ? UNKNOWN : `${now}%`}/${target.averageUtilization}%`;
    }
    case 'AverageValue':
      return `${current?.averageValue ?? UNKNOWN}/${target.averageValue}`;
    case 'Value':
      return `${current?.value ?? UNKNOWN}/${target.value}`;
  }
}

function average(type: Target['type']): string {
  return type === 'AverageValue' ? ' (avg)' : '';
}
