/** The table of members and leases within one process. */
import { RetryableError } from '../../core/errors.ts';
import { SHARDS } from '../../core/leases/shards.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grant, Leases, LeaseView, Member } from '../../ports/leases.ts';
import type { MemoryState } from './object-store.ts';

export class MemoryLeases implements Leases {
  readonly #state: MemoryState;
  readonly #incarnation: string | undefined;
  readonly #clock: Clock;

  /** Of the store that is open now. */
  constructor(state: MemoryState, clock: Clock) {
    this.#state = state;
    this.#incarnation = state.incarnation;
    this.#clock = clock;
  }

  async join(
    who: { readonly home: string; readonly label: string },
    signal: AbortSignal,
  ): Promise<{ member: string; shards: number }> {
    this.#check(signal);
    const state = this.#state;
    for (const [id, home] of [...state.homes]) if (home === who.home) this.#expel(id);
    state.joined += 1;
    const member = String(state.joined);
    state.members.set(member, { id: member, label: who.label, beat: 0, ready: false, letGo: { upTo: 0, shards: [] } });
    state.homes.set(member, who.home);
    return { member, shards: SHARDS };
  }

  async renew(
    member: string,
    update: Pick<Member, 'beat' | 'ready' | 'letGo'>,
    signal: AbortSignal,
  ): Promise<LeaseView | undefined> {
    this.#check(signal);
    const known = this.#state.members.get(member);
    if (!known) return undefined;
    this.#state.members.set(member, { ...known, ...update });
    return { members: [...this.#state.members.values()], holders: new Map(this.#state.holders) };
  }

  async acquire(member: string, names: readonly string[], signal: AbortSignal): Promise<readonly Grant[]> {
    this.#check(signal);
    const state = this.#state;
    if (!state.members.has(member)) return [];
    return names.flatMap((name): readonly Grant[] => {
      const holder = state.holders.get(name);
      if (holder !== undefined && holder !== member && state.members.has(holder)) return [];
      const token = state.epoch === undefined ? this.#clock.now().getTime() : state.epoch + 1;
      state.epoch = token;
      state.holders.set(name, member);
      return [{ name, token, resourceVersion: String(state.version) }];
    });
  }

  async release(member: string, names: readonly string[], signal: AbortSignal): Promise<void> {
    this.#check(signal);
    for (const name of names) if (this.#state.holders.get(name) === member) this.#state.holders.delete(name);
  }

  async expel(member: string, beat: number, signal: AbortSignal): Promise<boolean> {
    this.#check(signal);
    if (this.#state.members.get(member)?.beat !== beat) return false;
    this.#expel(member);
    return true;
  }

  async leave(member: string, signal: AbortSignal): Promise<void> {
    this.#check(signal);
    this.#expel(member);
  }

  async close(): Promise<void> {
    // Nothing is held open.
  }

  #check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#incarnation !== this.#state.incarnation)
      throw new RetryableError('StoreLost', 'the live state was emptied or claimed anew');
  }

  #expel(member: string): void {
    this.#state.members.delete(member);
    this.#state.homes.delete(member);
    for (const [name, holder] of [...this.#state.holders]) if (holder === member) this.#state.holders.delete(name);
  }
}
