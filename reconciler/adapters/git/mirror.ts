/**
 * A private bare repository that holds what was fetched of a remote's branches. Nothing in it is of value: where it is
 * damaged, or has become crowded with what many small fetches brought, its objects are fetched anew and take the place
 * of the old ones.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import git, { type GitHttpResponse, type HttpClient } from 'isomorphic-git';
import { errorText } from '../../../contracts/errors.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import { gitFiles } from './git-files.ts';
import { FETCHED_TAG } from './own-refs.ts';
import { withSomeHead } from './pkt-line.ts';
import type { GitRemote } from './remote.ts';

export interface Mirror {
  readonly gitdir: string;
  /**
   * Makes the objects of one of the remote's refs present, by its full name, or of a commit by its id, with so many commits of its history. TerminalError `RepositoryTooLarge`, RetryableError
   * `GitUnreachable` and what the remote throws.
   */
  fetch(ref: string, signal: AbortSignal, depth?: number): Promise<void>;
  /** Remembers that the remote's ref is at `tip`, which is there. */
  note(ref: string, tip: string): Promise<void>;
  /**
   * Fetches the objects of `ref` as if there were none yet, then removes all that were there, also under a reader
   * that has their files open. Where it fails, they stay. Throws what `fetch` does.
   */
  renew(ref: string, signal: AbortSignal, depth?: number): Promise<void>;
  /** Whether so much was fetched in so many pieces that it is time to renew. */
  isCrowded(): Promise<boolean>;
}

/** HEAD of a mirror that was not told its remote's. */
export const NO_HEAD = 'none';

/** With this many packs a mirror is crowded. Source: git-config(1), `gc.autoPackLimit`. */
const MAX_PACKS = 50;
/** Largest pack that is fetched, in bytes. All of it is in memory while it is indexed. */
const MAX_PACK_BYTES = 512 * 1024 * 1024;

/** Remembers what the remote's HEAD names. */
export async function setMirrorHead(gitdir: string, branch: string): Promise<void> {
  await git.writeRef({ fs: gitFiles, gitdir, ref: 'HEAD', value: `refs/heads/${branch}`, symbolic: true, force: true });
}

/**
 * Makes `gitdir` anew with the newest commit of one ref, and nothing of its history. Throws what {@link Mirror.fetch} does,
 * and removes nothing then.
 */
export async function fetchTip(
  gitdir: string,
  remote: GitRemote,
  ref: string,
  signal: AbortSignal,
  maxPackBytes = MAX_PACK_BYTES,
): Promise<void> {
  await rm(gitdir, { recursive: true, force: true });
  await makeBare(gitdir);
  await fetchInto(gitdir, remote, ref, maxPackBytes, signal, 1);
}

