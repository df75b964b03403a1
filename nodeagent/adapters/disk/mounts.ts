/** Mounts below the agent's folders. */
import { readFile, realpath, rmdir, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { unlessAborted } from '../../../contracts/signals.ts';
import { deviceNumber } from '../../core/node/volume-image.ts';
import type { FileMount } from '../../ports/image-files.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { makeFolder } from './durable.ts';
import { openPlace, openSubPath } from './descriptors.ts';

export interface Mounts {
  /** A file system in memory. Nothing happens where one is mounted already. */
  memory(path: string, options: readonly string[], signal: AbortSignal): Promise<void>;
  /** Huge pages as files. Nothing happens where something is mounted already. */
  hugePages(path: string, options: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * A file system of the network, mounted at `path` by `argv`. Nothing happens where one is mounted already. Throws an
   * Error with what the program said, one with code `ENOENT` where it is not there, and one after 30 s.
   */
  network(path: string, argv: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Shows `subPath` of a volume at `target`, in place of what was there. What is mounted is what was opened on the way
   * down, not what has its name by then. Throws an Error where the path leaves the volume, and where the volume's
   * server does not answer.
   */
  subPath(volume: string, subPath: string, target: string, signal: AbortSignal): Promise<void>;
  /**
   * Shows a folder or file at `target`. Nothing happens where something is mounted there already. Throws an Error where
   * the source is not on `device` (`MAJOR:MINOR`), if that is given: what was mounted there is gone.
   */
  bind(source: string, target: string, signal: AbortSignal, device?: string): Promise<void>;
  /**
   * A file system that nobody can write, run programs of, or take rights or devices from. Nothing happens where something
   * is mounted already.
   */
  sealed(path: string, mount: FileMount, signal: AbortSignal): Promise<void>;
  /** Whether something is mounted at just this place. */
  isMounted(path: string): Promise<boolean>;
  /** Whether a folder of that name, or what is in it, is mounted somewhere. */
  isShown(name: string): Promise<boolean>;
  /** Takes away every mount at `folder` and below, the deepest first. */
  removeBeneath(folder: string, signal: AbortSignal): Promise<void>;
  /**
   * The same where servers may not answer: what cannot be taken away within 5 s is taken out of sight, and goes when
   * nothing uses it.
   */
  removeNetworkBeneath(folder: string, signal: AbortSignal): Promise<void>;
}

/** How long programs may take that wait for a server. */
export interface NetworkPatience {
  readonly mountMs: number;
  readonly unmountMs: number;
}
const PATIENCE: NetworkPatience = { mountMs: 30_000, unmountMs: 5000 };

export function systemMounts(run: RunCommand, clock: Clock, patience: NetworkPatience = PATIENCE): Mounts {
  async function command(argv: readonly string[], signal: AbortSignal): Promise<void> {
    const result = await run(argv, { signal });
    if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr.trim()}`);
  }

  /** Given up after so long, whether its process can be ended or not: it may wait in the kernel. */
  async function bounded(argv: readonly string[], ms: number, signal: AbortSignal): Promise<void> {
    using bound = clock.deadline(ms, signal);
    try {
      await unlessAborted(bound.signal, command(argv, bound.signal));
    } catch (cause) {
      if (!bound.signal.aborted || signal.aborted) throw cause;
      throw new Error(`${argv.join(' ')}: no answer within ${ms / 1000} s`, { cause });
    }
  }

  async function pointsBeneath(path: string): Promise<readonly string[]> {
    const folder = await realOf(path);
    const points = (await mounted()).map(({ point }) => point);
    const beneath = points.filter((point) => point === folder || point.startsWith(`${folder}/`));
    // Of two at the same place the later one is on top.
    return beneath.reverse();
  }

  async function removeBeneath(path: string, signal: AbortSignal): Promise<void> {
    for (const point of await pointsBeneath(path)) await command([...UNMOUNT, point], signal);
  }

  async function removeNetworkBeneath(path: string, signal: AbortSignal): Promise<void> {
    for (const point of await pointsBeneath(path)) {
      await bounded([...UNMOUNT, point], patience.unmountMs, signal).catch(async () => {
        signal.throwIfAborted();
        await bounded([...UNMOUNT, '--force', '--lazy', point], patience.unmountMs, signal);
      });
    }
  }

  return {
    async memory(path, options, signal) {
      if (await isMounted(path)) return;
      await command(['mount', '-t', 'tmpfs', '-o', options.join(','), 'tmpfs', path], signal);
    },
    async hugePages(path, options, signal) {
      if (await isMounted(path)) return;
      await command(['mount', '-t', 'hugetlbfs', '-o', options.join(','), 'nodev', path], signal);
    },
    async network(path, argv, signal) {
      if (await isMounted(path)) return;
      await bounded(argv, patience.mountMs, signal);
    },
    async bind(source, target, signal, device) {
      if (await isMounted(target)) return;
      const place = await openPlace(source);
      try {
        const found = await place.stat();
        if (device !== undefined && deviceNumber(found.dev) !== device)
          throw new Error(`${source} does not have ${device} mounted any more`);
        if (found.isDirectory()) await makeFolder(target, 0o750);
        else await writeFile(target, '', { mode: 0o640 });
        await command(['mount', '--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${place.fd}`, target], signal);
      } finally {
        await place.close();
      }
    },
    async sealed(path, { type, source, options }, signal) {
      if (await isMounted(path)) return;
      const own = options.filter((option) => !['bind', 'rbind', 'ro', 'rw'].includes(option));
      const how = type === 'bind' ? ['--bind'] : ['-t', type];
      const all = [...own, 'ro', 'noexec', 'nosuid', 'nodev'].join(',');
      await command(['mount', '--no-canonicalize', ...how, '-o', all, source, path], signal);
    },
    isMounted,
    async isShown(name) {
      return (await mounted()).some(({ root }) => root.split('/').includes(name));
    },
    async subPath(volume, subPath, target, signal) {
      await removeNetworkBeneath(target, signal);
      // A look of our own would hold one of the agent's few threads for as long as the server is silent.
      if (await mayWait(volume))
        await bounded(['stat', '--dereference', '--format=', '--', volume], patience.unmountMs, signal);
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
    removeNetworkBeneath,
  };
}

