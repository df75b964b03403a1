/** `plumb plan`: what would change, against a revision offline or against the live state. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { objectKey, type Cluster } from '../../contracts/objects/index.ts';
import type { PlanReport } from '../../reconciler/api/types.ts';
import {
  checkPlan,
  formatPlan,
  planInput,
  planSync,
  unacknowledged,
  type PlanFormat,
  type Refusal,
} from '../../reconciler/core/diff/index.ts';
import {
  type Desired,
  type Diagnostic,
  formatDiagnostic,
  NOTHING_DESIRED,
  type Rendering,
} from '../../reconciler/core/manifests/index.ts';
import type { AppSources } from '../../reconciler/core/apps/other-sources.ts';
import { isListing } from '../../reconciler/core/apps/pull-requests.ts';
import { andMore } from '../../reconciler/core/and-more.ts';
import { pruneGuard } from '../../reconciler/core/revisions/prune-guard.ts';
import { commitsSince, standing } from '../../reconciler/ports/acknowledged.ts';
import type { Revision } from '../../reconciler/ports/git-source.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { escaped, print, progress } from '../print/terminal.ts';
import { CommandSources, holdingSources, unreadBefore } from '../other-repositories.ts';
import { type Around, changedManifests, isBare, openAround, renderFolder, renderRevision } from '../repository.ts';

export interface PlanOptions {
  readonly home?: string;
  readonly from?: string;
  readonly to?: string;
  readonly live?: boolean;
  readonly output?: string;
}

/** Stands for the Source's name in an offline plan. */
const SOURCE_NAME = 'main';

/**
 * The plan between two renderings, and why it would be refused. An App of which something could not be read for one of
 * them is in neither: nothing of it would be changed.
 */
export function offlinePlan(
  before: Desired & Pick<Rendering, 'leftOut' | 'sources'>,
  after: Desired & Pick<Rendering, 'leftOut' | 'sources'>,
): { readonly plan: ReturnType<typeof planSync>; readonly refusals: readonly Refusal[] } {
  const unread = new Set([before, after].flatMap(({ leftOut = [] }) => leftOut));
  // Which pull requests are open is not known: none is closed by that.
  if ([before, after].some(({ sources = [] }) => sources.some((one) => isListing(one) && one.commit === undefined)))
    for (const name of [before, after].flatMap(({ previews = [] }) => [...previews])) unread.add(name);
  const [applied, desired] = [withoutApps(before, unread), withoutApps(after, unread)];
  const live = new Map([...applied.state].map(([key, { object }]) => [key, object] as const));
  const custom = new Map([...applied.custom].map(([key, { object }]) => [key, object] as const));
  const input = planInput(SOURCE_NAME, applied, desired, live, custom);
  const plan = planSync(input);
  const cluster = [...applied.state.values()].map((d) => d.object).find((o): o is Cluster => o.kind === 'Cluster');
  return {
    plan,
    refusals: [
      ...checkPlan(input, plan),
      ...pruneGuard(cluster, desired, live.size + custom.size, plan, input.disposable),
    ],
  };
}

function withoutApps(from: Desired, apps: ReadonlySet<string>): Desired {
  if (apps.size === 0) return from;
  const kept = <K, V extends { readonly app?: string }>(all: ReadonlyMap<K, V>): Map<K, V> =>
    new Map([...all].filter(([, { app }]) => app === undefined || !apps.has(app)));
  const state = kept(from.state);
  for (const name of from.previews ?? []) if (apps.has(name)) state.delete(objectKey('App', undefined, name));
  return { ...from, state, custom: kept(from.custom) };
}

export async function plan(dir: string, options: PlanOptions): Promise<void> {
  const format = (options.output ?? 'text') as PlanFormat;
  if (options.live) {
    if (options.from !== undefined)
      throw new CliFailure(2, '--live compares with the live state, so --from has no meaning');
    const query = new URLSearchParams({ format, ...(options.to !== undefined && { rev: options.to }) });
    const report = await controlPlane(options.home).get<PlanReport>(`/plumbline/v1/plan?${query.toString()}`);
    process.exitCode = report.refused ? 1 : 0;
    const elsewhere = options.to === undefined ? await whatIsNotPlanned(dir, report.revision) : undefined;
    if (elsewhere !== undefined) {
      if (format === 'text') await print(`${elsewhere}\n`);
      else progress(`note: ${elsewhere}`);
    }
    await show(report.plan, report.diagnostics, format);
    return;
  }
  const folder = resolve(dir);
  if (!existsSync(folder)) throw new CliFailure(2, `there is no folder ${folder}`);
  const around = await openAround(folder);
  if (!around)
    throw new CliFailure(
      2,
      `${folder} is in no Git repository`,
      'there is nothing to compare with; validate it with `plumb check`',
    );
  const sources = new CommandSources(new AbortController().signal);
  try {
    const to = await renderTo(around, folder, options, sources);
    if (to.diagnostics.some((d) => d.severity === 'error')) {
      process.exitCode = 1;
      await show(undefined, to.diagnostics, format);
      return;
    }
    const { state: from, at } = await renderFrom(around, options, sources);
    const { plan: planned, refusals: all } = offlinePlan(from, to);
    const refusals = await stillStanding(all, around, to, at, options);
    process.exitCode = refusals.length > 0 ? 1 : 0;
    await show(formatPlan(planned, format), [...refusals, ...to.diagnostics], format);
  } finally {
    await sources.close();
    await around.git.close();
  }
}

