/** A private bare repository that holds what was fetched of a remote branch. */
import fs from 'node:fs';
import { mkdir } from 'node:fs/promises';
import git from 'isomorphic-git';
import { PlumbError, RetryableError } from '../../core/errors.ts';
import type { GitRemote } from './remote.ts';

export interface Mirror {
  readonly gitdir: string;
  /** Makes the objects of the remote's `branch` present. */
  fetch(branch: string, signal: AbortSignal): Promise<void>;
}

/** HEAD of a mirror that was not told its remote's. */
export const NO_HEAD = 'none';

/** Remembers what the remote's HEAD names. */
export async function setMirrorHead(gitdir: string, branch: string): Promise<void> {
  await git.writeRef({ fs, gitdir, ref: 'HEAD', value: `refs/heads/${branch}`, symbolic: true, force: true });
}

/** Opens or makes the mirror in `gitdir`. */
export async function openMirror(gitdir: string, remote: GitRemote): Promise<Mirror> {
  await mkdir(gitdir, { recursive: true, mode: 0o700 });
  await git.init({ fs, gitdir, bare: true, defaultBranch: NO_HEAD });
  await git.setConfig({ fs, gitdir, path: 'remote.origin.fetch', value: '+refs/heads/*:refs/heads/*' });
  return {
    gitdir,
    async fetch(branch, signal) {
      const finished = new AbortController();
      try {
        await git.fetch({ fs, gitdir, ...remote.httpClient(AbortSignal.any([signal, finished.signal])), remote: 'origin', ref: branch, singleBranch: true, tags: false });
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof PlumbError) throw error;
        throw new RetryableError('GitUnreachable', `fetching branch ${branch} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      } finally {
        finished.abort();
      }
    },
  };
}
