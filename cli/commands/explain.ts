/** `plumb explain`: one chain from the commit to the runtime's own words. */
import type { ExplainedPod, ExplainReport } from '../../reconciler/api/types.ts';
import { findKind } from '../../contracts/objects/index.ts';
import { age, short } from '../../reconciler/core/kinds/columns.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { printData } from '../print/format.ts';
import { print } from '../print/terminal.ts';
import { serviceLinks } from '../print/service-path.ts';
import { placementLinks } from '../print/placement.ts';
import { customKind, parseObject } from './get.ts';

export async function explain(
  word: string,
  options: { readonly home?: string; readonly namespace: string; readonly output?: string },
): Promise<void> {
  const client = controlPlane(options.home);
  const { kind, name } = await target(client, word);
  const query = new URLSearchParams({ kind, namespace: options.namespace, name });
  const report = await client.get<ExplainReport>(`/plumbline/v1/explain?${query.toString()}`);
  process.exitCode = report.found && report.broken === undefined ? 0 : 1;
  if (!(await printData(report, options.output))) await print(`${formatExplain(report, new Date())}\n`);
}

/** Of a kind that is built in, or that a definition brings along. */
async function target(
  client: ControlPlaneClient,
  word: string,
): Promise<{ readonly kind: string; readonly name: string }> {
  const [kind = '', name] = word.split('/', 2);
  const custom = name !== undefined && name !== '' && findKind(kind) === undefined;
  return custom && (await customKind(client, kind)) ? { kind, name } : parseObject(word, 'plumb explain deploy/web');
}

/** The report for people: a line for each link of the chain. */
export function formatExplain(report: ExplainReport, now: Date): string {
  const { object, commit } = report;
  const lines = [`${object.kind} ${object.namespace === '' ? '' : `${object.namespace}/`}${object.name}`];
  const link = (name: string, text: string): void => {
    lines.push(`  ${name.padEnd(11)}${text.replaceAll('\n', `\n${' '.repeat(13)}`)}`);
  };
  if (commit)
    link(
      'commit',
      `${short(commit.revision)} ${commit.subject} (${commit.author}): ${commit.outcome}${commit.message === undefined ? '' : `\n${commit.message}`}`,
    );
  if (report.origin !== undefined) link('manifest', report.origin);
  for (const owner of report.owners) link('owned by', owner);
  if (!report.found) link('object', 'not in the live state');
  if (report.health) link('health', `${report.health.health}: ${report.health.message}`);
  for (const c of report.conditions)
    link('condition', `${c.type}=${c.status}${c.reason ? ` ${c.reason}` : ''}${c.message ? `: ${c.message}` : ''}`);
  for (const child of report.children) link('made', `${child.kind} ${child.name}: ${child.summary}`);
  if (report.service) for (const [name, text] of serviceLinks(report.service)) link(name, text);
  for (const pod of report.pods) for (const line of podLines(pod, now)) link(line[0], line[1]);
  if (report.more.pods > 0) link('pods', `and ${report.more.pods} more`);
  if (report.node)
    link(
      'node',
      `${report.node.name} Ready=${report.node.ready}${report.node.ready === 'True' ? '' : ` ${report.node.reason}: ${report.node.message}`}`,
    );
  for (const event of report.events)
    link(
      'event',
      `${age(event.lastTimestamp, now)} ago ${event.reason}${event.count > 1 ? ` (x${event.count})` : ''}: ${event.message}`,
    );
  if (report.more.events > 0) link('events', `and ${report.more.events} more`);
  lines.push('', report.broken === undefined ? 'Nothing is wrong with it.' : `Why not: ${report.broken}`);
  return lines.join('\n');
}

function podLines(pod: ExplainedPod, now: Date): [string, string][] {
  const lines: [string, string][] = [
    [
      'pod',
      `${pod.name} ${pod.phase} on ${pod.node ?? 'no node yet'}${pod.problem === undefined ? '' : `: ${pod.problem}`}`,
    ],
  ];
  for (const c of pod.containers) {
    if (!c.ready || c.restarts > 0)
      lines.push([
        'container',
        `${c.name} ${c.state}, restarts ${c.restarts}${c.message === undefined ? '' : `: ${c.message}`}`,
      ]);
  }
  for (const { name, types } of pod.policies ?? [])
    lines.push(['policy', `${name}: ${types.map((type) => type.toLowerCase()).join(' and ')} only as it allows`]);
  if (pod.placement) lines.push(...placementLinks(pod.placement, now));
  if (pod.log && pod.log.lines.length > 0)
    lines.push([pod.log.previous ? 'last run' : 'log', pod.log.lines.join('\n')]);
  return lines;
}
