/** Opens a repository as a {@link GitSource}. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../../contracts/errors.ts';
import { limitSignals } from '../../../contracts/signals.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import { followedRef, followedWords, isRange, tagOf, type Followed } from '../../core/sources/follow.ts';
import type { BranchHead, GitSource, Revision } from '../../ports/git-source.ts';
import { interruptible, missing, type ObjectEngine } from './engine.ts';
import { readHead } from './find-repository.ts';
import { hintsFrom, watchedFolders } from './hints.ts';
import type { Mirror } from './mirror.ts';
import { openNativeEngine } from './native-engine.ts';
import type { Nudges } from './nudges.ts';
import { tagsOf, type Advertisement } from './pkt-line.ts';
import { findPlace, type PlaceOptions } from './place.ts';
import { pushCommit } from './push-commit.ts';
import { formatCommit } from './raw-objects.ts';
import type { GitRemote } from './remote.ts';
import { followRemote } from './remote-follower.ts';
import { baseOf, readCommit, resolveRevision } from './rev-expression.ts';
import { createTreeWalk } from './tree-walk.ts';

export interface GitSourceOptions extends PlaceOptions {
  /** What the repository's HEAD names when absent, or `main` where it names nothing. */
  readonly branch?: string;
  /** A tag, or a range of versions among the tags, in place of a branch. */
  readonly follow?: Exclude<Followed, { readonly branch: string }> | undefined;
  /** Where to keep what is fetched; required for anything but a path. */
  readonly cacheDir?: string;
  /** Largest pack that is fetched from a remote repository, in bytes; 512 MiB when absent. */
  readonly maxPackBytes?: number;
  /**
   * `isomorphic` (default) needs no git on the machine; `native` holds no pack in memory; `quarantine` is `native` with
   * a receiving hook's environment.
   */
  readonly engine?: 'isomorphic' | 'native' | 'quarantine';
  /** Whether {@link GitSource.resolve} fetches a commit that what is followed does not have. */
  readonly anyCommit?: boolean;
  /** Who else tells of pushes. */
  readonly nudges?: Nudges;
  /** The time of commits that {@link GitSource.commitTree} makes. */
  readonly now?: () => Date;
}

interface Backend {
  /** Without credentials. */
  readonly url: string;
  readonly gitdir: string;
  readonly remote: GitRemote;
  /** Undefined: `gitdir` is the repository itself. */
  readonly mirror: Mirror | undefined;
  /** The folder with the HEAD that is meant: of a linked work tree not the one with the objects. */
  readonly headDir: string;
}

/**
 * Opens the repository. A remote one is contacted only where no branch is given; when it does not answer then, the
 * branch that it named last is followed, and its error thrown where there is none. Throws TerminalError
 * `RepositoryNotFound` for a path without a repository, `GitUrlInvalid` for text that is no place of one.
 */
export async function openGitSource(options: GitSourceOptions): Promise<GitSource> {
  const backend = await openBackend(options);
  const engine = interruptible(await openEngine(options.engine ?? 'isomorphic', backend.gitdir));
  if (options.follow) return createSource(backend, engine, { follows: options.follow, head: undefined }, options);
  const checkedOut = backend.mirror || options.branch !== undefined ? undefined : await readHead(backend.headDir);
  const branch =
    options.branch ??
    (backend.mirror ? await remoteDefaultBranch(backend.remote, backend.gitdir) : (checkedOut?.branch ?? 'main'));
  return createSource(backend, engine, { follows: { branch }, head: checkedOut?.commit }, options);
}

/** How long a remote may take to say what its HEAD is, in milliseconds. */
const HEAD_LIMIT_MS = 30_000;

function startTimer(ms: number, then: () => void): () => void {
  const timer = setTimeout(then, ms);
  return () => {
    clearTimeout(timer);
  };
}

