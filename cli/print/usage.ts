/**
 * What `plumb top` shows of samples: kubectl's columns, numbers and order. Source: Kubernetes,
 * staging/src/k8s.io/kubectl/pkg/metricsutil/metrics_printer.go and metrics_resource_adder.go.
 */
import { parseMilli, parseQuantity, type ResourceList } from '../../contracts/objects/index.ts';
import type { MetricsList, NodeMetricsObject, PodMetricsObject } from '../../reconciler/api/types.ts';

export type SortBy = 'cpu' | 'memory';
type UsageOf = PodMetricsObject['containers'][number]['usage'];

export interface Listed {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const MIB = 1024 * 1024;
const UNKNOWN = '<unknown>';

/** `allocatable`: by name, of all nodes that were asked for; those without a sample come last. */
export function nodeUsage(
  { items, missing }: Pick<MetricsList<NodeMetricsObject>, 'items' | 'missing'>,
  allocatable: ReadonlyMap<string, ResourceList>,
  sortBy: SortBy | undefined,
): Listed {
  return {
    headings: ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'],
    rows: [
      ...sorted(
        items,
        sortBy,
        ({ usage }) => usage,
        ({ metadata }) => metadata.name,
      ).map(({ metadata, usage }) => {
        const room = allocatable.get(metadata.name);
        return [
          metadata.name,
          cores(usage),
          percent(usage.cpu, room?.['cpu']),
          bytes(usage),
          percent(usage.memory, room?.['memory']),
        ];
      }),
      ...missing.map(({ name }) => [name, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]),
    ],
  };
}

export interface PodListing {
  readonly containers: boolean;
  readonly namespace: boolean;
  readonly sortBy: SortBy | undefined;
}

/** A row a pod, or a container. */
export function podUsage(items: readonly PodMetricsObject[], { containers, namespace, sortBy }: PodListing): Listed {
  const titled = (pod: PodMetricsObject, ...cells: readonly string[]): readonly string[] =>
    namespace ? [pod.metadata.namespace, ...cells] : cells;
  const pods = sorted(items, sortBy, sumOf, ({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  return {
    headings: [
      ...(namespace ? ['NAMESPACE'] : []),
      ...(containers ? ['POD'] : []),
      'NAME',
      'CPU(cores)',
      'MEMORY(bytes)',
    ],
    rows: pods.flatMap((pod) => {
      const { name } = pod.metadata;
      if (!containers) return [titled(pod, name, cores(sumOf(pod)), bytes(sumOf(pod)))];
      return sorted(
        pod.containers,
        sortBy,
        ({ usage }) => usage,
        (one) => one.name,
      ).map((one) => titled(pod, name, one.name, cores(one.usage), bytes(one.usage)));
    }),
  };
}

function sumOf({ containers }: PodMetricsObject): UsageOf {
  const total = (resource: keyof UsageOf): number =>
    containers.reduce((sum, { usage }) => sum + parseQuantity(usage[resource]), 0);
  return { cpu: `${Math.round(total('cpu') * 1e9)}n`, memory: String(total('memory')) };
}

/** Most first; by name where nothing else is asked for, or they are equal. */
function sorted<T>(
  items: readonly T[],
  sortBy: SortBy | undefined,
  usageOf: (item: T) => UsageOf,
  nameOf: (item: T) => string,
): readonly T[] {
  const amount = (item: T): number => (sortBy === undefined ? 0 : parseQuantity(usageOf(item)[sortBy]));
  return items.toSorted((a, b) => amount(b) - amount(a) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

function cores({ cpu }: UsageOf): string {
  return `${parseMilli(cpu)}m`;
}

function bytes({ memory }: UsageOf): string {
  return `${Math.floor(parseQuantity(memory) / MIB)}Mi`;
}

/** Of what pods may take there. */
function percent(used: string, available: string | undefined): string {
  if (available === undefined) return UNKNOWN;
  const whole = parseMilli(available);
  return `${whole === 0 ? 0 : Math.floor((parseMilli(used) / whole) * 100)}%`;
}
