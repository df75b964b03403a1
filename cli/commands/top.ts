/** `plumb top`: what nodes and pods take of cpu and memory, now. */
import type { Node, ResourceList } from '../../contracts/objects/index.ts';
import type { MetricsList, NodeMetricsObject, ObjectList, PodMetricsObject } from '../../reconciler/api/types.ts';
import { groupBy } from '../../reconciler/core/group-by.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { printData } from '../print/format.ts';
import { table } from '../print/table.ts';
import { print, progress } from '../print/terminal.ts';
import { type Listed, nodeUsage, podUsage, type SortBy } from '../print/usage.ts';
import { inOneNamespace, objectPath } from './get.ts';

interface TopOptions {
  readonly home?: string;
  readonly selector?: string;
  readonly sortBy?: SortBy;
  /** False for `--no-headers`. */
  readonly headers: boolean;
  readonly output?: string;
}
export type TopNodeOptions = TopOptions;
export interface TopPodOptions extends TopOptions {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly containers?: boolean;
}

const METRICS = '/apis/metrics.k8s.io/v1beta1';
/** As many reasons are told; of a cluster that starts, everything has one. */
const MOST_REASONS = 5;

export async function topNode(name: string | undefined, options: TopNodeOptions): Promise<void> {
  oneOf(name, options);
  const client = controlPlane(options.home);
  const [metrics, nodes] = await Promise.all([
    name === undefined
      ? client.get<MetricsList<NodeMetricsObject>>(`${METRICS}/nodes${queryOf(options)}`)
      : client.get<NodeMetricsObject>(`${METRICS}/nodes/${encodeURIComponent(name)}`).then(listOfOne),
    allocatable(client),
  ]);
  if (await printData(metrics, options.output)) return;
  if (metrics.items.length > 0) await printTable(nodeUsage(metrics, nodes, options.sortBy), options);
  tellMissing(metrics, 'node', 'No machines yet: add one with `plumb node add USER@HOST`.');
}

export async function topPod(name: string | undefined, options: TopPodOptions): Promise<void> {
  oneOf(name, options);
  const { namespace, allNamespaces = false } = options;
  inOneNamespace(name, allNamespaces);
  const client = controlPlane(options.home);
  const pods = `${METRICS}${allNamespaces ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/pods`;
  const metrics =
    name === undefined
      ? await client.get<MetricsList<PodMetricsObject>>(`${pods}${queryOf(options)}`)
      : listOfOne(
          await client.get<PodMetricsObject>(
            `${METRICS}/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`,
          ),
        );
  if (await printData(metrics, options.output)) return;
  const { containers = false, sortBy } = options;
  if (metrics.items.length > 0)
    await printTable(podUsage(metrics.items, { containers, namespace: allNamespaces, sortBy }), options);
  tellMissing(metrics, 'pod', allNamespaces ? 'No resources found' : `No resources found in ${namespace} namespace.`);
}

function oneOf(name: string | undefined, { selector }: TopOptions): void {
  if (name !== undefined && selector !== undefined)
    throw new CliFailure(2, 'only one of NAME or --selector can be given');
}

function queryOf({ selector }: TopOptions): string {
  return selector === undefined ? '' : `?labelSelector=${encodeURIComponent(selector)}`;
}

function listOfOne<T>(item: T): { readonly items: readonly T[]; readonly missing: readonly never[] } {
  return { items: [item], missing: [] };
}

async function allocatable(client: ControlPlaneClient): Promise<ReadonlyMap<string, ResourceList>> {
  const { items } = await client.get<ObjectList>(objectPath('Node', undefined));
  return new Map((items as readonly Node[]).map(({ metadata, status }) => [metadata.name, status?.allocatable ?? {}]));
}

async function printTable({ headings, rows }: Listed, { headers }: TopOptions): Promise<void> {
  const text = table(headings, rows);
  await print(`${headers ? text : text.slice(text.indexOf('\n') + 1)}\n`);
}

/** What is not shown and why, each reason once; exit code 1 where nothing is shown because of it. */
function tellMissing(
  { items, missing }: Pick<MetricsList<NodeMetricsObject | PodMetricsObject>, 'items' | 'missing'>,
  what: string,
  nothing: string,
): void {
  const reasons = groupBy(missing, ({ reason }) => reason);
  for (const [reason, [first, ...more]] of [...reasons].slice(0, MOST_REASONS)) {
    const title = first?.namespace === undefined ? first?.name : `${first.namespace}/${first.name}`;
    progress(`note: no sample of ${what} ${title}${more.length > 0 ? ` and ${more.length} more` : ''}: ${reason}`);
  }
  if (reasons.size > MOST_REASONS) progress(`note: ${reasons.size - MOST_REASONS} more reasons: see -o json`);
  if (items.length === 0 && missing.length === 0) progress(nothing);
  else if (items.length === 0) throw new CliFailure(1, 'there is no sample of any of them');
}
