/**
 * This control plane among those that share a store: shows that it lives, holds leases for as long as it surely has
 * them, and expels those that went silent. As in Kubernetes' leader election (client-go, tools/leaderelection), nobody
 * reads another's clock: who holds counts from before it sent its last renewal, who waits counts from after it saw that
 * renewal, each by its own monotonic clock. With {@link HOLD_MS} below {@link SILENT_MS} by a third, a holder stops
 * before another can begin unless one clock runs a third slower than the other or the process stands still; then the
 * fence decides: the store refuses its writes, and agents its epoch.
 */
import { setMaxListeners } from 'node:events';
import { asError } from '../../../contracts/errors.ts';
import { PlumbError, RetryableError } from '../../core/errors.ts';
import { Silence } from '../../core/leases/silence.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grant, Leases, LeaseView, LetGo, Member } from '../../ports/leases.ts';
import type { Log } from '../../ports/log.ts';

export interface MembershipOptions {
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this control plane's home, over restarts. */
  readonly home: string;
  /** Says where it runs, to people. */
  readonly label: string;
  /** Between two renewals, in ms. The other times are multiples of it. Default 1000. */
  readonly beatMs?: number;
}

export interface HeldLease extends Grant {
  /** Aborts with LeaseLost as soon as somebody else might hold it; not when it is given up. */
  readonly lost: AbortSignal;
}

const BEAT_MS = 1000;
/** In beats: a holder that could not renew for so long stops. */
const HOLD_BEATS = 4;
/** In beats: a member that does not change for so long is expelled. */
const SILENT_BEATS = 6;
/** In beats: what one look adds to a silence at most. While the store is away, nobody is silent. */
const LOOK_BEATS = 2;

const EMPTY: LeaseView = { members: [], holders: new Map() };

