/**
 * Answers by what was asked, byte for byte but for the id: the same question in another form is another one. Bounded in
 * number and size; what was not asked for longest goes first.
 */

const ID_BYTES = 2;
/** Larger questions carry what makes each of them another one (EDNS cookies), larger answers are seldom asked for. */
const MOST_QUERY_BYTES = 160;
const MOST_ANSWER_BYTES = 512;

/** A query without its id. */
export type QueryKey = string;

/** Undefined for one of which no answer is kept. */
export function queryKey(query: Uint8Array): QueryKey | undefined {
  if (query.length > MOST_QUERY_BYTES) return undefined;
  return Buffer.from(query.buffer, query.byteOffset, query.length).toString('latin1', ID_BYTES);
}

interface Kept {
  readonly answer: Buffer;
  /** As a monotonic clock shows it, in milliseconds; infinite for what is thrown away by {@link AnswerCache.clear}. */
  readonly until: number;
  readonly since: number;
  /** Where times to live stand in the answer, which become less. */
  readonly places: readonly number[];
}

export class AnswerCache {
  readonly #most: number;
  readonly #kept = new Map<string, Kept>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The answer for this query, with its id, and its times to live as they are now. */
  get(key: QueryKey, query: Uint8Array, now: number): Buffer | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    this.#kept.delete(key);
    if (kept.until <= now) return undefined;
    this.#kept.set(key, kept);
    const answer = Buffer.from(kept.answer);
    answer[0] = query[0] ?? 0;
    answer[1] = query[1] ?? 0;
    const seconds = Math.floor((now - kept.since) / 1000);
    if (seconds > 0)
      for (const at of kept.places) answer.writeUInt32BE(Math.max(0, answer.readUInt32BE(at) - seconds), at);
    return answer;
  }

  put(key: QueryKey, answer: Uint8Array, now: number, life?: { ttlMs: number; places: readonly number[] }): void {
    if (answer.length > MOST_ANSWER_BYTES) return;
    this.#kept.delete(key);
    if (this.#kept.size >= this.#most) {
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    const until = life ? now + life.ttlMs : Number.POSITIVE_INFINITY;
    // With memory of its own: a part of Node's pool would keep the whole of it, with many that were given away since.
    const own = Buffer.allocUnsafeSlow(answer.length);
    own.set(answer);
    this.#kept.set(key, { answer: own, until, since: now, places: life?.places ?? [] });
  }

  get size(): number {
    return this.#kept.size;
  }

  clear(): void {
    this.#kept.clear();
  }
}
