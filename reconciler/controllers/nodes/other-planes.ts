/**
 * The control planes that speak to the other nodes. A pod's end waits for the rules of all nodes, so while one waits they
 * tell each other often: through the table of members, which each of them renews anyhow.
 */
import { shardLease } from '../../core/leases/shards.ts';
import type { AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LeaseView, LetGo } from '../../ports/leases.ts';

/** This control plane among the others. */
export interface OtherPlanes {
  /** The table as it was seen last. */
  readonly view: LeaseView;
  /** Whether there are any now. */
  readonly others: readonly unknown[];
  /** Says with each renewal what is asked for here. */
  tells(letGo: () => LetGo): void;
  /** Hears of each look at the table. Returns how to stop. */
  onLook(listener: (view: LeaseView) => void): () => void;
  /** Renews without waiting for the next beat. */
  lookSoon(): void;
}

const NOTHING: LetGo = { upTo: 0, shards: [] };
/** Between two looks while a pod waits. */
const EXCHANGE_MS = 50;

export interface ExchangeOptions {
  readonly planes: OtherPlanes;
  readonly tracker: AssignmentTracker;
  readonly clock: Clock;
  /** Shards whose nodes are spoken to from here. */
  readonly held: () => readonly number[];
  /** Shards with nodes that are not. */
  readonly elsewhere: () => Iterable<number>;
  /** Version up to which the tracker has observed everything. */
  readonly position: () => number;
  /** Takes nodes whose assignments differ because of what was heard. */
  readonly changed: (nodes: readonly string[]) => void;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #stopping = new AbortController();
  readonly #unsubscribe: () => void;
  #running: Promise<void> | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { planes, tracker, held, position } = options;
    planes.tells(() => ({ upTo: tracker.letGoUpTo(position()), shards: held() }));
    this.#unsubscribe = planes.onLook((view) => {
      this.#hear(view);
    });
  }

  /** A pod waits: looks often until none does, where there is anybody to tell and to ask. */
  begin(): void {
    if (this.#stopping.signal.aborted || this.#options.planes.others.length === 0) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // One that began to wait when it was just over.
      if (this.#options.tracker.nextExpiry() !== undefined) this.begin();
    });
  }

  /** Call before the tracker observes no more: what it does not see it would tell as let go of. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the node sync is being closed'));
    this.#options.planes.tells(() => NOTHING);
    this.#unsubscribe();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { planes, tracker, clock } = this.#options;
    const { signal } = this.#stopping;
    while (tracker.nextExpiry() !== undefined && !signal.aborted) {
      planes.lookSoon();
      await clock.sleep(EXCHANGE_MS, signal).catch(() => undefined);
    }
    planes.lookSoon();
  }

  #hear({ members, holders }: LeaseView): void {
    const { tracker, elsewhere, changed } = this.#options;
    const told = new Map<number, number>();
    for (const shard of elsewhere()) {
      const letGo = members.find(({ id }) => id === holders.get(shardLease(shard)))?.letGo;
      // One that took the shard and does not speak for it yet knows nothing of its nodes.
      told.set(shard, letGo?.shards.includes(shard) === true ? letGo.upTo : 0);
    }
    changed(tracker.told(told));
  }
}
