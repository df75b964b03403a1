/**
 * The GitPublisher port over a repository of this machine, HTTPS or SSH. What is written goes as a push of exactly the
 * objects that are new, so that the other side compares, swaps and keeps its rights as with every push.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../../contracts/errors.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import { blobId } from '../../core/sources/blob-id.ts';
import type { Revision } from '../../ports/git-source.ts';
import type { GitPublisher, Published, RefChange, RefChanged } from '../../ports/git-publisher.ts';
import { inTurns, UNSHARED, type TurnTaking } from '../../ports/turn-taking.ts';
import { buildTree, type BuiltTree, type FileEntry } from './built-tree.ts';
import { interruptible, missing, type ObjectEngine } from './engine.ts';
import { findPlace, type PlaceOptions } from './place.ts';
import { hooklessServiceArgv, processRemote } from './process-remote.ts';
import { NO_OBJECT, pushCommit } from './push-commit.ts';
import { formatCommit, parseCommit, type RawObject } from './raw-objects.ts';
import { readCommit } from './rev-expression.ts';
import { createTreeWalk } from './tree-walk.ts';

export interface GitPublisherOptions extends PlaceOptions {
  /** Where what is read is put; required for anything but a path. */
  readonly cacheDir: string;
  /** Whom trees of many files are made beside. */
  readonly turns?: TurnTaking;
}

/** What a ref is at, with what writing on top of it needs. */
interface Tip extends Published {
  readonly entries: ReadonlyMap<string, FileEntry>;
  readonly tree: BuiltTree;
}

interface Fetched {
  readonly engine: ObjectEngine;
  readonly close: () => Promise<void>;
}