const UNMOUNT = ['umount', '--no-canonicalize'] as const;
/** File systems whose server may not answer. */
const OF_NETWORK = /^(nfs|cifs|smb|ceph|9p|fuse)/;

/** Whether a look at a volume may have to wait for a server. */
async function mayWait(volume: string): Promise<boolean> {
  const path = await realOf(volume);
  const on = (await mounted())
    .filter(({ point }) => point === path || path.startsWith(point === '/' ? '/' : `${point}/`))
    .reduce<Mounted | undefined>(
      (deepest, one) => (deepest && deepest.point.length > one.point.length ? deepest : one),
      undefined,
    );
  return on !== undefined && (on.point === path || OF_NETWORK.test(on.type));
}

/** As the kernel shows it. What is mounted there is not looked at: its server may not answer. */
async function realOf(path: string): Promise<string> {
  return join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path));
}

export interface Mounted {
  /** `MAJOR:MINOR` of the file system. */
  readonly device: string;
  /** What of its file system is shown. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
}

async function isMounted(path: string): Promise<boolean> {
  const real = await realOf(path);
  return (await mounted()).some(({ point }) => point === real);
}

/** In the order in which they were mounted. Source: proc(5), mountinfo. */
export async function mounted(): Promise<readonly Mounted[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const fields = line.split(' ');
    const [device, root, point, type] = [fields[2], fields[3], fields[4], fields[fields.indexOf('-') + 1]];
    return device === undefined || root === undefined || point === undefined || type === undefined
      ? []
      : [{ device, root: unescaped(root), point: unescaped(point), type }];
  });
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
