/** Containers' log files: read from the end, followed while they grow, rotated by name. */
import { watch } from 'node:fs';
import { rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogFiles } from '../../ports/log-files.ts';
import { openRegular } from './descriptors.ts';

const CHUNK_BYTES = 64 * 1024;
/** No runtime writes longer ones; containerd cuts at 16 KiB. */
const MAX_LINE_LENGTH = 256 * 1024;
/** A change that the watch missed is found after this. */
const LOOK_AGAIN_MS = 500;

export function logFiles(): LogFiles {
  return {
    async *read({ path, tail, follow }, signal) {
      let file = await openRegular(path);
      if (!file && !follow) return;
      let at = file && tail !== undefined ? await tailStart(file, tail) : 0;
      let carry = '';
      try {
        while (!signal.aborted) {
          const ended = follow?.over() ?? true;
          const chunk: { text: string; bytes: number } = file ? await readChunk(file, at) : { text: '', bytes: 0 };
          at += chunk.bytes;
          if (chunk.bytes > 0) {
            const lines: string[] = (carry + chunk.text).split('\n');
            carry = lines.pop() ?? '';
            if (carry.length > MAX_LINE_LENGTH) {
              lines.push(carry);
              carry = '';
            }
            if (lines.length > 0) yield lines;
            continue;
          }
          if (follow && !(await isSameFile(file, path))) {
            // The runtime wrote into the old one until it had the new one open.
            if (file && (await file.stat()).size > at) continue;
            await file?.close();
            file = await openRegular(path);
            at = 0;
            if (file) continue;
          }
          if (ended) break;
          await changed(path, signal);
        }
        if (carry !== '') yield [carry];
      } finally {
        await file?.close();
      }
    },
    async size(path) {
      return (await stat(path).catch(unlessMissing))?.size;
    },
    async rotate(path, keep) {
      await rm(`${path}.${keep - 1}`, { force: true });
      for (let older = keep - 2; older >= 1; older -= 1)
        await rename(`${path}.${older}`, `${path}.${older + 1}`).catch(() => undefined);
      await rename(path, `${path}.1`);
    },
  };
}

function unlessMissing(cause: NodeJS.ErrnoException): undefined {
  if (cause.code !== 'ENOENT') throw cause;
}

async function readChunk(file: FileHandle, at: number): Promise<{ text: string; bytes: number }> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at);
  if (bytesRead === 0) return { text: '', bytes: 0 };
  // A chunk ends at a line's end where it can, so that no character is cut in two.
  const lastEnd = buffer.lastIndexOf(0x0a, bytesRead - 1);
  const bytes = lastEnd >= 0 ? lastEnd + 1 : bytesRead;
  return { text: buffer.toString('utf8', 0, bytes), bytes };
}

/** Where the last `lines` lines begin. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let found = 0;
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    await file.read(buffer, 0, end - start, start);
    for (let at = end - start - 1; at >= 0; at -= 1) {
      if (buffer[at] !== 0x0a || start + at === size - 1) continue;
      found += 1;
      if (found === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

async function isSameFile(file: FileHandle | undefined, path: string): Promise<boolean> {
  const now = await stat(path).catch(() => undefined);
  if (!file || !now) return file !== undefined && now === undefined;
  return (await file.stat()).ino === now.ino;
}

/** Resolves when something happened beside the file, or after a while. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, LOOK_AGAIN_MS);
    signal.addEventListener('abort', done, { once: true });
    const watcher = watchFolder(dirname(path), done);
  });
}

function watchFolder(folder: string, onChange: () => void): { close(): void } | undefined {
  try {
    const watcher = watch(folder, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
