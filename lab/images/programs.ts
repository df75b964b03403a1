/** Programs of this machine for an image, with the libraries that they are linked with. */
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { TarEntry } from '../../contracts/tar.ts';
import { findProgram, runOrFail } from '../process.ts';

/** Empty where one of them is not installed. Libraries are where the machine's loader looks without a cache. */
export async function programEntries(names: readonly string[], signal?: AbortSignal): Promise<readonly TarEntry[]> {
  const programs = names.flatMap((name) => findProgram(name) ?? []);
  if (programs.length < names.length) return [];
  const linked = await Promise.all(programs.map((path) => runOrFail(['ldd', path], { signal })));
  const libraries = [...new Set(linked.flatMap(librariesOf))].sort();
  const folders = [...new Set(libraries.flatMap(foldersOf))].sort();
  return [
    ...folders.map((path): TarEntry => ({ type: 'folder', path, mode: 0o755 })),
    ...(await Promise.all(libraries.map((path) => entry(path, path.slice(1))))),
    ...(await Promise.all(programs.map((path) => entry(path, `usr/bin/${basename(path)}`)))),
  ];
}

/** Paths in what ldd(1) prints: `libc.so.6 => /lib/libc.so.6 (0x7f00)`, and the loader's own without a name. */
export function librariesOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => /(?:^|\s)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function foldersOf(path: string): readonly string[] {
  const folder = dirname(path);
  return folder === '/' ? [] : [...foldersOf(folder), folder.slice(1)];
}

async function entry(from: string, path: string): Promise<TarEntry> {
  return { type: 'file', path, mode: 0o755, content: await readFile(from) };
}
