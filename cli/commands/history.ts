/** `plumb history` and `plumb rollback`. */
import { execFile } from 'node:child_process';
import { hostname, userInfo } from 'node:os';
import { promisify } from 'node:util';
import type { HistoryReport } from '../../reconciler/api/types.ts';
import type { Revision } from '../../reconciler/ports/git-source.ts';
import { controlPlane } from '../control-plane.ts';
import { print, printData } from '../print/format.ts';
import { age, short, table } from '../print/table.ts';

export async function history(options: { readonly home?: string; readonly limit: number; readonly output?: string }): Promise<void> {
  const report = await controlPlane(options.home).get<HistoryReport>('/plumbline/v1/history');
  const shown = report.history.slice(0, options.limit);
  if (await printData({ ...report, history: shown }, options.output)) return;
  if (shown.length === 0) {
    process.stderr.write('No revision has been seen yet.\n');
    return;
  }
  const now = new Date();
  const rows = shown.map((r) => [
    r.revision === report.appliedRevision ? '*' : '', short(r.revision), r.outcome, age(r.seenAt, now),
    r.counts ? `+${r.counts.create} ~${r.counts.update} -${r.counts.delete}` : '', r.author.replace(/ <.*>$/, ''), r.message === undefined ? r.subject : `${r.subject} (${r.message})`,
  ]);
  await print(`${table(['', 'REVISION', 'OUTCOME', 'SEEN', 'CHANGES', 'AUTHOR', 'SUBJECT'], rows)}\n`);
}

export async function rollback(rev: string | undefined, options: { readonly home?: string; readonly message?: string; readonly output?: string }): Promise<void> {
  const made = await controlPlane(options.home).send<{ readonly commit: Revision; readonly restored: string }>('POST', '/plumbline/v1/rollback', {
    ...(rev !== undefined && { revision: rev }), ...(options.message !== undefined && { message: options.message }), author: await author(),
  });
  if (await printData(made, options.output)) return;
  await print(`${made.commit.sha} restores ${short(made.restored)}; follow it with: plumb status --wait\n`);
}

/** Who the commit is from: git's own idea of it, else the login. */
async function author(): Promise<{ name: string; email: string }> {
  const run = promisify(execFile);
  const setting = async (name: string): Promise<string | undefined> => run('git', ['config', '--get', name]).then(({ stdout }) => stdout.trim() || undefined, () => undefined);
  const login = userInfo().username;
  return { name: (await setting('user.name')) ?? login, email: (await setting('user.email')) ?? `${login}@${hostname()}` };
}
