/** What all AppSets of a commit may have together of one thing: elements, comparisons, characters. */
export class Allowance {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  /** False once there is none left. */
  take(amount = 1): boolean {
    this.#left -= amount;
    return this.#left >= 0;
  }
}
