/** Runs of one level-triggered thing: one at a time, and however many ask meanwhile, one more after it. */
export class OneAtATime {
  #running: Promise<void> | undefined;
  /** Not begun: whoever asks now is served by it. */
  #next: Promise<void> | undefined;

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when none runs, and none is to run, of those asked for before. Never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#running, this.#next]);
  }

  /** A run that begins after this call; rejects as `work` does. */
  run(work: () => Promise<void>): Promise<void> {
    return (this.#next ??= this.#begin(this.#running, work));
  }

  async #begin(before: Promise<void> | undefined, work: () => Promise<void>): Promise<void> {
    // Also without one: what is asked for in this turn is one run.
    await before?.catch(() => undefined);
    const mine = (this.#running = this.#next);
    this.#next = undefined;
    try {
      await work();
    } finally {
      if (this.#running === mine) this.#running = undefined;
    }
  }
}
