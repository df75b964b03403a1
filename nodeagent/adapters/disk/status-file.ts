/** Pods' last statuses in one file. Replaced in one step, not flushed: an older one does no harm. */
import { rename, writeFile } from 'node:fs/promises';
import type { PodStatus } from '../../../contracts/objects/index.ts';
import type { StatusDisk } from '../../ports/status-disk.ts';
import { readIfThere } from './durable.ts';

interface Written {
  /** Of the kernel that ran then. */
  readonly bootID: string;
  readonly statuses: readonly (readonly [string, PodStatus])[];
}

/** `bootID`: of the kernel that runs. */
export function statusFile(path: string, bootID: string): StatusDisk {
  return {
    async load() {
      const text = await readIfThere(path);
      try {
        const written = JSON.parse(text ?? '[]') as Partial<Written> | readonly unknown[];
        // Older agents wrote the statuses alone.
        if ('bootID' in written) return { statuses: statusesOf(written.statuses), rebooted: written.bootID !== bootID };
        return { statuses: statusesOf(written), rebooted: false };
      } catch {
        return { statuses: new Map(), rebooted: false };
      }
    },
    async save(statuses) {
      await writeFile(`${path}.new`, JSON.stringify({ bootID, statuses: [...statuses] } satisfies Written), {
        mode: 0o600,
      });
      await rename(`${path}.new`, path);
    },
  };
}

/** What is one of what was written: a file that was cut, or written by another hand, costs its own entries alone. */
function statusesOf(entries: unknown): ReadonlyMap<string, PodStatus> {
  return new Map(Array.isArray(entries) ? entries.filter(isEntry) : []);
}

function isEntry(entry: unknown): entry is readonly [string, PodStatus] {
  if (!Array.isArray(entry)) return false;
  const [uid, status] = entry as readonly unknown[];
  return typeof uid === 'string' && typeof status === 'object' && status !== null && 'phase' in status;
}