/** Opens or makes the mirror in `gitdir`. The folder `gitdir`.renewed beside it is the mirror's too. */
export async function openMirror(gitdir: string, remote: GitRemote, maxPackBytes = MAX_PACK_BYTES): Promise<Mirror> {
  await makeBare(gitdir);
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time: each writes to the same folders. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  async function note(ref: string, value: string): Promise<void> {
    const before = await git.resolveRef({ fs: gitFiles, gitdir, ref: localRef(ref) }).catch(() => undefined);
    if (before !== value) await git.writeRef({ fs: gitFiles, gitdir, ref: localRef(ref), value, force: true });
  }

  async function renew(ref: string, signal: AbortSignal, depth?: number): Promise<void> {
    const fresh = `${gitdir}.renewed`;
    await rm(fresh, { recursive: true, force: true });
    try {
      await makeBare(fresh);
      await fetchInto(fresh, remote, ref, maxPackBytes, signal, depth);
      await replaceObjects(gitdir, fresh);
      await replaceShallow(gitdir, fresh);
      const value = await git.resolveRef({ fs: gitFiles, gitdir: fresh, ref: localRef(ref) });
      await git.writeRef({ fs: gitFiles, gitdir, ref: localRef(ref), value, force: true });
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }

  return {
    gitdir,
    fetch: (ref, signal, depth) => inTurn(() => fetchInto(gitdir, remote, ref, maxPackBytes, signal, depth)),
    note: (ref, tip) => inTurn(() => note(ref, tip)),
    renew: (ref, signal, depth) => inTurn(() => renew(ref, signal, depth)),
    async isCrowded() {
      const sizes = await packSizes(gitdir);
      return (
        sizes.length >= MAX_PACKS || (sizes.length > 1 && sizes.reduce((sum, size) => sum + size, 0) > 2 * maxPackBytes)
      );
    },
  };
}

async function makeBare(gitdir: string): Promise<void> {
  await mkdir(gitdir, { recursive: true, mode: 0o700 });
  await git.init({ fs: gitFiles, gitdir, bare: true, defaultBranch: NO_HEAD });
  await git.setConfig({ fs: gitFiles, gitdir, path: 'remote.origin.fetch', value: '+refs/heads/*:refs/heads/*' });
}

/**
 * Under which name the mirror remembers what it fetched, so as to tell the remote what it has. All tags share one: who
 * follows a range goes from one to the next.
 */
function localRef(ref: string): string {
  return ref.startsWith('refs/heads/') ? ref : FETCHED_TAG;
}

async function fetchInto(
  gitdir: string,
  remote: GitRemote,
  ref: string,
  maxBytes: number,
  signal: AbortSignal,
  depth?: number,
): Promise<void> {
  const finished = new AbortController();
  using over = joinSignals(signal, finished.signal);
  const { url, http } = remote.httpClient(over.signal);
  try {
    const { fetchHead } = await git.fetch({
      fs: gitFiles,
      gitdir,
      url,
      http: bounded(http, maxBytes),
      remote: 'origin',
      ref: localRef(ref),
      remoteRef: ref,
      singleBranch: true,
      tags: false,
      ...(depth !== undefined && { depth }),
    });
    if (fetchHead !== null)
      await git.writeRef({ fs: gitFiles, gitdir, ref: localRef(ref), value: fetchHead, force: true });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PlumbError) throw error;
    throw new RetryableError('GitUnreachable', `fetching ${ref} failed: ${errorText(error)}`, {
      cause: error,
    });
  } finally {
    finished.abort();
  }
}

/** The client with every answer cut at `maxBytes`. */
function bounded(http: HttpClient, maxBytes: number): HttpClient {
  async function* upTo(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new TerminalError(
          'RepositoryTooLarge',
          `the repository sends more than ${maxBytes} bytes for one fetch: keep manifests in a repository of their own`,
        );
      yield chunk;
    }
  }
  return {
    async request(asked): Promise<GitHttpResponse> {
      const { body, ...answer } = await http.request(asked);
      if (!body || asked.method === 'POST' || answer.statusCode !== 200)
        return { ...answer, ...(body && { body: upTo(body) }) };
      const chunks: Uint8Array[] = [];
      for await (const chunk of upTo(body)) chunks.push(chunk);
      return { ...answer, body: one(withSomeHead(Buffer.concat(chunks))) };
    },
  };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Sizes in bytes of the packs, those without an index among them, as a fetch that broke off leaves them. */
async function packSizes(gitdir: string): Promise<number[]> {
  const folder = join(gitdir, 'objects', 'pack');
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names.filter((name) => name.endsWith('.pack')).map(async (name) => (await stat(join(folder, name))).size),
  );
}

/** Where the history of what was fetched ends. Source: gitformat-shallow in gitrepository-layout(5). */
async function replaceShallow(gitdir: string, fresh: string): Promise<void> {
  const [from, to] = [join(fresh, 'shallow'), join(gitdir, 'shallow')];
  if (existsSync(from)) await rename(from, to);
  else await rm(to, { force: true });
}

/** Readers find a pack by its index, so that comes last and goes first: `git repack -d` has the same order. */
async function replaceObjects(gitdir: string, fresh: string): Promise<void> {
  const [from, to] = [join(fresh, 'objects', 'pack'), join(gitdir, 'objects', 'pack')];
  const indexLast = (a: string, b: string): number => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx'));
  await mkdir(to, { recursive: true });
  const names = (await readdir(from)).toSorted(indexLast);
  for (const name of names) await rename(join(from, name), join(to, name));
  const old = (await readdir(to)).filter((name) => !names.includes(name)).toSorted((a, b) => indexLast(b, a));
  for (const name of old) await rm(join(to, name), { recursive: true, force: true });
  const loose = (await readdir(join(gitdir, 'objects'))).filter((name) => /^[0-9a-f]{2}$/.test(name));
  for (const name of loose) await rm(join(gitdir, 'objects', name), { recursive: true, force: true });
}
