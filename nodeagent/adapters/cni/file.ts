/** `CniConfigFile` on the file system, and the `iptables` programs that portmap used. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { NODE_PATHS } from '../../../contracts/agent/places.ts';
import { removalOfPortMappings } from '../../core/cni/conflist.ts';
import type { CniConfigFile } from '../../ports/cni-config.ts';
import type { RunCommand } from '../../ports/run-command.ts';

export interface CniFileSettings {
  readonly run: RunCommand;
  /** {@link NODE_PATHS.cniConfig} when absent. */
  readonly path?: string;
  /** Under {@link NODE_PATHS.state} when absent. */
  readonly dataDir?: string;
}

export function createCniConfigFile({ run, ...settings }: CniFileSettings): CniConfigFile {
  const path = settings.path ?? NODE_PATHS.cniConfig;
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

    async remove(signal) {
      signal.throwIfAborted();
      await rm(path, { force: true });
    },

    async removePortMappings(signal) {
      try {
        const saved = await run(['iptables-save', '-t', 'nat'], { signal });
        const removal = saved.code === 0 ? removalOfPortMappings(saved.stdout) : undefined;
        if (removal === undefined) return;
        const { code, stderr } = await run(['iptables-restore', '--noflush'], { signal, input: removal });
        if (code !== 0)
          throw new Error(`rules of the portmap plugin cannot be removed: ${stderr.trim().slice(0, 300)}`);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      }
    },
  };
}
