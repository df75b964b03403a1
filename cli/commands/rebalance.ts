/** `plumb rebalance`: which running pods should be elsewhere, and with `--apply` their eviction. */
import { DESCHEDULER_PLUGINS, isDeschedulerPlugin } from '../../contracts/objects/index.ts';
import type { RebalanceReport } from '../../reconciler/api/types.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { table } from '../print/table.ts';

export interface RebalanceOptions {
  readonly home?: string;
  readonly apply?: boolean;
  readonly plugin?: readonly string[];
  readonly output?: string;
}

/** Lines of what stays that are shown; `-o json` has all. */
const SHOWN_OBSTACLES = 5;

export async function rebalance(options: RebalanceOptions): Promise<void> {
  const plugins = options.plugin ?? [];
  const unknown = plugins.find((name) => !isDeschedulerPlugin(name));
  if (unknown !== undefined)
    throw new CliFailure(2, `there is no plugin ${unknown}`, `known: ${DESCHEDULER_PLUGINS.join(', ')}`);
  const client = controlPlane(options.home);
  const query = new URLSearchParams(plugins.map((name): [string, string] => ['plugin', name])).toString();
  const report = options.apply
    ? await client.send<RebalanceReport>('POST', '/plumbline/v1/rebalance', { plugins })
    : await client.get<RebalanceReport>(`/plumbline/v1/rebalance${query === '' ? '' : `?${query}`}`);
  for (const problem of report.problems) progress(`DeschedulerPolicy ${report.policy ?? ''}: ${problem}`);
  if (!(await printData(report, options.output === 'text' ? undefined : options.output)))
    await print(formatRebalance(report));
  const refused = report.refused ?? [];
  if (options.output !== 'json')
    for (const { pod, message } of refused) progress(`not evicted: ${pod.namespace}/${pod.name}: ${message}`);
  if (options.apply && report.problems.length > 0)
    throw new CliFailure(
      1,
      'nothing was evicted, as the DeschedulerPolicy has mistakes',
      'correct them and push, or see `plumb check`',
    );
  process.exitCode = report.problems.length > 0 || refused.length > 0 ? 1 : 0;
}

/** The plan as a table, what stays and why, and what was done. */
export function formatRebalance(report: RebalanceReport): string {
  const { moves, skipped, evicted } = report;
  const lines: string[] = [];
  if (moves.length > 0)
    lines.push(
      table(
        ['POD', 'FROM', 'TO', 'WHY'],
        moves.map(({ pod, from, to, plugin, reason }) => [
          `${pod.namespace}/${pod.name}`,
          from,
          to,
          `${plugin}: ${reason}`,
        ]),
      ),
    );
  else
    lines.push(
      report.plugins.length === 0 ? 'Nothing to do: the DeschedulerPolicy enables no plugin.' : 'Nothing to move.',
    );
  const obstacles = counted(skipped.map(({ plugin, obstacle }) => `${plugin}: ${obstacle}`));
  if (obstacles.length > 0) {
    lines.push(
      '',
      `${podCount(skipped.length)} should move and cannot:`,
      table(
        ['PODS', 'WHY NOT'],
        obstacles.slice(0, SHOWN_OBSTACLES).map(([why, count]) => [String(count), why]),
      ),
    );
    if (obstacles.length > SHOWN_OBSTACLES)
      lines.push(`and ${obstacles.length - SHOWN_OBSTACLES} more reasons: see -o json`);
  }
  if (evicted)
    lines.push(
      '',
      evicted.length === 0
        ? 'No pod was evicted.'
        : `Evicted ${podCount(evicted.length)}; their controllers make new ones, which go where the scheduler finds best then.`,
    );
  else if (moves.length > 0) lines.push('', 'Nothing was changed: evict them with --apply.');
  return `${lines.join('\n')}\n`;
}

function podCount(count: number): string {
  return count === 1 ? '1 pod' : `${count} pods`;
}

/** The most frequent first. */
function counted(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}
