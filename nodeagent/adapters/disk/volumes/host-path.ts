/** Paths of the machine's own. */
import { mkdir, open, stat } from 'node:fs/promises';
import type { VolumePlanOf } from '../../../core/pod/volumes/index.ts';

/** Throws an Error in kubelet's words where what is there is of another type. */
export async function checkHostPath({ path, type }: VolumePlanOf<'host'>): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  switch (type) {
    case '':
      return;
    case 'DirectoryOrCreate':
      if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
      else if (!found.isDirectory()) throw new Error(`hostPath type check failed: ${path} is not a directory`);
      return;
    case 'Directory':
      if (!found?.isDirectory()) throw new Error(`hostPath type check failed: ${path} is not a directory`);
      return;
    case 'FileOrCreate':
      if (!found) await (await open(path, 'a', 0o644)).close();
      else if (!found.isFile()) throw new Error(`hostPath type check failed: ${path} is not a file`);
      return;
    case 'File':
      if (!found?.isFile()) throw new Error(`hostPath type check failed: ${path} is not a file`);
  }
}
