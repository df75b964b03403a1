/** Objects read by isomorphic-git: no `git` is needed on the machine. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import git from 'isomorphic-git';
import { type ObjectEngine, unreadable } from './engine.ts';
import { gitFiles } from './git-files.ts';
import { objectSize } from './object-size.ts';
import type { ObjectType, RawObject } from './raw-objects.ts';

function isNotFound(error: unknown): boolean {
  return error instanceof git.Errors.NotFoundError;
}

/**
 * Reads `gitdir` in place. Packs are kept open in one cache that is dropped when the folder of packs changes, so
 * objects that a push or `git gc` moves are found, and packs that are gone do not stay in memory.
 */
export function openIsomorphicEngine(gitdir: string): ObjectEngine {
  let cache: object = {};
  let packsChangedAt = -1;

  async function currentCache(): Promise<object> {
    const changedAt = await stat(join(gitdir, 'objects', 'pack')).then(
      (s) => s.mtimeMs,
      () => 0,
    );
    if (changedAt !== packsChangedAt) {
      packsChangedAt = changedAt;
      cache = {};
    }
    return cache;
  }

  async function readOnce(oid: string): Promise<RawObject> {
    const found = await git.readObject({ fs: gitFiles, gitdir, oid, format: 'content', cache: await currentCache() });
    return { type: found.type as ObjectType, content: Buffer.from(found.object as Uint8Array) };
  }

  async function read(oid: string, signal: AbortSignal): Promise<RawObject | undefined> {
    signal.throwIfAborted();
    try {
      return await readOnce(oid);
    } catch {
      // `git gc` may have moved the object between two looks: once more, with nothing remembered.
      packsChangedAt = -1;
      return readOnce(oid).catch((error: unknown) => {
        packsChangedAt = -1;
        if (isNotFound(error)) return undefined;
        throw unreadable(oid, gitdir, error);
      });
    }
  }

  async function ref(name: string): Promise<string | undefined> {
    try {
      return await git.resolveRef({ fs: gitFiles, gitdir, ref: name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  return {
    name: 'isomorphic',
    read,
    async size(oid) {
      try {
        return (await objectSize(gitdir, oid)) ?? (await objectSize(gitdir, oid));
      } catch (error) {
        throw unreadable(oid, gitdir, error);
      }
    },
    ref,
    async hasRefs() {
      for (const filepath of ['refs/heads', 'refs/tags', 'refs/remotes'])
        if ((await git.listRefs({ fs: gitFiles, gitdir, filepath })).length > 0) return true;
      return false;
    },
    tags: () => git.listTags({ fs: gitFiles, gitdir }),
    async expand(prefix) {
      try {
        return [await git.expandOid({ fs: gitFiles, gitdir, oid: prefix, cache: await currentCache() })];
      } catch (error) {
        if (error instanceof git.Errors.AmbiguousError) return error.data.matches;
        if (isNotFound(error)) return [];
        throw error;
      }
    },
    async close() {
      cache = {};
    },
  };
}
