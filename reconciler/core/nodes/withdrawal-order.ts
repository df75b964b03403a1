/**
 * The numbers that this process gave to withdrawals of endpoints, against the versions that the store gave them. Both
 * count up, but not in one order: a process sees its own writes before those of others that came first. Numbers say
 * what an assignment made here holds; versions are what several control planes can tell each other.
 */

interface Seen {
  readonly number: number;
  readonly version: number;
}

/** Of older ones only the highest number and version are kept. */
const MOST_SEEN = 1000;

export class WithdrawalOrder {
  readonly #seen: Seen[] = [];
  #forgotten: Seen;

  /** `first`: the number of everything that was withdrawn up to `version`, before this process looked. */
  constructor(first: number, version: number) {
    this.#forgotten = { number: first, version };
  }

  /** `number` is above all that were added before. */
  add(number: number, version: number): void {
    this.#seen.push({ number, version });
    if (this.#seen.length <= MOST_SEEN) return;
    const oldest = this.#seen.shift();
    if (oldest) this.#forgotten = { ...oldest, version: Math.max(oldest.version, this.#forgotten.version) };
  }

  /** The highest number such that none up to it has a version above `version`; 0 where that is not known. */
  numberAt(version: number): number {
    if (version < this.#forgotten.version) return 0;
    const next = this.#seen.findIndex((seen) => seen.version > version);
    const last = next < 0 ? this.#seen.at(-1) : this.#seen[next - 1];
    return last?.number ?? this.#forgotten.number;
  }

  /** The highest version that all numbers above `number` are above; 0 where that is not known, Infinity for the newest. */
  versionBelow(number: number): number {
    if (number < this.#forgotten.number) return 0;
    return this.#seen.reduce(
      (lowest, seen) => (seen.number > number ? Math.min(lowest, seen.version - 1) : lowest),
      Infinity,
    );
  }
}