export class Membership {
  readonly #options: MembershipOptions;
  readonly #beatMs: number;
  readonly #silence: Silence;
  readonly #stopping = new AbortController();
  /** By name: how its holder here hears that it is lost. */
  readonly #held = new Map<string, AbortController>();
  readonly #listeners = new Set<(view: LeaseView) => void>();
  /** Resolves with the reason when this member is none any more, though it did not leave. */
  readonly over: Promise<Error>;
  #isOver: (reason: Error) => void = () => undefined;
  #id = '';
  #shards = 0;
  #view = EMPTY;
  #beat = 0;
  #ready = false;
  #letGo: () => LetGo = () => ({ upTo: 0, shards: [] });
  /** When the last renewal that was answered had been sent. */
  #renewedAt = 0;
  #hurry = new AbortController();
  #loops: Promise<unknown> | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#beatMs = options.beatMs ?? BEAT_MS;
    this.#silence = new Silence(LOOK_BEATS * this.#beatMs);
    this.over = new Promise((resolve) => {
      this.#isOver = resolve;
    });
  }

  /** Call once. Afterwards it is seen by the others, and sees them; it takes no shards yet. */
  async join(signal: AbortSignal): Promise<void> {
    const { leases, home, label } = this.#options;
    ({ member: this.#id, shards: this.#shards } = await leases.join({ home, label }, signal));
    await this.#renew(signal);
    this.#loops = Promise.all([this.#beatLoop(), this.#holdLoop()]);
  }

  /** Of this member. */
  get id(): string {
    return this.#id;
  }

  /** How many shards the store is divided into. */
  get shards(): number {
    return this.#shards;
  }

  /** The table as it was seen last. */
  get view(): LeaseView {
    return this.#view;
  }

  get others(): readonly Member[] {
    return this.#view.members.filter(({ id }) => id !== this.#id);
  }

  /** Hears of each look at the table. Returns how to stop. */
  onLook(listener: (view: LeaseView) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** From now on it takes its share of the shards. */
  takesShards(): void {
    this.#ready = true;
    this.lookSoon();
  }

  /** What it tells the others of its nodes with each renewal, from now on. */
  tells(letGo: () => LetGo): void {
    this.#letGo = letGo;
  }

  /** Renews without waiting for the next beat. */
  lookSoon(): void {
    this.#hurry.abort();
  }

  /**
   * Takes those that are free, or this member's already. Throws what the store throws, which ends the membership unless
   * the store is only away, and LeaseLost once it is over.
   */
  async acquire(names: readonly string[], signal: AbortSignal): Promise<readonly HeldLease[]> {
    const grants = await this.#ask((leases) => leases.acquire(this.#id, names, signal), signal);
    // It ended meanwhile: nobody would tell of the loss of these.
    this.#stopping.signal.throwIfAborted();
    return grants.map((grant) => {
      this.#held.get(grant.name)?.abort(lost('it was taken anew'));
      const controller = new AbortController();
      // Each node of a shard listens.
      setMaxListeners(0, controller.signal);
      this.#held.set(grant.name, controller);
      return { ...grant, lost: controller.signal };
    });
  }

  /** Its work is done: others may take them. Throws as `acquire` does. */
  async release(names: readonly string[], signal: AbortSignal): Promise<void> {
    for (const name of names) this.#held.delete(name);
    await this.#ask((leases) => leases.release(this.#id, names, signal), signal);
  }

  /** Gives up everything; call when all work is done. Never rejects: who is not heard any more is expelled. */
  async leave(): Promise<void> {
    this.#stopping.abort(new Error('the control plane leaves'));
    this.lookSoon();
    await this.#loops;
    this.#held.clear();
    using limit = this.#options.clock.deadline(HOLD_BEATS * this.#beatMs);
    if (this.#id !== '') await this.#options.leases.leave(this.#id, limit.signal).catch(() => undefined);
  }

  async #beatLoop(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await clock.sleep(this.#beatMs, this.#hurry.signal).catch(() => undefined);
      if (signal.aborted) return;
      // Before the look: who asks for one while it runs may have come too late for it.
      this.#hurry = new AbortController();
      try {
        await this.#renew(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isAway(error)) {
          this.#end(asError(error));
          return;
        }
        log.debug('the leases could not be renewed', { error: error.message });
      }
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { leases, clock, log } = this.#options;
    const sentAt = clock.monotonic();
    this.#beat += 1;
    const state = { beat: this.#beat, ready: this.#ready, letGo: this.#letGo() };
    const heldBefore = [...this.#held];
    const view = await leases.renew(this.#id, state, signal);
    if (!view) throw lost('it was not heard for a while, and another control plane took over what it held');
    this.#renewedAt = sentAt;
    this.#view = view;
    // A store that failed over may have lost that it granted them.
    for (const [name, controller] of heldBefore)
      if (view.holders.get(name) !== this.#id) this.#lose(name, controller, lost('the store has forgotten it'));
    this.#silence.look(this.others, clock.monotonic());
    for (const { id, beat } of this.#silence.silentFor(SILENT_BEATS * this.#beatMs)) {
      const label = view.members.find((member) => member.id === id)?.label ?? id;
      if (await leases.expel(id, beat, signal))
        log.warn('a control plane is not heard any more: what it held is taken over', { member: label });
      this.lookSoon();
    }
    for (const listener of this.#listeners) listener(view);
  }

  /** Stops in time to be done before another begins; with no other there, nobody begins. */
  async #holdLoop(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    const holdMs = HOLD_BEATS * this.#beatMs;
    while (!signal.aborted) {
      const left = this.#renewedAt + holdMs - clock.monotonic();
      if (left <= 0 && this.others.length > 0) this.#loseAll(lost('the store could not be reached to renew it'));
      await clock.sleep(left > 0 ? left : this.#beatMs, signal).catch(() => undefined);
    }
  }

  #loseAll(reason: Error): void {
    for (const [name, controller] of [...this.#held]) this.#lose(name, controller, reason);
  }

  /** Unless it was given up, or taken anew. */
  #lose(name: string, controller: AbortController, reason: Error): void {
    if (this.#held.get(name) !== controller) return;
    this.#held.delete(name);
    controller.abort(reason);
  }

  async #ask<T>(call: (leases: Leases) => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#stopping.signal.throwIfAborted();
    try {
      return await call(this.#options.leases);
    } catch (error) {
      if (!signal.aborted && !isAway(error)) this.#end(asError(error));
      throw error;
    }
  }

  #end(reason: Error): void {
    this.#loseAll(reason);
    this.#stopping.abort(reason);
    this.#isOver(reason);
  }
}

/** The store may answer again, and then nothing has changed. */
function isAway(error: unknown): error is PlumbError {
  return error instanceof PlumbError && error.code === 'StoreUnavailable';
}

function lost(why: string): RetryableError {
  return new RetryableError('LeaseLost', `a lease of this control plane is lost: ${why}`);
}
