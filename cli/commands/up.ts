/** `plumb up`: the control plane in the foreground. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CliFailure } from '../failure.ts';
import { homeFolder } from '../home.ts';
import { progress } from '../print/format.ts';

export interface UpOptions {
  readonly home?: string;
  readonly repo?: string;
  readonly branch?: string;
  readonly redis?: string;
  readonly sshKey?: string;
  readonly source: string;
  readonly version: string;
}

export async function up(options: UpOptions): Promise<void> {
  const home = homeFolder(options.home);
  const repo = options.repo ?? here();
  const { startControlPlane } = await import('../../reconciler/main.ts');
  progress(`plumb ${options.version}: control plane for ${repo}, home ${home}`);
  const stop = new AbortController();
  const stopped = new Promise<NodeJS.Signals>((resolveSignal) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolveSignal(signal);
        stop.abort(new Error(`stopped by ${signal}`));
      });
    }
  });
  const plane = await startControlPlane({
    home, repo, sourceName: options.source, version: options.version, progress, signal: stop.signal,
    ...(options.branch !== undefined && { branch: options.branch }),
    ...(options.redis !== undefined && { redis: options.redis }),
    ...(options.sshKey !== undefined && { sshKey: resolve(options.sshKey) }),
  });
  progress(`ready: ${plane.socket}`);
  const ended = await Promise.race([stopped, plane.failed]);
  if (typeof ended === 'string') progress(`${ended}: stopping; pods go on running on their machines`);
  await plane.close();
  if (typeof ended !== 'string') throw ended;
  progress('stopped');
}

/** The repository in the current folder. */
function here(): string {
  const folder = process.cwd();
  if (existsSync(join(folder, '.git')) || existsSync(join(folder, 'objects'))) return folder;
  throw new CliFailure(2, 'which repository? The current folder is none', 'name it: plumb up --repo PATH|URL');
}
