/** `CniConfigFile` on the file system. */
import { access, constants, mkdir, open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { NODE_PATHS } from '../../../contracts/agent/places.ts';
import type { CniConfigFile } from '../../ports/cni-config.ts';

export interface CniFileSettings {
  /** {@link NODE_PATHS.cniConfig} when absent. */
  readonly path?: string;
  /** Under {@link NODE_PATHS.state} when absent. */
  readonly dataDir?: string;
  /** Folders to look for programs in; those of PATH and the system's own when absent. */
  readonly programFolders?: readonly string[];
}

export function createCniConfigFile(settings: CniFileSettings = {}): CniConfigFile {
  const path = settings.path ?? NODE_PATHS.cniConfig;
  const folders = settings.programFolders ?? [...(process.env['PATH'] ?? '').split(':').filter(Boolean), '/usr/sbin', '/sbin'];
  return {
    dataDir: settings.dataDir ?? join(NODE_PATHS.state, 'cni'),

    async read(signal) {
      try {
        return await readFile(path, { encoding: 'utf8', signal });
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },

    async write(text, signal) {
      signal.throwIfAborted();
      await mkdir(dirname(path), { recursive: true });
      // containerd loads *.conf, *.conflist and *.json: the temporary name is none of these.
      const temporary = join(dirname(path), `.${basename(path)}.new`);
      const file = await open(temporary, 'w', 0o644);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    },

    async canMapPorts(signal) {
      for (const folder of folders) {
        signal.throwIfAborted();
        const found = await access(join(folder, 'iptables'), constants.X_OK).then(() => true, () => false);
        if (found) return true;
      }
      return false;
    },
  };
}
