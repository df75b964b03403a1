/**
 * Makes sure of images: one pull at a time for each name and those who may have it, whoever asks, and so many at once of
 * different ones.
 */
import { withDefaultTag } from '../../contracts/objects/image-name.ts';
import { errorText } from '../../contracts/errors.ts';
import type { Container } from '../../contracts/objects/index.ts';
import { durationText } from '../core/pod/backoff.ts';
import { isReference } from '../core/image/reference.ts';
import { registryOf, type RegistryLogin } from '../core/image/keyring.ts';
import type { StepOutcome } from '../core/pod/memory.ts';
import type { Clock } from '../ports/clock.ts';
import type { ImageStore } from '../ports/image-store.ts';
import { createLimiter, type Limiter } from './limiter.ts';
import { createPullProgress } from './pull-progress.ts';
import type { PodEvent } from './status-hub.ts';

/**
 * A pull that takes longer is given up and begun anew, after a pause: what holds it may be a connection that says
 * nothing any more.
 */
const LONGEST_PULL_MS = 3_600_000;
/** Of all images. (A kubelet pulls one at a time, or as many as are wanted: `serializeImagePulls`.) */
const PULLS_AT_ONCE = 10;
/** A registry that does not answer holds up its own images alone. */
const PULLS_OF_REGISTRY = 5;

export interface ImagePuller {
  /**
   * Reasons of failure: `InvalidImageName`, `ErrImageNeverPull`, `ErrImagePull`. Of `logins` each is tried until the
   * registry lets one in; who has others gets a pull of their own. `signal` ends the waiting, and the pull when nobody
   * else waits for it.
   */
  ensure(
    image: string,
    policy: Container['imagePullPolicy'],
    logins: readonly RegistryLogin[],
    tell: (event: PodEvent) => void,
    signal: AbortSignal,
  ): Promise<StepOutcome>;
}

interface Pull {
  readonly image: string;
  readonly logins: readonly RegistryLogin[];
  readonly done: Promise<string>;
  readonly stop: AbortController;
  /** Who waits for it hears how far it is. */
  readonly waiting: Set<(words: string) => void>;
}

/** `closing` ends pulls. `pulled` hears of every pull that was done. */
export function createImagePuller(
  images: ImageStore,
  clock: Clock,
  closing: AbortSignal,
  pulled: () => void,
): ImagePuller {
  const pulls = new Set<Pull>();
  const progress = createPullProgress(images, clock, closing);
  const all = createLimiter(PULLS_AT_ONCE);
  const registries = new Map<string, { readonly limiter: Limiter; pulls: number }>();

  /** When it is its turn among those of its registry, and then among all. */
  async function inTurn<T>(image: string, work: () => Promise<T>): Promise<T> {
    const registry = registryOf(image);
    const own = registries.get(registry) ?? { limiter: createLimiter(PULLS_OF_REGISTRY), pulls: 0 };
    registries.set(registry, own);
    own.pulls += 1;
    try {
      return await own.limiter.run(() => all.run(work));
    } finally {
      own.pulls -= 1;
      if (own.pulls === 0) registries.delete(registry);
    }
  }

  function begin(image: string, logins: readonly RegistryLogin[]): Pull {
    const stop = new AbortController();
    const waiting = new Set<(words: string) => void>();
    const run = async (): Promise<string> => {
      stop.signal.throwIfAborted();
      using _told = progress.watch((words) => {
        for (const tell of waiting) tell(words);
      });
      using bound = clock.deadline(LONGEST_PULL_MS, closing, stop.signal);
      try {
        return await pullWithAny(image, logins, bound.signal);
      } catch (cause) {
        throw bound.signal.aborted && bound.signal.reason instanceof Error ? bound.signal.reason : cause;
      }
    };
    const begun: Pull = {
      image,
      logins,
      stop,
      waiting,
      done: inTurn(image, run).finally(() => {
        pulls.delete(begun);
      }),
    };
    pulls.add(begun);
    begun.done.then(pulled, () => undefined);
    return begun;
  }

  /** Rejects with what was said to the last login. */
  async function pullWithAny(image: string, logins: readonly RegistryLogin[], signal: AbortSignal): Promise<string> {
    for (const login of logins.slice(0, -1)) {
      try {
        return await images.pull(image, login, signal);
      } catch {
        signal.throwIfAborted();
      }
    }
    return images.pull(image, logins.at(-1), signal);
  }

  async function pull(
    image: string,
    logins: readonly RegistryLogin[],
    tell: (words: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const isSame = (one: Pull): boolean =>
      one.image === image &&
      one.logins.length === logins.length &&
      logins.every((login, index) => one.logins[index]?.equals(login));
    const shared = [...pulls].find(isSame) ?? begin(image, logins);
    shared.waiting.add(tell);
    try {
      await unlessAborted(shared.done, signal);
    } finally {
      shared.waiting.delete(tell);
      if (shared.waiting.size === 0) {
        // Whoever asks from now on gets a pull of their own.
        pulls.delete(shared);
        shared.stop.abort(new Error('nobody waits for the image any more'));
      }
    }
  }

  return {
    async ensure(name, policy, logins, tell, signal) {
      if (!isReference(name)) {
        const message = `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`;
        tell({ type: 'Warning', reason: 'InspectFailed', message });
        return { ok: false, reason: 'InvalidImageName', message };
      }
      const image = withDefaultTag(name);
      try {
        const present = policy === 'Always' ? undefined : await images.find(image, signal);
        if (present) {
          tell({ type: 'Normal', reason: 'Pulled', message: `Container image "${name}" already present on machine` });
          return { ok: true };
        }
        if (policy === 'Never') {
          const message = `Container image "${name}" is not present with pull policy of Never`;
          tell({ type: 'Warning', reason: 'ErrImageNeverPull', message });
          return { ok: false, reason: 'ErrImageNeverPull', message };
        }
        tell({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${name}"` });
        const begun = clock.monotonic();
        await pull(
          image,
          logins,
          (words) => tell({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${name}": ${words}` }),
          signal,
        );
        tell({
          type: 'Normal',
          reason: 'Pulled',
          message: `Successfully pulled image "${name}" in ${pullTime(Math.round(clock.monotonic() - begun))}`,
        });
        return { ok: true };
      } catch (cause) {
        const message = errorText(cause);
        if (!signal.aborted)
          tell({ type: 'Warning', reason: 'Failed', message: `Failed to pull image "${name}": ${message}` });
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
    work
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
      .catch(() => undefined);
  });
}
