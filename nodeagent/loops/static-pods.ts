/** Tells what lies in the folder of static pods: at the start, and when it has changed. */
import { errorText } from '../../contracts/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { StaticFiles } from '../ports/static-files.ts';
import { startBeat } from './beat.ts';
import type { StatusHub } from './status-hub.ts';

/** A kubelet's fileCheckFrequency. */
const LOOK_EVERY_MS = 20_000;

export interface StaticPodReporterDeps {
  readonly files: StaticFiles;
  readonly hub: Pick<StatusHub, 'tellStaticPods' | 'tellNodeEvent'>;
  readonly clock: Clock;
}

/** While the folder cannot be read, what was told last stays: pods do not end because a file is too large. */
export function startStaticPods({ files, hub, clock }: StaticPodReporterDeps): { close(): Promise<void> } {
  let trouble = '';
  return startBeat({
    clock,
    pauseMs: LOOK_EVERY_MS,
    closing: new AbortController(),
    async look() {
      try {
        hub.tellStaticPods(await files.read());
        trouble = '';
      } catch (cause) {
        const message = errorText(cause);
        if (message !== trouble) hub.tellNodeEvent({ type: 'Warning', reason: 'StaticPodsUnreadable', message });
        trouble = message;
      }
    },
  });
}
