/** What most nodes say. */

export class Votes {
  readonly #said = new Map<string, Map<string, number>>();

  /** The word of so many nodes: `value` for `subject`. The caller sees to it that a node speaks once of a subject. */
  add(subject: string, value: string, nodes = 1): void {
    const values = this.#said.get(subject) ?? new Map<string, number>();
    this.#said.set(subject, values.set(value, (values.get(value) ?? 0) + nodes));
  }

  /**
   * Values said of a subject, most votes first; equal ones in the order of their text, so that it does not matter who
   * was asked first.
   */
  ranked(subject: string): readonly { readonly value: string; readonly votes: number }[] {
    return [...(this.#said.get(subject) ?? [])]
      .map(([value, votes]) => ({ value, votes }))
      .sort((a, b) => b.votes - a.votes || (a.value < b.value ? -1 : 1));
  }
}
