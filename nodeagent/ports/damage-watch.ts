/** How a forwarder hears of changes that nobody tells of: by looking, while there is something of it to look at. */
import { unlessAborted } from '../../contracts/signals.ts';
import type { Clock } from './clock.ts';

/** A repair within a second leaves some for the look and the write. */
const LOOK_EVERY_MS = 300;
/** What `nft monitor` told of already is being repaired by then. */
const CONFIRM_AFTER_MS = 150;
/** A look at many Services is dear: at most one part in so many of the time is spent on looks. */
const LOOK_SHARE = 10;

export class DamageWatch {
  private readonly clock: Clock;
  private readonly isDamaged: (signal: AbortSignal) => Promise<boolean>;
  /** Rises with each write: a look that one began in tells nothing. */
  private writes = 0;
  private isThere = false;
  /** Who waits for something to look at. */
  private readonly waiting = new Set<() => void>();

  constructor(clock: Clock, isDamaged: (signal: AbortSignal) => Promise<boolean>) {
    this.clock = clock;
    this.isDamaged = isDamaged;
  }

  /** A write begins, or ended. */
  noteWrite(): void {
    this.writes += 1;
  }

  /** Says whether it is known what is there. */
  know(isThere: boolean): void {
    this.isThere = isThere;
    if (isThere) for (const go of this.waiting) go();
  }

  /** As `Forwarder.watch`. */
  async watch(tell: () => void, signal: AbortSignal): Promise<never> {
    let told = -1;
    const isNews = async (since: number): Promise<boolean> =>
      since === this.writes && this.isThere && (await this.isDamaged(signal)) && since === this.writes;
    for (;;) {
      signal.throwIfAborted();
      if (!this.isThere) await this.something(signal);
      const since = this.writes;
      const began = this.clock.monotonic();
      const seen = told !== since && (await isNews(since));
      const took = this.clock.monotonic() - began;
      if (seen) {
        await this.clock.sleep(CONFIRM_AFTER_MS, signal);
        if (await isNews(since)) {
          told = since;
          tell();
        }
      }
      await this.clock.sleep(Math.max(LOOK_EVERY_MS, took * LOOK_SHARE), signal);
    }
  }

  /** Resolves when there is something. */
  private async something(signal: AbortSignal): Promise<void> {
    let go = (): void => undefined;
    const there = new Promise<void>((resolve) => (go = resolve));
    this.waiting.add(go);
    await unlessAborted(signal, there).finally(() => this.waiting.delete(go));
  }
}
