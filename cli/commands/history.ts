/** `plumb history` and `plumb rollback`. */
import { execFile } from 'node:child_process';
import { hostname, userInfo } from 'node:os';
import { isAbsolute } from 'node:path';
import { promisify } from 'node:util';
import type { RevisionRecord } from '../../contracts/objects/index.ts';
import type { RollbackReport } from '../../reconciler/api/features/rollback.ts';
import type { HistoryReport, StatusReport } from '../../reconciler/api/types.ts';
import type { Revision } from '../../reconciler/ports/git-source.ts';
import { wasHealthy } from '../../reconciler/core/revisions/history.ts';
import { age, short } from '../../reconciler/core/kinds/columns.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { table } from '../print/table.ts';

/** For a hook that checks a large repository. */
const PUSH_MS = 120_000;

export interface HistoryOptions {
  readonly home?: string;
  readonly limit: number;
  readonly output?: string;
}

/** All revisions, or with `rev` (the beginning of an id) what is kept of one. */
export async function history(rev: string | undefined, options: HistoryOptions): Promise<void> {
  const report = await controlPlane(options.home).get<HistoryReport>('/plumbline/v1/history');
  if (rev !== undefined) return showOne(report, rev, options.output);
  const shown = report.history.slice(0, options.limit);
  if (await printData({ ...report, history: shown }, options.output)) return;
  if (shown.length === 0) {
    progress('No revision has been seen yet.');
    return;
  }
  const now = new Date();
  const rows = shown.map((r) => [
    r.revision === report.appliedRevision ? '*' : '',
    short(r.revision),
    outcomeOf(r),
    age(r.seenAt, now),
    changesOf(r),
    r.author.replace(/ <.*>$/, ''),
    [r.tag, r.message === undefined ? r.subject : `${r.subject} (${r.message})`].filter(Boolean).join(': '),
  ]);
  await print(`${table(['', 'REVISION', 'OUTCOME', 'SEEN', 'CHANGES', 'AUTHOR', 'SUBJECT'], rows)}\n`);
}

/** What is kept of one revision; ends with 1 where it was not well, as `git bisect run` wants it. */
export async function statusAt(
  rev: string,
  options: { readonly home?: string; readonly output?: string },
): Promise<void> {
  const report = await controlPlane(options.home).get<HistoryReport>('/plumbline/v1/history');
  process.exitCode = wasHealthy(recordOf(report, rev)) ? 0 : 1;
  await showOne(report, rev, options.output);
}

/** The one that the beginning of an id names. CliFailure 1 where there is none, or several. */
function recordOf(report: HistoryReport, rev: string): RevisionRecord {
  const found = report.history.filter((r) => rev.length >= MIN_PREFIX && r.revision.startsWith(rev));
  const [record] = found;
  if (!record || found.length > 1) {
    throw new CliFailure(
      1,
      `${found.length > 1 ? `${found.length} revisions` : 'no revision'} in the history ${found.length > 1 ? 'begin' : 'begins'} with ${JSON.stringify(rev)}`,
      'see `plumb history` for what there is',
    );
  }
  return record;
}

async function showOne(report: HistoryReport, rev: string, output: string | undefined): Promise<void> {
  const record = recordOf(report, rev);
  if (await printData(record, output)) return;
  const end = record.postMortem;
  const lines: (readonly [string, string] | undefined)[] = [
    ['revision', record.revision],
    ['subject', record.subject],
    ['author', record.author],
    ['seen', record.seenAt],
    record.tag === undefined ? undefined : ['tag', record.tag],
    ['outcome', outcomeOf(record)],
    record.counts && ['changes', changesOf(record)],
    record.message === undefined ? undefined : ['message', indented(record.message)],
    end && ['at its end', [end.health, ...end.causes].join(`\n${INDENT}`)],
    ...(end?.containers ?? []).map((c): readonly [string, string] => [
      'container',
      [
        `${c.container} of pod ${c.pod}: ${c.reason}${c.exitCode === undefined ? '' : `, exit code ${c.exitCode}`}, ${c.restarts} ${c.restarts === 1 ? 'restart' : 'restarts'}`,
        ...(c.message === undefined ? [] : c.message.split('\n').map((line) => `  ${line}`)),
      ].join(`\n${INDENT}`),
    ]),
    end?.moreContainers === undefined ? undefined : ['', `and ${end.moreContainers} more that failed`],
  ];
  await print(lines.flatMap((line) => (line ? [`${line[0].padEnd(INDENT.length)}${line[1]}\n`] : [])).join(''));
}

const MIN_PREFIX = 4;
const INDENT = ' '.repeat(12);

function indented(text: string): string {
  return text.replaceAll('\n', `\n${INDENT}`);
}

function outcomeOf(record: RevisionRecord): string {
  return record.removed ? `${record.outcome}, removed` : record.outcome;
}

function changesOf({ counts }: RevisionRecord): string {
  return counts ? `+${counts.create} ~${counts.update} -${counts.delete}` : '';
}

export async function rollback(
  rev: string | undefined,
  options: { readonly home?: string; readonly message?: string; readonly output?: string },
): Promise<void> {
  const plane = controlPlane(options.home);
  const { source } = await plane.get<StatusReport>('/plumbline/v1/status');
  const order = {
    ...(rev !== undefined && { revision: rev }),
    ...(options.message !== undefined && { message: options.message }),
    author: await author(),
    // A repository of this machine is pushed to by whoever asks: the control plane may only read it.
    prepare: isAbsolute(source.url),
  };
  const ordered = await plane.send<RollbackReport>('POST', '/plumbline/v1/rollback', order);
  const commit = ordered.commit ?? (await commitHere(source, ordered, order.author));
  const made = { restored: ordered.restored, commit };
  if (await printData(made, options.output)) return;
  await print(`${made.commit.sha} restores ${short(made.restored)}; follow it with: plumb status --wait\n`);
}

/** Who the commit is from: git's own idea of it, else the login. */
async function commitHere(
  { url, branch, follows }: StatusReport['source'],
  { restored: restore, message }: RollbackReport,
  by: { readonly name: string; readonly email: string },
): Promise<Revision> {
  if (branch === undefined)
    throw new CliFailure(1, `${follows} of ${url} is followed, and no branch`, 'push the tag of an earlier commit');
  const { openGitSource } = await import('../../reconciler/adapters/git/index.ts');
  const git = await openGitSource({ url, branch });
  try {
    return await git.commitTree({ restore, message, author: by }, AbortSignal.timeout(PUSH_MS));
  } finally {
    await git.close();
  }
}

async function author(): Promise<{ name: string; email: string }> {
  const run = promisify(execFile);
  const setting = async (name: string): Promise<string | undefined> =>
    run('git', ['config', '--get', name]).then(
      ({ stdout }) => stdout.trim() || undefined,
      () => undefined,
    );
  const login = userInfo().username;
  return {
    name: (await setting('user.name')) ?? login,
    email: (await setting('user.email')) ?? `${login}@${hostname()}`,
  };
}
