/**
 * The best of many entries, kept while single ones change: a change costs the depth of a binary tree, asking costs
 * nothing.
 */
const NOBODY = -1;

export class Tournament {
  /** Winner of each match; node i plays the winners of 2i and 2i+1, leaves are the entries themselves. */
  readonly #winners: Int32Array;
  readonly #leaves: number;
  readonly #takesPart: (entry: number) => boolean;
  readonly #beats: (a: number, b: number) => boolean;

  /** `beats` is a strict total order of the entries that take part. */
  constructor(entries: number, takesPart: (entry: number) => boolean, beats: (a: number, b: number) => boolean) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, entries)));
    this.#winners = new Int32Array(2 * this.#leaves).fill(NOBODY);
    this.#takesPart = takesPart;
    this.#beats = beats;
    for (let entry = 0; entry < entries; entry++) if (takesPart(entry)) this.#winners[this.#leaves + entry] = entry;
    for (let match = this.#leaves - 1; match > 0; match--) this.#play(match);
  }

  /** -1 when nobody takes part. */
  get winner(): number {
    return this.#winners[1] ?? NOBODY;
  }

  /** To be told whenever an entry comes, goes, or is as good as it was no more. */
  changed(entry: number): void {
    let match = this.#leaves + entry;
    this.#winners[match] = this.#takesPart(entry) ? entry : NOBODY;
    for (match >>= 1; match > 0; match >>= 1) this.#play(match);
  }

  #play(match: number): void {
    const left = this.#winners[2 * match] ?? NOBODY;
    const right = this.#winners[2 * match + 1] ?? NOBODY;
    this.#winners[match] = left === NOBODY ? right : right === NOBODY || this.#beats(left, right) ? left : right;
  }
}
