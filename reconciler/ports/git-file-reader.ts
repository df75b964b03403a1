/** Reading a revision's files through the GitSource port, as rendering asks for them. */
import { PlumbError } from '../core/errors.ts';
import type { FileReader } from '../core/revisions/render.ts';
import type { GitSource } from './git-source.ts';

/** A reader over `git`; a blob over the limit is an answer, any other failure is thrown. */
export function gitFileReader(git: Pick<GitSource, 'blob'>, signal: AbortSignal): FileReader {
  return async (file, maxBytes) => {
    try {
      return await git.blob(file.oid, maxBytes, signal);
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'BlobTooLarge') return 'too-large';
      throw error;
    }
  };
}
