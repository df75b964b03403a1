/** Makes sure of images: one pull at a time for each name, whoever asks. */
import type { Container } from '../../contracts/objects/index.ts';
import { durationText } from '../core/pod/backoff.ts';
import type { StepOutcome } from '../core/pod/memory.ts';
import type { Clock } from '../ports/clock.ts';
import type { ImageStore } from '../ports/image-store.ts';
import type { PodEvent } from './status-hub.ts';

/** A reference as registries take it. Source: https://github.com/distribution/reference */
const REFERENCE = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[a-z0-9]+:[a-fA-F0-9]{32,})?$/;

export interface ImagePuller {
  /** Reasons of failure: `InvalidImageName`, `ErrImageNeverPull`, `ErrImagePull`. */
  ensure(image: string, policy: Container['imagePullPolicy'], tell: (event: PodEvent) => void, signal: AbortSignal): Promise<StepOutcome>;
}

/** `closing` ends pulls; the signal of a call ends only its waiting. `pulled` hears of every pull that was done. */
export function createImagePuller(images: ImageStore, clock: Clock, closing: AbortSignal, pulled: () => void): ImagePuller {
  const pulls = new Map<string, Promise<string>>();

  function pull(image: string): Promise<string> {
    const running = pulls.get(image);
    if (running) return running;
    const started = images.pull(image, closing).finally(() => pulls.delete(image));
    pulls.set(image, started);
    started.then(pulled, () => undefined);
    return started;
  }

  return {
    async ensure(image, policy, tell, signal) {
      if (!REFERENCE.test(image)) {
        const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`;
        tell({ type: 'Warning', reason: 'InspectFailed', message });
        return { ok: false, reason: 'InvalidImageName', message };
      }
      try {
        const present = policy === 'Always' ? undefined : await images.find(image, signal);
        if (present) {
          tell({ type: 'Normal', reason: 'Pulled', message: `Container image "${image}" already present on machine` });
          return { ok: true };
        }
        if (policy === 'Never') {
          const message = `Container image "${image}" is not present with pull policy of Never`;
          tell({ type: 'Warning', reason: 'ErrImageNeverPull', message });
          return { ok: false, reason: 'ErrImageNeverPull', message };
        }
        tell({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${image}"` });
        const begun = clock.now().getTime();
        await unlessAborted(pull(image), signal);
        tell({ type: 'Normal', reason: 'Pulled', message: `Successfully pulled image "${image}" in ${pullTime(clock.now().getTime() - begun)}` });
        return { ok: true };
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        if (!signal.aborted) tell({ type: 'Warning', reason: 'Failed', message: `Failed to pull image "${image}": ${message}` });
        return { ok: false, reason: 'ErrImagePull', message };
      }
    },
  };
}

function pullTime(ms: number): string {
  return ms < 1000 ? `${ms}ms` : durationText(ms);
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('given up'));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort)).catch(() => undefined);
  });
}
