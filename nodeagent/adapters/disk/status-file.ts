/** Pods' last statuses in one file. Replaced in one step, not flushed: an older one does no harm. */
import { rename, writeFile } from 'node:fs/promises';
import type { PodStatus } from '../../../contracts/objects/index.ts';
import type { StatusDisk } from '../../ports/status-disk.ts';
import { readIfThere } from './durable.ts';

export function statusFile(path: string): StatusDisk {
  return {
    async load() {
      const text = await readIfThere(path);
      try {
        return new Map(text === undefined ? [] : (JSON.parse(text) as [string, PodStatus][]));
      } catch {
        return new Map();
      }
    },
    async save(statuses) {
      await writeFile(`${path}.new`, JSON.stringify([...statuses]), { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}
