/** Keeps running containers' logs at a size: Kubernetes' containerLogMaxSize and containerLogMaxFiles. */
import { errorText } from '../../contracts/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { ContainerRuntime } from '../ports/container-runtime.ts';
import type { LogFiles } from '../ports/log-files.ts';
import type { Log } from '../ports/log.ts';
import { startBeat } from './beat.ts';

const MAX_BYTES = 10 * 1024 * 1024;
const MAX_FILES = 5;
const LOOK_EVERY_MS = 10_000;

export interface LogRotationDeps {
  readonly runtime: ContainerRuntime;
  readonly logs: LogFiles;
  readonly clock: Clock;
  readonly log: Log;
  /** Running containers and where they write. */
  running(): readonly { readonly id: string; readonly logPath: string }[];
}

export function startLogRotation(deps: LogRotationDeps): { close(): Promise<void> } {
  const closing = new AbortController();

  async function rotate(id: string, logPath: string): Promise<void> {
    const size = await deps.logs.size(logPath);
    if (size !== undefined && size < MAX_BYTES) return;
    // Renamed before, and not opened anew: the runtime refused, the disk was full, or the agent was cut off in between.
    if (size !== undefined) await deps.logs.rotate(logPath, MAX_FILES);
    await deps.runtime.reopenLog(id, closing.signal);
  }

  return startBeat({
    clock: deps.clock,
    pauseMs: LOOK_EVERY_MS,
    closing,
    async look() {
      for (const { id, logPath } of deps.running()) {
        await rotate(id, logPath).catch((cause: unknown) => {
          if (!closing.signal.aborted)
            deps.log.warn('a log cannot be rotated', { path: logPath, detail: errorText(cause) });
        });
      }
    },
  });
}
