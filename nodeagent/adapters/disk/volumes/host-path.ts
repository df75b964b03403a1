/** Paths of the machine's own. Source: Kubernetes pkg/volume/hostpath/host_path.go, checkTypeInternal. */
import { mkdir, open, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import type { VolumePlanOf } from '../../../core/pod/volumes/index.ts';

type HostPath = VolumePlanOf<'host'>;

/** What is to be there, and how it is made where it may be. */
const TYPES: {
  readonly [T in Exclude<HostPath['type'], ''>]: {
    readonly is: (found: Stats) => boolean;
    readonly name: string;
    readonly make?: (path: string) => Promise<unknown>;
  };
} = {
  Directory: { is: (found) => found.isDirectory(), name: 'directory' },
  DirectoryOrCreate: {
    is: (found) => found.isDirectory(),
    name: 'directory',
    make: (path) => mkdir(path, { recursive: true, mode: 0o755 }),
  },
  File: { is: (found) => found.isFile(), name: 'file' },
  FileOrCreate: {
    is: (found) => found.isFile(),
    name: 'file',
    make: async (path) => (await open(path, 'a', 0o644)).close(),
  },
  Socket: { is: (found) => found.isSocket(), name: 'socket file' },
  CharDevice: { is: (found) => found.isCharacterDevice(), name: 'character device' },
  BlockDevice: { is: (found) => found.isBlockDevice(), name: 'block device' },
};

/** Throws an Error in kubelet's words where what is there is of another type. */
export async function checkHostPath({ path, type }: HostPath): Promise<void> {
  if (type === '') return;
  const { is, name, make } = TYPES[type];
  const found = await stat(path).catch(() => undefined);
  if (!found && make) await make(path);
  else if (!found || !is(found)) throw new Error(`hostPath type check failed: ${path} is not a ${name}`);
}
