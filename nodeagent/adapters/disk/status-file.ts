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
        const written = JSON.parse(text ?? '[]') as Written | Written['statuses'];
        // Older agents wrote the statuses alone.
        if ('bootID' in written) return { statuses: new Map(written.statuses), rebooted: written.bootID !== bootID };
        return { statuses: new Map(written), rebooted: false };
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
