/** Brings a branch to the objects of the revision in force. */
import type { SourceStatus } from '../../../contracts/objects/index.ts';
import { RetryableError, TerminalError } from '../../core/errors.ts';
import { recordOf } from '../../core/revisions/history.ts';
import { refusalMessage } from '../../core/revisions/refusal.ts';
import {
  renderedFrom,
  renderedMessage,
  type RenderedFile,
  type RenderedTree,
} from '../../core/revisions/rendered-tree.ts';
import type { GitPublisher, Published } from '../../ports/git-publisher.ts';
import { inSlices } from '../runtime/slices.ts';
import { unavailable } from './best-rendering.ts';
import { pinned } from './other-sources.ts';
import { PUBLISHER } from './outcome-notes.ts';
import type { RevisionReader } from './revision-reader.ts';

/** How often what was read is decided on anew, where others write too. */
const MAX_ROUNDS = 5;
const SHORT = 12;

export interface RenderedBranch {
  readonly branch: string;
  readonly sourceName: string;
  readonly reader: RevisionReader;
  readonly tree: RenderedTree;
  readonly now: () => Date;
}

/**
 * One commit where the objects are others than those of the branch, and none where they are the same. Throws TerminalError
 * `RenderedBranchTaken` where the branch is at a commit that is not ours, `RevisionNotFound` and `RevisionInvalid` where the revision
 * cannot be rendered any more, RetryableError `RefContended` and `SourceUnavailable`, and what {@link GitPublisher} throws.
 */
export async function writeRendered(
  publisher: GitPublisher,
  status: SourceStatus,
  { branch, sourceName, reader, tree, now }: RenderedBranch,
  signal: AbortSignal,
): Promise<void> {
  const revision = status.appliedRevision;
  if (revision === undefined) return;
  const files = await rendered(reader, tree, revision, status.sources, signal);
  const ref = `refs/heads/${branch}`;
  const { subject = '', author = 'somebody' } = recordOf(status, revision) ?? {};
  const message = renderedMessage({ revision, subject, author }, sourceName);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const onto = await publisher.read(ref, signal);
    if (onto && renderedFrom(onto.revision.message) === undefined) throw taken(branch, publisher.url, onto);
    const put = await inSlices(tree.changed(files, onto?.files), signal);
    const remove = new Set([...(onto?.files.keys() ?? [])].filter((path) => !files.has(path)));
    if (put.size === 0 && remove.size === 0) return;
    const change = { ref, onto, put, remove, message, author: PUBLISHER, at: now() };
    if ((await publisher.commit(change, signal)) !== 'moved') return;
  }
  throw new RetryableError(
    'RefContended',
    `${ref} of ${publisher.url} moved ${MAX_ROUNDS} times while it was written: others write it too`,
  );
}

async function rendered(
  reader: RevisionReader,
  tree: RenderedTree,
  revision: string,
  pins: SourceStatus['sources'],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, RenderedFile>> {
  const found = await reader.read(revision, signal, pinned(pins));
  // What cannot be read is not what has gone.
  const missing = found.sources?.find(({ id, commit }) => commit === undefined && pinned(pins)(id) !== 'none');
  if (missing) throw unavailable(missing);
  const errors = found.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0)
    throw new TerminalError(
      'RevisionInvalid',
      `${revision.slice(0, SHORT)}, which is in force, cannot be rendered any more: ${refusalMessage(errors)}`,
    );
  return inSlices(tree.files(found), signal);
}

function taken(branch: string, url: string, { revision: { sha, author } }: Published): TerminalError {
  return new TerminalError(
    'RenderedBranchTaken',
    `branch ${branch} of ${url} is at ${sha.slice(0, SHORT)} by ${author.name}, which is no commit of ours: nothing is overwritten; name another branch in spec.publish.rendered of the Cluster, or take that commit off it`,
  );
}
