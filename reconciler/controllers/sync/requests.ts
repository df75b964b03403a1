/** What people ask of a source: the plan of a revision against what is live, and a commit that goes back. */
import { objectKey } from '../../../contracts/objects/index.ts';
import { TerminalError } from '../../core/errors.ts';
import { formatPlan, type PlanFormat } from '../../core/diff/index.ts';
import type { Diagnostic } from '../../core/manifests/index.ts';
import { previousApplied, subjectOf } from '../../core/revisions/history.ts';
import { standing } from '../../ports/acknowledged.ts';
import { followedWords } from '../../core/sources/follow.ts';
import type { GitSource, Revision } from '../../ports/git-source.ts';
import type { StoreView } from '../runtime/controller.ts';
import { inSlices } from '../runtime/slices.ts';
import { forecastOf } from '../forecast/plan-forecast.ts';
import { bestRendering } from './best-rendering.ts';
import { planLive } from './plan-live.ts';
import type { RevisionReader } from './revision-reader.ts';

export interface PlanRequest {
  /** The branch when absent. */
  readonly rev?: string | undefined;
  readonly format: PlanFormat;
  readonly now: Date;
}

/** The answer for a revision, rendered and planned but not executed, with where its pods would go. */
export async function planRevision(
  reader: RevisionReader,
  git: GitSource,
  view: StoreView,
  sourceName: string,
  { rev, format, now }: PlanRequest,
  signal: AbortSignal,
): Promise<{
  readonly revision: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly refused: boolean;
  readonly plan?: string;
}> {
  const revision = await resolved(git, rev ?? 'HEAD', signal);
  const status = view.get(objectKey('Source', undefined, sourceName))?.status;
  const { rendering: next } = await bestRendering(reader, revision.sha, status, view, signal);
  if (next.diagnostics.some((d) => d.severity === 'error'))
    return { revision: revision.sha, diagnostics: next.diagnostics, refused: true };
  const inForce = status?.appliedRevision;
  const applied = await reader.applied(inForce, signal, status?.sources);
  const { plan, refusals: found } = await inSlices(planLive(view, sourceName, applied, next), signal);
  const refusals = await standing(found, git, { sha: revision.sha, inForce }, next, signal);
  return {
    revision: revision.sha,
    diagnostics: [...refusals, ...next.diagnostics],
    refused: refusals.length > 0,
    plan: formatPlan(plan, format, await inSlices(forecastOf(plan, view, now), signal)),
  };
}

export interface RollbackOrder {
  /** The revision that was applied before the current one when absent. */
  readonly revision?: string;
  readonly message?: string;
  readonly author: { readonly name: string; readonly email: string };
  /** Whoever asks commits and pushes by itself, with its own rights. */
  readonly prepare?: boolean;
}

export interface RolledBack {
  /** The revision whose files are restored. */
  readonly restored: string;
  /** Of the commit. */
  readonly message: string;
  /** Absent where it was only prepared. */
  readonly commit?: Revision;
}

/**
 * Commits the tree of an earlier revision on top of the branch and pushes it. TerminalError `NothingToRollBackTo` where
 * no earlier revision was applied, or where the branch has that tree already; `RevisionInvalid` where the earlier one
 * does not validate.
 */
export async function rollBack(
  reader: RevisionReader,
  git: GitSource,
  view: StoreView,
  sourceName: string,
  order: RollbackOrder,
  signal: AbortSignal,
): Promise<RolledBack> {
  const rev = order.revision ?? previousApplied(view.get(objectKey('Source', undefined, sourceName))?.status)?.revision;
  if (rev === undefined)
    throw new TerminalError(
      'NothingToRollBackTo',
      'no other revision was applied before this one: name one, see `plumb history` and `git log`',
    );
  const target = await resolved(git, rev, signal);
  const head = await git.head(signal);
  if (head.state === 'at' && head.revision.tree === target.tree)
    throw new TerminalError(
      'NothingToRollBackTo',
      `${followedWords(git.follows)} has the files of ${target.sha.slice(0, 12)} already`,
    );
  const errors = (await reader.read(target.sha, signal)).diagnostics.filter((d) => d.severity === 'error');
  if (errors.length > 0)
    throw new TerminalError(
      'RevisionInvalid',
      `revision ${target.sha.slice(0, 12)} does not validate, so it cannot be gone back to: see \`plumb check --rev ${target.sha.slice(0, 12)}\``,
    );
  const message =
    order.message ?? `Roll back to "${subjectOf(target.message)}"\n\nThis restores the files of ${target.sha}.`;
  if (order.prepare) return { restored: target.sha, message };
  const commit = await git.commitTree({ restore: target.sha, message, author: order.author }, signal);
  return { restored: target.sha, message, commit };
}

/** People have commits that the source does not: TerminalError `RevisionNotFound` says where it was looked for. */
async function resolved(git: GitSource, rev: string, signal: AbortSignal): Promise<Revision> {
  try {
    return await git.resolve(rev, signal);
  } catch (error) {
    if (!(error instanceof TerminalError) || error.code !== 'RevisionNotFound') throw error;
    throw new TerminalError(error.code, `${error.message}; it was looked for in ${git.url}: push it there first`);
  }
}
