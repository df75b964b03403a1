/** The folder of static pods. What a kubelet passes over is passed over: hidden files, and what is no file. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { STATIC_POD_LIMITS } from '../../../contracts/agent/places.ts';
import type { StaticFile, StaticFiles } from '../../ports/static-files.ts';
import { readBeginning } from './descriptors.ts';

export function staticFiles(folder: string): StaticFiles {
  return {
    async read() {
      const names = (await readdir(folder).catch(nothingThere)).filter((name) => !name.startsWith('.')).sort();
      if (names.length > STATIC_POD_LIMITS.files)
        throw new Error(`${folder} has ${names.length} files; ${STATIC_POD_LIMITS.files} are taken at most`);
      const files: StaticFile[] = [];
      let left: number = STATIC_POD_LIMITS.bytes;
      for (const name of names) {
        const content = await readBeginning(join(folder, name), left + 1);
        if (content === undefined) continue;
        left -= content.length;
        if (left < 0)
          throw new Error(`${join(folder, name)}: the files have more than ${STATIC_POD_LIMITS.bytes} bytes together`);
        files.push({ name, text: content.toString('utf8') });
      }
      return files;
    },
  };
}

function nothingThere(cause: NodeJS.ErrnoException): readonly string[] {
  if (cause.code === 'ENOENT') return [];
  throw cause;
}
