/** Reading a folder that is to be imported: bounded, and no link is followed. */
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceTree } from '../../reconciler/core/import/index.ts';
import { MAX_FILE_BYTES } from '../../reconciler/core/manifests/index.ts';
import { CliFailure } from '../failure.ts';

export interface TreeLimits {
  readonly files: number;
  /** Of all that is read. */
  readonly bytes: number;
  readonly depth: number;
}
const LIMITS: TreeLimits = { files: 50_000, bytes: 256 * 1024 * 1024, depth: 40 };

/**
 * The files below `root`, without those of hidden folders and `node_modules`. Links, sockets and devices are as if they
 * were not there. A file that is larger than a manifest may be, or no text, is named and not read. Rejects where there is
 * more than the limits allow.
 */
export async function readTree(root: string, limits: TreeLimits = LIMITS): Promise<SourceTree> {
  const texts = new Map<string, string>();
  const paths = new Set<string>();
  let bytes = 0;
  const folders: { readonly path: string; readonly depth: number }[] = [{ path: '', depth: 0 }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    const { path: prefix, depth } = folder;
    if (depth > limits.depth) throw tooMuch(root, `folders more than ${limits.depth} deep`);
    for (const entry of await readdir(join(root, prefix), { withFileTypes: true })) {
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.') && entry.name !== 'node_modules') folders.push({ path, depth: depth + 1 });
        continue;
      }
      if (!entry.isFile()) continue;
      if (paths.size >= limits.files) throw tooMuch(root, `more than ${limits.files} files`);
      paths.add(path);
      const contents = await readSmall(join(root, path));
      bytes += contents?.byteLength ?? 0;
      if (bytes > limits.bytes) throw tooMuch(root, `more than ${limits.bytes / 1024 / 1024} MiB of text`);
      const text = asText(contents);
      if (text !== undefined) texts.set(path, text);
    }
  }
  return { texts: new Map([...texts].sort(byName)), paths: new Set([...paths].sort()) };
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

function tooMuch(root: string, what: string): CliFailure {
  return new CliFailure(1, `${root} has ${what}: that is not read`, 'name the folder that is to be imported');
}

/** The contents of a file of at most {@link MAX_FILE_BYTES}; undefined of another, and of what became a link meanwhile. */
async function readSmall(path: string): Promise<Uint8Array | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (!handle) return undefined;
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return undefined;
    const buffer = new Uint8Array(stat.size);
    let length = 0;
    while (length < buffer.byteLength) {
      const { bytesRead } = await handle.read(buffer, length, buffer.byteLength - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** The text of one file; undefined of what is too large, or no text. */
export async function readText(path: string): Promise<string | undefined> {
  return asText(await readSmall(path));
}

function asText(bytes: Uint8Array | undefined): string | undefined {
  if (!bytes || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
