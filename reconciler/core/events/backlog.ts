/**
 * What was told and is not written yet. Each object has its turns, and the pods' `Normal` events have a rate together: a
 * push of thousands of pods would otherwise write more Events than anything else. What exceeds that waits, and equal ones
 * are counted meanwhile. Kubernetes drops it: of an object what is beyond 25 and one in five minutes (client-go,
 * `EventSourceObjectSpamFilter`), of a controller what its queue of 1,000 does not hold (`maxQueuedEvents`), of a kubelet
 * what is beyond 50 a second (`eventRecordQPS`).
 */
import type { Event } from '../../../contracts/objects/index.ts';
import { Rate } from '../rate.ts';
import { asTold, identityOf, merged, type Telling } from './similar.ts';

/** Events of an object that are kept, and that wait at most; the one seen longest ago makes room. */
export const KEPT_PER_OBJECT = 25;
/** Turns of an object. Source of the burst: client-go, `defaultSpamBurst`. */
const OBJECT_BURST = 25;
const OBJECT_PER_SECOND = 1 / 30;
/** Objects whose turns are remembered. Source: client-go, `maxLruCacheEntries`. */
const OBJECTS_KEPT = 4096;
/** Of all pods together: `Normal` events, about what is told of 250 pods at once. */
const PODS_BURST = 1000;
const PODS_PER_SECOND = 50;
/** Of more, pods of which nothing but `Normal` ones were told go first. */
const MOST_WAITING = 2000;

export interface Waiting {
  readonly telling: Telling;
  /** Attempts to write it that were lost to others. */
  readonly tries: number;
}

/** What waits of one object: it is written together. */
interface Regarding {
  /** By identity; what was told first is first. */
  readonly waiting: Map<string, Waiting>;
  /** `Normal` events of a pod alone. */
  isPaced: boolean;
}

export class EventBacklog {
  /** By object; who waits longest is first. */
  readonly #objects = new Map<string, Regarding>();
  readonly #turns = new Map<string, Rate>();
  readonly #pods: Rate;
  #size = 0;
  #dropped = 0;

  /** `nowMs`: on a clock that never goes back, here and below. */
  constructor(nowMs: number) {
    this.#pods = new Rate(PODS_BURST, PODS_PER_SECOND, nowMs);
  }

  /** Events that wait. */
  get size(): number {
    return this.#size;
  }

  /** Events that made room for others, so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `known`: the Events that there are of the object. */
  add(telling: Telling, known: Iterable<Telling>): void {
    const regarding = this.#regarding(telling);
    const identity = identityOf(telling);
    const before = regarding.waiting.get(identity);
    if (before) {
      regarding.waiting.set(identity, { ...before, telling: merged(before.telling, telling) });
      return;
    }
    const told = asTold(telling, both(known, regarding.waiting));
    this.#put(regarding, told === telling ? identity : identityOf(told), { telling: told, tries: 0 });
    this.#makeRoom(regarding);
  }

  /** What {@link take} gave and could not be written: what was told since comes after it. */
  putBack(batch: readonly Waiting[]): void {
    for (const { telling, tries } of batch) {
      const regarding = this.#regarding(telling);
      const identity = identityOf(telling);
      const since = regarding.waiting.get(identity);
      if (since) regarding.waiting.set(identity, { telling: merged(telling, since.telling), tries });
      else this.#put(regarding, identity, { telling, tries });
      this.#makeRoom(regarding);
    }
  }

  /** Takes what is to be written now. Of a pod with a warning also what came before it. */
  take(nowMs: number): Waiting[] {
    const batch: Waiting[] = [];
    for (const [term, { waiting, isPaced }] of this.#objects) {
      if (isPaced && !this.#pods.has(nowMs)) continue;
      if (!this.#turnsOf(term, nowMs).take(nowMs)) continue;
      if (isPaced) this.#pods.take(nowMs, waiting.size);
      this.#remove(term, waiting);
      batch.push(...waiting.values());
    }
    return batch;
  }

  /** Takes all that waits. */
  takeAll(): Waiting[] {
    const batch = [...this.#objects.values()].flatMap(({ waiting }) => [...waiting.values()]);
    this.#objects.clear();
    this.#size = 0;
    return batch;
  }

  #regarding({ type, involvedObject }: Telling): Regarding {
    const term = regardingTerm(involvedObject);
    let regarding = this.#objects.get(term);
    if (!regarding) this.#objects.set(term, (regarding = { waiting: new Map(), isPaced: true }));
    if (type === 'Warning' || involvedObject.kind !== 'Pod') regarding.isPaced = false;
    return regarding;
  }

  #put({ waiting }: Regarding, identity: string, { telling, tries }: Waiting): void {
    const before = waiting.get(identity);
    waiting.set(identity, { telling: before ? merged(before.telling, telling) : telling, tries });
    if (!before) this.#size += 1;
  }

  #remove(term: string, waiting: ReadonlyMap<string, Waiting>): void {
    if (this.#objects.delete(term)) this.#size -= waiting.size;
  }

  #makeRoom({ waiting }: Regarding): void {
    const before = this.#size;
    if (waiting.size > KEPT_PER_OBJECT && waiting.delete(seenLongestAgo(waiting))) this.#size -= 1;
    for (const paced of [true, false])
      for (const [term, other] of this.#size > MOST_WAITING ? this.#objects : []) {
        if (other.isPaced === paced) this.#remove(term, other.waiting);
        if (this.#size <= MOST_WAITING) break;
      }
    this.#dropped += before - this.#size;
  }

  #turnsOf(term: string, nowMs: number): Rate {
    const turns = this.#turns.get(term) ?? new Rate(OBJECT_BURST, OBJECT_PER_SECOND, nowMs);
    this.#turns.delete(term);
    this.#turns.set(term, turns);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > OBJECTS_KEPT && oldest !== undefined) this.#turns.delete(oldest);
    return turns;
  }
}

/** Equal for all Events of one object. */
export function regardingTerm({ kind, namespace = '', name, uid = '' }: Event['involvedObject']): string {
  return `regarding ${kind}/${namespace}/${name}/${uid}`;
}

function seenLongestAgo(waiting: ReadonlyMap<string, Waiting>): string {
  const seen = [...waiting].map(([identity, { telling }]) => ({ identity, at: telling.lastTimestamp }));
  return seen.reduce((oldest, one) => (one.at < oldest.at ? one : oldest)).identity;
}

function* both(known: Iterable<Telling>, waiting: ReadonlyMap<string, Waiting>): Generator<Telling> {
  yield* known;
  for (const { telling } of waiting.values()) yield telling;
}