/** Throws as opening a source does; asks nobody. */
export async function openGitPublisher(options: GitPublisherOptions): Promise<GitPublisher> {
  const { url, remote: asPushed, found } = await findPlace(options);
  const remote = found ? processRemote(url, hooklessServiceArgv(found.gitdir)) : asPushed;
  const { openIsomorphicEngine } = await import('./isomorphic-engine.ts');
  const own = found && interruptible(openIsomorphicEngine(found.gitdir));
  const turns = options.turns ?? UNSHARED;
  const held = new Map<string, Tip>();
  const fetches = new Map<string, Promise<Fetched>>();

  async function tipOf(ref: string, signal: AbortSignal): Promise<string | undefined> {
    if (!own) return (await remote.advertise('git-upload-pack', signal)).refs.get(ref);
    try {
      return await own.ref(ref, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new RetryableError('GitUnreachable', `cannot read ${url}: ${errorText(error)}`, { cause: error });
    }
  }

  async function fetch(ref: string, signal: AbortSignal): Promise<Fetched> {
    const { fetchTip } = await import('./mirror.ts');
    const gitdir = join(options.cacheDir, createHash('sha256').update(ref).digest('hex').slice(0, 16));
    const remove = (): Promise<void> => rm(gitdir, { recursive: true, force: true });
    try {
      await fetchTip(gitdir, remote, ref, signal);
    } catch (error) {
      await remove();
      throw error;
    }
    const engine = interruptible(openIsomorphicEngine(gitdir));
    return { engine, close: () => engine.close().then(remove) };
  }

  /** Who reads objects of the ref: what is written by us is fetched only where somebody asks for its contents. */
  async function engineFor(ref: string, signal: AbortSignal): Promise<ObjectEngine> {
    if (own) return own;
    const fetching = fetches.get(ref) ?? fetch(ref, signal);
    fetches.set(ref, fetching);
    try {
      return (await fetching).engine;
    } catch (error) {
      fetches.delete(ref);
      throw error;
    }
  }

  async function forget(ref: string): Promise<void> {
    const fetching = fetches.get(ref);
    held.delete(ref);
    fetches.delete(ref);
    await (await fetching?.catch(() => undefined))?.close();
  }

  async function read(ref: string, signal: AbortSignal): Promise<Published | undefined> {
    const sha = await tipOf(ref, signal);
    const before = held.get(ref);
    if (sha !== undefined && before?.revision.sha === sha) return before;
    await forget(ref);
    if (sha === undefined) return undefined;
    const engine = await engineFor(ref, signal);
    const revision = await readCommit(engine, sha, signal);
    if (revision?.sha !== sha)
      throw new TerminalError(
        'TreeInvalid',
        `${ref} of ${url} is at ${sha}, which is no commit: take that ref away there`,
      );
    const files = await createTreeWalk(engine)(revision.tree, signal);
    const entries = new Map(files.map(({ path, mode, oid }) => [path, { mode, oid }]));
    return hold(ref, revision, entries, await inTurns(buildTree(entries), turns, signal));
  }

  function hold(ref: string, revision: Revision, entries: Tip['entries'], tree: BuiltTree): Tip {
    const files = new Map([...entries].map(([path, { oid }]) => [path, oid]));
    const tip: Tip = {
      revision,
      entries,
      tree,
      files,
      content: async (path, maxBytes, signal) =>
        contentOf(await engineFor(ref, signal), `${path} of ${ref}`, files.get(path), maxBytes, signal),
    };
    held.set(ref, tip);
    return tip;
  }

  async function commit(change: RefChange, signal: AbortSignal): Promise<RefChanged> {
    const { ref, put, remove } = change;
    const onto = change.onto && tipFor(change.onto);
    const before = onto?.tree;
    if (onto && before?.root !== onto.revision.tree)
      throw new TerminalError(
        'TreeInvalid',
        `${ref} of ${url} holds what cannot be written again as it is (a name that is not UTF-8): take it away there`,
      );
    const entries = new Map(onto?.entries);
    for (const path of remove) entries.delete(path);
    const known = new Set([...entries.values()].map(({ oid }) => oid));
    const blobs = new Map<string, RawObject>();
    for (const [path, bytes] of put) {
      const oid = blobId(bytes);
      entries.set(path, { mode: '100644', oid });
      if (!known.has(oid)) blobs.set(oid, { type: 'blob', content: Buffer.from(bytes) });
    }
    const after = await inTurns(buildTree(entries), turns, signal);
    if (after.root === before?.root) return 'same';
    const from = onto?.revision.sha;
    const { author, at, message } = change;
    const made = formatCommit({ tree: after.root, parent: from, author, at, message });
    const trees = [...after.trees]
      .filter(([oid]) => before?.trees.has(oid) !== true)
      .map(([, content]): RawObject => ({ type: 'tree', content }));
    const objects: RawObject[] = [{ type: 'commit', content: made.content }, ...trees, ...blobs.values()];
    try {
      await pushCommit(remote, { ref, from: from ?? NO_OBJECT, to: made.sha, objects }, signal);
      await forget(ref);
      hold(ref, parseCommit(made.sha, made.content), entries, after);
      return { commit: made.sha };
    } catch (error) {
      if (!(error instanceof PlumbError) || error.code !== 'PushRejected') throw error;
      const now = await tipOf(ref, signal);
      if (now === made.sha) return { commit: made.sha };
      if (now !== from) return 'moved';
      throw error;
    }
  }

  return {
    url,
    read,
    commit,
    async close() {
      for (const ref of new Set([...held.keys(), ...fetches.keys()])) await forget(ref);
      await own?.close();
    },
  };
}

/** What was read by an adapter of another kind cannot be written on. */
function tipFor(published: Published): Tip {
  if (!('entries' in published)) throw new TypeError('not read by this publisher');
  return published as Tip;
}

async function contentOf(
  engine: ObjectEngine,
  what: string,
  oid: string | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const size = oid === undefined ? undefined : await engine.size(oid, signal);
  if (oid === undefined || size === undefined) throw missing('blob', oid ?? what);
  if (size > maxBytes)
    throw new TerminalError('BlobTooLarge', `${what} has ${size} bytes, more than the limit of ${maxBytes}`);
  const object = await engine.read(oid, signal);
  if (!object) throw missing('blob', oid);
  return object.content;
}
