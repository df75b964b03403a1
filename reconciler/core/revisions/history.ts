/** The history that a Source keeps: one record per revision that became the branch's newest, newest first. */
import type { PostMortem, RevisionRecord, SourceStatus } from '../../../contracts/objects/index.ts';

export const MAX_HISTORY = 50;

/** What is known of a commit when it is first seen. */
export interface SeenRevision {
  readonly sha: string;
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly committedAt: string;
  /** The tag that it was found by. */
  readonly tag?: string;
}

export type Outcome = Pick<RevisionRecord, 'outcome'> & Partial<Pick<RevisionRecord, 'message' | 'counts' | 'noticed'>>;

const EMPTY: SourceStatus = { history: [] };
/** Outcomes of a revision whose objects are in the store. */
const IN_FORCE: ReadonlySet<string> = new Set<RevisionRecord['outcome']>(['Applied', 'Healthy']);

/** What somebody else wrote, without what a terminal would obey. Source: ECMA-48, C0 and C1. */
export function shownText(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}

/** The first line of a commit message, at most 100 characters. */
export function subjectOf(message: string): string {
  const line = shownText(message.trimStart().split('\n', 1)[0] ?? '');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}

export function recordOf(status: SourceStatus | undefined, sha: string): RevisionRecord | undefined {
  return status?.history.find((r) => r.revision === sha);
}

/** The record of another commit that the same tag named before: somebody moved the tag. The newest one there is. */
export function movedTag(
  status: SourceStatus | undefined,
  tag: string | undefined,
  sha: string,
): RevisionRecord | undefined {
  if (tag === undefined) return undefined;
  const newest = status?.history.find((r) => r.tag === subjectOf(tag));
  return newest && newest.revision !== sha ? newest : undefined;
}

/**
 * The status once `revision` is the newest: its record is `Syncing` and stands first; records that were still `Syncing`
 * are `Superseded`. A revision that comes back (a force-push to an earlier commit) starts anew.
 */
export function withSeen(
  status: SourceStatus | undefined,
  revision: SeenRevision,
  now: string,
  by?: NonNullable<RevisionRecord['noticed']>['by'],
): SourceStatus {
  const before = status ?? EMPTY;
  const record: RevisionRecord = {
    revision: revision.sha,
    subject: subjectOf(revision.message),
    author: subjectOf(`${revision.author.name} <${revision.author.email}>`),
    committedAt: revision.committedAt,
    seenAt: now,
    ...(revision.tag !== undefined && { tag: subjectOf(revision.tag) }),
    outcome: 'Syncing',
    ...(by && { noticed: { by } }),
  };
  const older = before.history
    .filter((r) => r.revision !== revision.sha)
    .map((r) =>
      r.outcome === 'Syncing'
        ? {
            ...r,
            outcome: 'Superseded' as const,
            finishedAt: now,
            message: `overtaken by ${revision.sha.slice(0, 12)}`,
          }
        : r,
    );
  return { ...before, observedRevision: revision.sha, history: [record, ...older].slice(0, MAX_HISTORY) };
}

/**
 * The status once `sha` takes the place of the revision in force, which ends as `Superseded`, or `Degraded` where
 * something of it had failed. Nothing changes where none is, or it is the same.
 */
export function withReplaced(status: SourceStatus, sha: string, end: PostMortem): SourceStatus {
  const { appliedRevision } = status;
  if (appliedRevision === undefined || appliedRevision === sha) return status;
  const outcome = end.health === 'Degraded' ? 'Degraded' : 'Superseded';
  const message = end.causes[0];
  return {
    ...status,
    history: status.history.map((r): RevisionRecord => {
      if (r.revision !== appliedRevision || !IN_FORCE.has(r.outcome)) return r;
      return {
        ...r,
        outcome,
        postMortem: end,
        message:
          message === undefined ? `replaced by ${sha.slice(0, 12)}` : `replaced by ${sha.slice(0, 12)}: ${message}`,
      };
    }),
  };
}

/** The status with `removed` at the records that are not among `onBranch`, and at no others. */
export function withRemoved(status: SourceStatus, onBranch: ReadonlySet<string>): SourceStatus {
  return {
    ...status,
    history: status.history.map(({ removed: _removed, ...r }) =>
      onBranch.has(r.revision) ? r : { ...r, removed: true },
    ),
  };
}

/**
 * The status with the outcome of one revision; `Applied` and `Healthy` also make it the applied one. An unknown
 * revision changes nothing.
 */
export function withOutcome(status: SourceStatus, sha: string, outcome: Outcome, now: string): SourceStatus {
  const done = outcome.outcome !== 'Syncing';
  const history = status.history.map((r): RevisionRecord => {
    if (r.revision !== sha) return r;
    const { message: _message, finishedAt: _finishedAt, ...rest } = r;
    return { ...rest, ...outcome, ...(done && { finishedAt: now }) };
  });
  const applied = IN_FORCE.has(outcome.outcome);
  return { ...status, history, ...(applied && recordOf(status, sha) && { appliedRevision: sha }) };
}

/**
 * The revision that was in force before the one that is, without those that failed: what `plumb rollback` goes back to.
 */
export function previousApplied(status: SourceStatus | undefined): RevisionRecord | undefined {
  const applied = (status?.history ?? []).filter(
    (r) => IN_FORCE.has(r.outcome) || (r.outcome === 'Superseded' && r.postMortem !== undefined),
  );
  const current = applied.findIndex((r) => r.revision === status?.appliedRevision);
  return current < 0 ? applied[0] : applied[current + 1];
}

/**
 * Whether a revision was good while it was in force: everything in it was healthy when it was looked at last, or when the next
 * one took its place.
 */
export function wasHealthy({ outcome, postMortem }: Pick<RevisionRecord, 'outcome' | 'postMortem'>): boolean {
  return outcome === 'Healthy' || (outcome === 'Superseded' && postMortem?.health === 'Healthy');
}
