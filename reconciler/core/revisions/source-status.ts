/** The conditions of a Source, from what happened. */
import { displayKey, withCondition, type Condition, type SourceStatus } from '../../../contracts/objects/index.ts';
import type { Kept } from '../diff/types.ts';
import { type ObjectReport, unhealthySentences } from './health.ts';

export type SyncReason =
  | 'Applied'
  | 'Syncing'
  | 'Refused'
  | 'GitUnreachable'
  | 'RepositoryDamaged'
  | 'BranchUnborn'
  | 'BranchMissing'
  | 'ApplyFailed';

const STATUS_OF: Readonly<Record<SyncReason, Condition['status']>> = {
  Applied: 'True',
  Syncing: 'Unknown',
  Refused: 'False',
  GitUnreachable: 'Unknown',
  RepositoryDamaged: 'Unknown',
  BranchUnborn: 'False',
  BranchMissing: 'False',
  ApplyFailed: 'False',
};

/** The status with condition `Synced`: the newest revision of the branch is the one in force, or why not. */
export function withSynced(status: SourceStatus, reason: SyncReason, message: string, now: string): SourceStatus {
  return {
    ...status,
    conditions: withCondition(status.conditions, { type: 'Synced', status: STATUS_OF[reason], reason, message }, now),
  };
}

/** What became of writing back into the repository; undefined where that is not asked for. */
export type PublishedState = { readonly done: string } | { readonly reason: string; readonly problem: string };

/** The status with condition `Published`, or without one. */
export function withPublished(status: SourceStatus, state: PublishedState | undefined, now: string): SourceStatus {
  if (state === undefined) {
    const { conditions, ...rest } = status;
    const others = conditions?.filter(({ type }) => type !== 'Published');
    return others === undefined || others.length === conditions?.length ? status : { ...rest, conditions: others };
  }
  const [verdict, reason, message] =
    'done' in state ? (['True', 'Published', state.done] as const) : (['False', state.reason, state.problem] as const);
  return {
    ...status,
    conditions: withCondition(status.conditions, { type: 'Published', status: verdict, reason, message }, now),
  };
}

/** Objects that are named as kept. */
const MOST_KEPT = 20;

/** The status with what is in no manifest any more and stays, for people. */
export function withKept({ kept: _before, ...status }: SourceStatus, kept: readonly Kept[]): SourceStatus {
  if (kept.length === 0) return status;
  const lines = kept.slice(0, MOST_KEPT).map(({ key, by }) => `${displayKey(key)}: ${by}`);
  return { ...status, kept: kept.length > MOST_KEPT ? [...lines, `and ${kept.length - MOST_KEPT} more`] : lines };
}

/** The status with the commits of other repositories that are in force. */
export function withPins({ sources: _before, ...status }: SourceStatus, pins: SourceStatus['sources']): SourceStatus {
  return pins ? { ...status, sources: pins } : status;
}

const SHOWN = 5;

/**
 * The status with condition `Healthy`: everything in the applied revision is well, or the first few things that are
 * not.
 */
export function withHealthy(status: SourceStatus, reports: readonly ObjectReport[], now: string): SourceStatus {
  const sentences = unhealthySentences(reports);
  const degraded = reports.some((r) => r.health === 'Degraded' || r.health === 'Missing');
  const rest = sentences.length > SHOWN ? [`and ${sentences.length - SHOWN} more`] : [];
  const condition =
    sentences.length === 0
      ? {
          type: 'Healthy',
          status: 'True' as const,
          reason: 'AllHealthy',
          message: `${reports.length} objects are healthy`,
        }
      : {
          type: 'Healthy',
          status: 'False' as const,
          reason: degraded ? 'Degraded' : 'Progressing',
          message: [...sentences.slice(0, SHOWN), ...rest].join('; '),
        };
  return { ...status, conditions: withCondition(status.conditions, condition, now) };
}
