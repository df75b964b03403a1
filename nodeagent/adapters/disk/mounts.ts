/** Mounts below the agent's folders. */
import { readFile, realpath, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RunCommand } from '../../ports/run-command.ts';
import { makeFolder } from './durable.ts';
import { openSubPath } from './descriptors.ts';

export interface Mounts {
  /** A file system in memory. Nothing happens where one is mounted already. */
  memory(path: string, options: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Shows `subPath` of a volume at `target`, in place of what was there. What is mounted is what was opened on the way
   * down, not what has its name by then. Throws an Error where the path leaves the volume.
   */
  subPath(volume: string, subPath: string, target: string, signal: AbortSignal): Promise<void>;
  /** Takes away every mount at `folder` and below, the deepest first. */
  removeBeneath(folder: string, signal: AbortSignal): Promise<void>;
}

export function systemMounts(run: RunCommand): Mounts {
  async function command(argv: readonly string[], signal: AbortSignal): Promise<void> {
    const result = await run(argv, { signal });
    if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr.trim()}`);
  }

  async function removeBeneath(path: string, signal: AbortSignal): Promise<void> {
    const folder = await realOf(path);
    const beneath = (await mountPoints()).filter((path) => path === folder || path.startsWith(`${folder}/`));
    // Of two at the same place the later one is on top.
    for (const point of beneath.reverse()) await command(['umount', '--no-canonicalize', point], signal);
  }

  return {
    async memory(path, options, signal) {
      if ((await mountPoints()).includes(await realOf(path))) return;
      await command(['mount', '-t', 'tmpfs', '-o', options.join(','), 'tmpfs', path], signal);
    },
    async subPath(volume, subPath, target, signal) {
      await removeBeneath(target, signal);
      const place = await openSubPath(volume, subPath);
      try {
        await makeFolder(dirname(target), 0o750);
        // What an earlier mount was on may be of the other kind.
        await unlink(target)
          .catch(() => rmdir(target))
          .catch(() => undefined);
        if ((await place.stat()).isDirectory()) await makeFolder(target, 0o750);
        else await writeFile(target, '', { mode: 0o640, flag: 'wx' });
        await command(['mount', '--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${place.fd}`, target], signal);
      } finally {
        await place.close();
      }
    },
    removeBeneath,
  };
}

/** As the kernel shows it; the path itself where there is nothing. */
function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** In the order in which they were mounted. Source: proc(5), mountinfo. */
async function mountPoints(): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const path = line.split(' ')[4];
    return path === undefined
      ? []
      : [path.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
}
