/** Files of this machine as a tar archive, while it is read. */
import type { Stats } from 'node:fs';
import { createReadStream } from 'node:fs';
import { lstat, opendir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliFailure } from '../failure.ts';
import { BLOCK, padding, TYPE, writeHeader } from './tar-format.ts';

/**
 * `source`: a file or a folder, or a link to one. It is named `name` in the archive. Links below are archived as links;
 * `note` is told of what is neither a file, a folder nor a link, and left out. CliFailure for what is not there, or
 * changed while it was read.
 */
export async function* writeTar(source: string, name: string, note: (line: string) => void): AsyncGenerator<Buffer> {
  yield* entries(source, name, await stat(source), note);
  yield Buffer.alloc(2 * BLOCK);
}

async function* entries(
  path: string,
  name: string,
  facts: Stats,
  note: (line: string) => void,
): AsyncGenerator<Buffer> {
  const { mode, uid, gid, size } = facts;
  const about = { target: '', mode, uid, gid, size: 0, mtime: facts.mtimeMs / 1000 };
  if (facts.isDirectory()) {
    yield writeHeader({ ...about, type: TYPE.folder, path: `${name}/` });
    for await (const entry of await opendir(path)) {
      const below = join(path, entry.name);
      yield* entries(below, `${name}/${entry.name}`, await lstat(below), note);
    }
  } else if (facts.isSymbolicLink()) {
    yield writeHeader({ ...about, type: TYPE.symlink, path: name, target: await readlink(path) });
  } else if (facts.isFile()) {
    yield writeHeader({ ...about, type: TYPE.file, path: name, size });
    yield* content(path, size);
    yield Buffer.alloc(padding(size));
  } else {
    note(`${path} was left out: it is neither a file, a folder nor a link`);
  }
}

async function* content(path: string, size: number): AsyncGenerator<Buffer> {
  if (size === 0) return;
  let left = size;
  // As long as the header says, whatever is appended meanwhile.
  for await (const chunk of createReadStream(path, { end: size - 1 })) {
    left -= (chunk as Buffer).length;
    yield chunk as Buffer;
  }
  if (left > 0) throw new CliFailure(1, `${path} became shorter while it was read`);
}