/**
 * Of which commit a live plan is, where the checkout at `dir` has something else: it is of what was pushed, and whoever
 * stands in a checkout might think that it is of that. Undefined where they are the same, or where there is no
 * checkout.
 */
async function whatIsNotPlanned(dir: string, planned: string): Promise<string | undefined> {
  const signal = new AbortController().signal;
  const around = await openAround(dir);
  if (!around) return undefined;
  const { git, root } = around;
  try {
    const plan = `this is the plan of ${planned.slice(0, 12)}, which was pushed`;
    const head = await found(git.resolve('HEAD', signal));
    if (!(await found(git.resolve(planned, signal)))) return `${plan}; the repository here does not have that commit`;
    const changed = isBare(root) ? [] : await changedManifests(git, head?.sha ?? planned, root, signal);
    const notHere = [
      ...(head && head.sha !== planned
        ? [`HEAD here is ${head.sha.slice(0, 12)}: push it to a branch, and name that with --to`]
        : []),
      ...(changed.length > 0
        ? [`${andMore(changed, 2)} here ${changed.length === 1 ? 'is' : 'are'} not committed`]
        : []),
    ];
    return notHere.length === 0 ? undefined : `${plan}; ${notHere.join('; ')}`;
  } finally {
    await git.close();
  }
}

/** The commit, or undefined where the repository has none of that name. */
async function found(commit: Promise<Revision>): Promise<Revision | undefined> {
  try {
    return await commit;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'RevisionNotFound') return undefined;
    throw error;
  }
}

/**
 * The refusals that hold for the commit that `options` names. Files that are not committed may still become a commit
 * that takes the branch back to an earlier one; that is not known before, so it is said.
 */
async function stillStanding(
  refusals: readonly Refusal[],
  { git, root }: Around,
  desired: Desired,
  inForce: string | undefined,
  options: PlanOptions,
): Promise<readonly Refusal[]> {
  if (!refusals.some(({ acknowledge }) => acknowledge !== undefined)) return refusals;
  const signal = new AbortController().signal;
  const commit = await found(git.resolve(options.to ?? 'HEAD', signal));
  if (!commit) return refusals;
  if (options.to !== undefined || isBare(root) || (await changedManifests(git, commit.sha, root, signal)).length === 0)
    return standing(refusals, git, { sha: commit.sha, inForce }, desired, signal);
  const commits = await commitsSince(git, commit.sha, inForce, signal);
  const left = unacknowledged(
    refusals,
    commits.map(({ message }) => message),
  );
  if (left.some(({ acknowledge }) => acknowledge !== undefined))
    progress(
      'note: the prune limit does not hold for a commit with exactly the files of an earlier one, as `git revert` and `plumb rollback` make it',
    );
  return left;
}

async function renderTo(
  { git, root }: Around,
  folder: string,
  options: PlanOptions,
  others: CommandSources,
): Promise<Rendering> {
  const signal = new AbortController().signal;
  if (options.to === undefined && !(isBare(root) && root === folder))
    return holdingSources((sources) => renderFolder(root, { sources }), others);
  const { sha } = await git.resolve(options.to ?? 'HEAD', signal);
  return holdingSources((sources) => renderRevision(git, sha, signal, undefined, { sources }), others);
}

/** The revision to start from; a repository without a commit yet starts from nothing. */
async function renderFrom(
  { git, root }: Around,
  options: PlanOptions,
  others: CommandSources,
): Promise<{ readonly state: Desired & Pick<Rendering, 'leftOut' | 'sources'>; readonly at: string | undefined }> {
  const signal = new AbortController().signal;
  const tries =
    options.from !== undefined
      ? [options.from]
      : isBare(root) || options.to !== undefined
        ? [`${options.to ?? 'HEAD'}~1`]
        : [...('branch' in git.follows ? [`refs/remotes/origin/${git.follows.branch}`] : []), 'HEAD'];
  for (const rev of tries) {
    try {
      const { sha } = await git.resolve(rev, signal);
      const render = (sources: AppSources): Promise<Rendering> =>
        renderRevision(git, sha, signal, undefined, { sources });
      const state = await holdingSources(render, others);
      const unread = unreadBefore(state);
      if (unread !== undefined) progress(unread);
      return { state, at: sha };
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'RevisionNotFound' || options.from !== undefined) throw error;
    }
  }
  return { state: NOTHING_DESIRED, at: undefined };
}

async function show(text: string | undefined, diagnostics: readonly Diagnostic[], format: PlanFormat): Promise<void> {
  for (const diagnostic of diagnostics) progress(formatDiagnostic(diagnostic));
  if (text !== undefined) await print(`${format === 'json' ? escaped(text) : text}\n`);
}
