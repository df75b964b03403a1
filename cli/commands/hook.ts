/**
 * `plumb hook pre-receive`: run by git while a push is in quarantine; what it prints, the pusher sees. `plumb hook
 * post-receive`: after it.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { HINT_FILE, openGitSource } from '../../reconciler/adapters/git/index.ts';
import { formatPlan } from '../../reconciler/core/diff/index.ts';
import {
  NOTHING_DESIRED,
  type Desired,
  type Diagnostic,
  formatDiagnostic,
  ManifestCache,
  type Rendering,
} from '../../reconciler/core/manifests/index.ts';
import { standing } from '../../reconciler/ports/acknowledged.ts';
import type { GitSource } from '../../reconciler/ports/git-source.ts';
import { errorText } from '../../contracts/errors.ts';
import { SystemClock } from '../../reconciler/adapters/system/clock.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { followRollout } from '../follow-rollout.ts';
import { progress } from '../print/terminal.ts';
import { CommandSources, holdingSources, unreadBefore } from '../other-repositories.ts';
import { renderRevision } from '../repository.ts';
import { offlinePlan } from './plan.ts';

const NO_COMMIT = /^0+$/;
const MAX_LINES = 60;

interface RefUpdate {
  readonly from: string;
  readonly to: string;
  readonly ref: string;
}

/** A rollout is followed no longer than this: the push waits for it. */
const FOLLOW_MS = 10 * 60_000;

interface HookOptions {
  readonly branch: string;
  readonly rev?: string;
  readonly home?: string;
}

export async function hook(name: string, { branch, rev, home }: HookOptions): Promise<void> {
  if (name === 'post-receive' && rev !== undefined) return showRollout(rev, home);
  if (name !== 'pre-receive') throw new CliFailure(2, `there is no hook ${JSON.stringify(name)}`);
  const update = (await updates()).find((u) => u.ref === `refs/heads/${branch}`);
  if (!update) return;
  if (NO_COMMIT.test(update.to)) {
    await keepLast(branch, update.from);
    say(
      `warning: this deletes ${branch}; what runs goes on running, and nothing is applied until there is a new commit on it`,
    );
    return;
  }
  const git = await openGitSource({ url: resolve(process.env['GIT_DIR'] ?? '.'), branch, engine: 'quarantine' });
  const sources = new CommandSources(new AbortController().signal, home);
  try {
    process.exitCode = await judge(git, update, branch, sources);
  } finally {
    await sources.close();
    await git.close();
  }
}

/** The push is done: nothing here makes it fail. */
async function showRollout(revision: string, home: string | undefined): Promise<void> {
  const clock = new SystemClock();
  // Whoever pushed has gone.
  process.stderr.on('error', () => process.exit(0));
  setTimeout(() => process.exit(0), FOLLOW_MS).unref();
  try {
    await followRollout(controlPlane(home), {
      revision,
      limitMs: FOLLOW_MS,
      say,
      monotonic: () => clock.monotonic(),
      sleep: (ms) => clock.sleep(ms),
    });
  } catch (error) {
    say(error instanceof CliFailure ? error.message : `the rollout cannot be shown: ${errorText(error)}`);
  }
}

async function judge(git: GitSource, update: RefUpdate, branch: string, others: CommandSources): Promise<number> {
  const signal = new AbortController().signal;
  const cache = new ManifestCache();
  const render = (sha: string): Promise<Rendering> =>
    holdingSources((sources) => renderRevision(git, sha, signal, cache, { sources }), others);
  const hasBefore = !NO_COMMIT.test(update.from);
  const [next, containsBefore] = await Promise.all([
    render(update.to),
    !hasBefore || isAncestor(update.from, update.to),
  ]);
  if (!containsBefore)
    say(
      `warning: this is a force-push: it takes ${branch} from ${update.from.slice(0, 12)} to ${update.to.slice(0, 12)}, which does not contain it`,
    );
  const errors = next.diagnostics.filter((d) => d.severity === 'error');
  for (const line of diagnosticLines(next.diagnostics)) say(line, '');
  if (errors.length > 0) {
    say(
      `refused: ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}; ${branch} stays where it was. Check before pushing with: plumb check`,
    );
    return 1;
  }
  const { state: before, at: inForce } = await stateBefore(render, update, branch);
  const { plan, refusals: found } = offlinePlan(before, next);
  const refusals = await standing(found, git, { sha: update.to, inForce }, next, signal);
  for (const line of cut(formatPlan(plan, 'text').split('\n'))) say(line, '');
  for (const line of cut(refusals.map(formatDiagnostic))) say(line, '');
  if (refusals.length === 0) return 0;
  say(`refused; ${branch} stays where it was`);
  return 1;
}

/**
 * What is in force as far as the repository knows: the branch as it was, also before it was deleted; for what was
 * applied then goes on running.
 */
async function stateBefore(
  render: (sha: string) => Promise<Rendering>,
  { from }: RefUpdate,
  branch: string,
): Promise<{ readonly state: Desired & Pick<Rendering, 'leftOut' | 'sources'>; readonly at: string | undefined }> {
  if (!NO_COMMIT.test(from)) {
    const state = await render(from);
    const unread = unreadBefore(state);
    if (unread !== undefined) say(unread);
    return { state, at: from };
  }
  const last = await readFile(lastFile(branch), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
  if (last === undefined) return { state: NOTHING_DESIRED, at: undefined };
  try {
    const rendering = await render(last);
    say(
      `${branch} was deleted when it was at ${last.slice(0, 12)}; what was applied then is still in force, so the plan starts from there`,
    );
    return { state: rendering, at: last };
  } catch {
    say(
      `warning: ${branch} was deleted when it was at ${last.slice(0, 12)}, which is not here any more: the plan shows as new what may well run already`,
    );
    return { state: NOTHING_DESIRED, at: undefined };
  }
}

/** Where the commit is kept that a branch was at when it was deleted. */
function lastFile(branch: string): string {
  return join(resolve(process.env['GIT_DIR'] ?? '.'), dirname(HINT_FILE), `deleted-${encodeURIComponent(branch)}`);
}

async function keepLast(branch: string, sha: string): Promise<void> {
  await mkdir(dirname(lastFile(branch)), { recursive: true });
  await writeFile(lastFile(branch), `${sha}\n`);
}

/** A line for each finding; of many the errors come first, as they are what a push is refused for. */
export function diagnosticLines(diagnostics: readonly Diagnostic[]): string[] {
  if (diagnostics.length <= MAX_LINES) return diagnostics.map(formatDiagnostic);
  const ordered = [...diagnostics].sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
  const rest = ordered.slice(MAX_LINES);
  const errors = rest.filter((d) => d.severity === 'error').length;
  return [
    ...ordered.slice(0, MAX_LINES).map(formatDiagnostic),
    `... and ${rest.length} more, ${errors} of them errors; see them all with: plumb check`,
  ];
}

/** The plan's lines, its summary always among them. */
function cut(lines: readonly string[]): readonly string[] {
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES - 2), `... ${lines.length - MAX_LINES + 1} more lines`, lines.at(-1) ?? ''];
}

function say(line: string, prefix = 'plumb: '): void {
  progress(`${prefix}${line}`);
}

async function updates(): Promise<RefUpdate[]> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) text += String(chunk);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [from = '', to = '', ref = ''] = line.split(' ');
      return { from, to, ref };
    });
}

async function isAncestor(from: string, to: string): Promise<boolean> {
  return promisify(execFile)('git', ['merge-base', '--is-ancestor', from, to]).then(
    () => true,
    () => false,
  );
}
