/**
 * How long a failed daemon pod waits to be replaced: a node that refuses a pod most likely refuses the next one too.
 * Source: Kubernetes, failedPodsBackoff of pkg/controller/daemon/daemon_controller.go, and
 * client-go/util/flowcontrol/backoff.go.
 */
const FIRST_MS = 1000;
const LONGEST_MS = 15 * 60_000;

interface Failure {
  /** By the monotonic clock. */
  readonly at: number;
  readonly waitMs: number;
}

/** Remembers when a place had its last failed pod replaced. The first one is replaced at once. */
export class FailedPods {
  readonly #failures = new Map<string, Failure>();

  /** Milliseconds until a failed pod of that place may be replaced; 0: now. `monotonic`: ms. */
  waitMs(place: string, monotonic: number): number {
    const failure = this.#failures.get(place);
    return failure ? Math.max(0, failure.at + failure.waitMs - monotonic) : 0;
  }

  /** One is replaced now: the next one waits twice as long. */
  replaced(place: string, monotonic: number): void {
    this.#forget(monotonic);
    const before = this.#failures.get(place);
    this.#failures.delete(place);
    this.#failures.set(place, {
      at: monotonic,
      waitMs: before ? Math.min(2 * before.waitMs, LONGEST_MS) : FIRST_MS,
    });
  }

  /** Those that went well for twice the longest wait; the oldest come first. */
  #forget(monotonic: number): void {
    for (const [place, { at }] of this.#failures) {
      if (monotonic - at <= 2 * LONGEST_MS) return;
      this.#failures.delete(place);
    }
  }
}
