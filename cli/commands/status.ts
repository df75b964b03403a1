/** `plumb status`: is the newest revision applied and healthy, and if not, what is missing. */
import { isKind, type RevisionRecord } from '../../contracts/objects/index.ts';
import type { ControlPlaneInfo, StatusReport } from '../../reconciler/api/types.ts';
import { age, short } from '../../reconciler/core/kinds/columns.ts';
import { DESCRIPTORS } from '../../reconciler/core/kinds/index.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { table } from '../print/table.ts';

export interface StatusOptions {
  readonly home?: string;
  readonly wait?: boolean;
  /** Seconds. */
  readonly timeout: number;
  readonly output?: string;
}

const LONGEST_ANSWER_SECONDS = 10;
/** Things that are missing in a line of progress. */
const SHOWN_MISSING = 3;

export async function status(options: StatusOptions): Promise<void> {
  const client = controlPlane(options.home);
  const report = options.wait
    ? await wait(client, options.timeout)
    : await client.get<StatusReport>('/plumbline/v1/status');
  process.exitCode = isReady(report) ? 0 : 1;
  if (!(await printData(report, options.output))) await print(`${formatStatus(report, new Date())}\n`);
}

function isReady(report: StatusReport): boolean {
  return report.synced && report.healthy;
}

/** Asks until ready or out of time; the control plane holds each answer back until something changed. */
async function wait(client: ControlPlaneClient, timeoutSeconds: number): Promise<StatusReport> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  let shown = '';
  let report = await client.get<StatusReport>('/plumbline/v1/status');
  for (;;) {
    const left = (deadline - performance.now()) / 1000;
    if (isReady(report)) return report;
    const line = summary(report);
    if (line !== shown) progress(line);
    shown = line;
    const ended = left <= 0 ? `gave up after ${timeoutSeconds} s` : hopeless(report);
    if (ended !== undefined) {
      progress(ended);
      return report;
    }
    const hold = Math.min(left, LONGEST_ANSWER_SECONDS);
    report = await client.get<StatusReport>(
      `/plumbline/v1/status?wait=${hold.toFixed(3)}&seen=${encodeURIComponent(JSON.stringify(report.missing))}`,
    );
  }
}

/** Why only a new commit helps: the newest revision was looked at and refused, or one of its rollouts had its time. */
export function hopeless(report: StatusReport): string | undefined {
  const { head, observedRevision, newest } = report.source;
  if (newest?.outcome === 'Refused' && head === observedRevision)
    return 'this revision was refused: waiting changes nothing';
  const late = report.synced ? report.objects.find(({ gaveUp }) => gaveUp) : undefined;
  return late && `${late.kind} ${late.namespace}/${late.name} exceeded its progress deadline: waiting changes nothing`;
}

/** One line of progress. It has several of the things that are missing: the first may be waiting for the next. */
export function summary(report: StatusReport): string {
  const healthy = report.objects.filter((o) => o.health === 'Healthy').length;
  const rest = report.missing.length - SHOWN_MISSING;
  const missing = [...report.missing.slice(0, SHOWN_MISSING), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
  return `waiting: ${short(report.source.head)} ${report.source.newest?.outcome ?? 'not seen yet'}, ${healthy}/${report.objects.length} healthy: ${missing}`;
}

/** The report for people. */
export function formatStatus(report: StatusReport, now: Date): string {
  const { source, controlPlane: plane } = report;
  const newest = source.newest;
  const lines = [
    `Source     ${source.name}: ${source.url} (${source.follows})`,
    `Revision   ${source.head === undefined ? `unknown: ${source.headError ?? 'no commit yet'}` : short(source.head)}${newest && newest.revision === source.head ? `  ${newest.subject}` : ''}`,
    `Applied    ${short(source.appliedRevision)}${report.synced ? '' : '  (not the newest)'}`,
    `Sync       ${newest ? `${newest.outcome} ${age(newest.finishedAt ?? newest.seenAt, now)} ago` : 'nothing seen yet'}${newest?.message === undefined ? '' : `: ${newest.message}`}`,
    ...(newest?.noticed ? [`Noticed    ${noticedWords(newest.noticed)}`] : []),
    `Health     ${report.healthy ? 'Healthy' : 'not healthy'} (${report.objects.filter((o) => o.health === 'Healthy').length} of ${report.objects.length} objects)`,
    `Control    ${plane.version}, pid ${plane.pid}, up ${age(plane.startedAt, now)}`,
    ...(plane.webhook ? [`Webhook    ${webhookWords(plane.webhook)}`] : []),
    ...(source.sources ?? []).map(
      ({ url, follows, apps, sets, commit, problem }) =>
        `${sets ? `AppSet     ${sets.join(', ')}` : `App source ${apps.join(', ')}`}: ${url} (${follows}) ${commit === undefined ? 'left out' : sets ? 'listed' : `at ${short(commit)}`}${problem === undefined ? '' : `: ${problem}`}`,
    ),
    ...(source.kept ?? []).map((line) => `Kept       ${line} (in no manifest)`),
    ...source.conditions
      .filter(({ type, status: is }) => type === 'Published' && is !== 'True')
      .map(({ message }) => `Published  ${message ?? 'not'}`),
    ...plane.warnings.map((warning) => `Warning    ${warning}`),
  ];
  if (report.objects.length > 0) {
    lines.push(
      '',
      table(
        ['OBJECT', 'NAMESPACE', 'HEALTH', 'WHY'],
        report.objects
          .filter((o) => o.health !== 'Healthy' || isShownWhenHealthy(o.kind))
          .map((o) => [`${o.kind}/${o.name}`, o.namespace, o.health, o.message]),
      ),
    );
  }
  if (report.nodes.length > 0) {
    lines.push(
      '',
      table(
        ['NODE', 'ADDRESS', 'READY', 'PODS', 'WHY'],
        report.nodes.map((n) => [
          n.name,
          n.address,
          n.ready + (n.unschedulable ? ',cordoned' : ''),
          String(n.pods),
          n.ready === 'True' ? (n.drain ?? '') : [n.reason, n.message].filter(Boolean).join(': '),
        ]),
      ),
    );
  }
  if (report.missing.length > 0) lines.push('', 'Missing:', ...report.missing.map((line) => `  - ${line}`));
  return lines.join('\n');
}

function webhookWords({ url, accepted, refused, lastRefusal }: NonNullable<ControlPlaneInfo['webhook']>): string {
  const why = lastRefusal === undefined ? '' : `, the last one: ${lastRefusal}`;
  return `${url}: ${accepted} accepted, ${refused} refused${why}`;
}

const BY = { hook: 'the push hook', poll: 'a poll', webhook: 'a webhook', start: 'the start' } as const;

function noticedWords({ by, actedAfterMs }: NonNullable<RevisionRecord['noticed']>): string {
  return `by ${BY[by]}${actedAfterMs === undefined ? '' : `; first change ${actedAfterMs} ms later`}`;
}

/** Of a custom kind, only what is not well is shown. */
function isShownWhenHealthy(kind: string): boolean {
  if (!isKind(kind)) return false;
  const { health } = DESCRIPTORS[kind];
  return health !== 'stored' && health.shown === 'always';
}