/** The mirror's own HEAD remembers the answer. Source: gitprotocol-capabilities(5), `symref`. */
async function remoteDefaultBranch(remote: GitRemote, gitdir: string): Promise<string> {
  const { NO_HEAD, setMirrorHead } = await import('./mirror.ts');
  try {
    using limit = limitSignals(startTimer, HEAD_LIMIT_MS);
    const { headRef, refs } = await remote.advertise('git-upload-pack', limit.signal);
    const branch = headRef?.replace(/^refs\/heads\//, '') ?? onlyBranch([...refs.keys()]) ?? 'main';
    await setMirrorHead(gitdir, branch);
    return branch;
  } catch (error) {
    const { branch } = await readHead(gitdir);
    if (branch === undefined || branch === NO_HEAD) throw error;
    return branch;
  }
}

/** A server whose HEAD names a branch that is not born does not tell it; one branch alone leaves no choice. */
function onlyBranch(refs: readonly string[]): string | undefined {
  const branches = refs.filter((ref) => ref.startsWith('refs/heads/'));
  return branches.length === 1 ? branches[0]?.slice('refs/heads/'.length) : undefined;
}

async function openBackend(options: GitSourceOptions): Promise<Backend> {
  const { url, remote, found } = await findPlace(options);
  if (found) return { url, remote, ...found, mirror: undefined };
  if (options.cacheDir === undefined)
    throw new TerminalError('GitUrlInvalid', `${url}: a remote repository needs a folder to fetch into`);
  // The push hook reads in place, and would spend a tenth of its time on loading isomorphic-git.
  const { openMirror } = await import('./mirror.ts');
  const mirror = await openMirror(options.cacheDir, remote, options.maxPackBytes);
  return { url, remote, gitdir: mirror.gitdir, headDir: mirror.gitdir, mirror };
}

async function openEngine(kind: 'isomorphic' | 'native' | 'quarantine', gitdir: string): Promise<ObjectEngine> {
  if (kind !== 'isomorphic') return openNativeEngine(gitdir, { quarantine: kind === 'quarantine' });
  const { openIsomorphicEngine } = await import('./isomorphic-engine.ts');
  return openIsomorphicEngine(gitdir);
}

/** Words for a commit that name no branch: those for the followed one, and ids. */
const NO_BRANCH = /^(|HEAD|@|[0-9a-f]{40})$/;

const FULL_ID = /^[0-9a-f]{40}$/;

/** A ref that there is never. */
const NO_REF = 'refs/plumbline/none';

/** Refs as the remote told them last; objects from the mirror. */
function withAdvertisedRefs(engine: ObjectEngine, last: () => Advertisement | undefined): ObjectEngine {
  return {
    ...engine,
    async ref(name) {
      const refs = last()?.refs;
      return refs?.get(`${name}^{}`) ?? refs?.get(name);
    },
    async tags() {
      const told = last();
      return told ? [...tagsOf(told)] : [];
    },
    hasRefs: async () => (last()?.refs.size ?? 0) > 0,
  };
}

/** What is followed; `head`: what `HEAD` means where that is another commit, checked out without a branch. */
interface Followable {
  readonly follows: Followed;
  readonly head: string | undefined;
}

function createSource(
  backend: Backend,
  objects: ObjectEngine,
  { follows, head: checkedOut }: Followable,
  { nudges, anyCommit = false, now = () => new Date() }: Pick<GitSourceOptions, 'nudges' | 'anyCommit' | 'now'>,
): GitSource {
  const branch = 'branch' in follows ? follows.branch : undefined;
  let wasBorn = false;
  const follower = backend.mirror && followRemote(backend.mirror, backend.remote, objects, follows);
  const engine = follower ? withAdvertisedRefs(objects, () => follower.advertised()) : objects;
  const walk = createTreeWalk(engine);

  /** What `look` finds in a repository that is whole, as far as that is ours to mend. */
  function whole<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return follower ? follower.mending(look, signal) : look();
  }

  /** The full name of the ref that is followed; undefined where no tag fits. */
  async function refOf(signal: AbortSignal): Promise<string | undefined> {
    return followedRef(follows, isRange(follows) ? await engine.tags(signal) : []);
  }

  async function head(signal: AbortSignal): Promise<BranchHead> {
    await follower?.refresh(signal);
    const ref = await reached(refOf(signal), signal);
    const sha = ref === undefined ? undefined : await reached(engine.ref(ref, signal), signal);
    if (ref === undefined || sha === undefined) {
      if (!existsSync(join(backend.gitdir, 'HEAD')))
        throw new RetryableError('GitUnreachable', `cannot read ${backend.url}: the repository is gone`);
      const hasOthers = wasBorn || (await reached(engine.hasRefs(signal), signal));
      return { state: hasOthers ? 'missing' : 'unborn' };
    }
    const revision = await reached(
      whole(() => readCommit(engine, sha, signal), signal),
      signal,
    );
    if (!revision)
      throw new RetryableError('GitUnreachable', `${backend.url}: ${ref} points at ${sha}, which is not there yet`);
    wasBorn = true;
    const tag = tagOf(ref);
    return { state: 'at', revision, ...(tag !== undefined && { tag }) };
  }

  async function reached<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PlumbError) throw error;
      throw new RetryableError('GitUnreachable', `cannot read ${backend.url}: ${errorText(error)}`, { cause: error });
    }
  }

  async function commit(sha: string, signal: AbortSignal): Promise<Revision> {
    const isHead = /^(HEAD|@)$/.test(baseOf(sha));
    const headName = isHead ? (checkedOut ?? (await refOf(signal)) ?? NO_REF) : NO_REF;
    return whole(() => resolveRevision(engine, sha, headName, signal), signal);
  }

  return {
    url: backend.url,
    follows,
    head,
    async resolve(rev, signal) {
      const base = baseOf(rev).replace(/^refs\/heads\//, '');
      if (anyCommit && FULL_ID.test(base)) {
        await follower?.bringCommit(base, signal);
        return commit(rev, signal);
      }
      if (follower && !follower.advertised()) await follower.refresh(signal);
      if (base !== branch && !NO_BRANCH.test(base)) await follower?.refreshOther(base, signal);
      return commit(rev, signal);
    },
    async files(sha, signal) {
      const { tree } = await commit(sha, signal);
      return whole(() => walk(tree, signal), signal);
    },
    blob: (oid, maxBytes, signal) =>
      whole(async () => {
        const size = await engine.size(oid, signal);
        if (size === undefined) throw missing('blob', oid);
        if (size > maxBytes)
          throw new TerminalError('BlobTooLarge', `blob ${oid} has ${size} bytes, more than the limit of ${maxBytes}`);
        const object = await engine.read(oid, signal);
        if (!object) throw missing('blob', oid);
        return object.content;
      }, signal),
    async log(sha, limit, signal) {
      const found: Revision[] = [];
      for (let next: Revision | undefined = await commit(sha, signal); next && found.length < limit;) {
        found.push(next);
        const parent: string | undefined = next.parents[0];
        next =
          parent === undefined || found.length >= limit
            ? undefined
            : await whole(() => readCommit(engine, parent, signal), signal);
      }
      return found;
    },
    hints: (pollSeconds, signal) =>
      hintsFrom({ folders: follower ? [] : watchedFolders(backend.gitdir, follows), nudges }, pollSeconds, signal),
    async commitTree(change, signal) {
      if (branch === undefined)
        throw new TerminalError(
          'PushRejected',
          `${followedWords(follows)} of ${backend.url} is followed, and no branch that a commit could go to: push one, and tag it`,
        );
      const before = await head(signal);
      if (before.state !== 'at') throw new TerminalError('PushRejected', `branch ${branch} has no commit to build on`);
      const { tree } = await commit(change.restore, signal);
      const made = formatCommit({
        tree,
        parent: before.revision.sha,
        author: change.author,
        at: now(),
        message: change.message,
      });
      await pushCommit(
        backend.remote,
        {
          ref: `refs/heads/${branch}`,
          from: before.revision.sha,
          to: made.sha,
          objects: [{ type: 'commit', content: made.content }],
        },
        signal,
      );
      await follower?.refresh(signal);
      return commit(made.sha, signal);
    },
    close: () => objects.close(),
  };
}
