/** "Did you mean": the one known word that a person most likely wanted. */

/** The closest of `known` to `word`, or undefined when none is close. Ties go to the first in `known`. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length === 0 || word.length > 64) return undefined;
  const plain = simplify(word);
  const same = known.find((k) => simplify(k) === plain);
  if (same !== undefined) return same;
  const allowed = Math.min(3, Math.floor(word.length / 3));
  let best: { readonly text: string; readonly distance: number } | undefined;
  for (const text of known) {
    if (Math.abs(text.length - word.length) > allowed) continue;
    const distance = editDistance(word.toLowerCase(), text.toLowerCase());
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { text, distance };
  }
  return best?.text;
}

/** Comparisons for all words of one commit, or of one file, that mean nothing: more of them are not misspelt. */
const MOST_COMPARISONS = 20_000;

/**
 * Suggestions for words against names that are both chosen by whoever writes manifests. To look for what was meant costs
 * time by the word and the name: after a number of comparisons there are no more suggestions.
 */
export class Suggestions {
  #left = MOST_COMPARISONS;

  /** As {@link suggest}. `names` is not asked for once nothing is suggested. */
  closest(word: string, names: () => readonly string[]): string | undefined {
    if (this.#left <= 0) return undefined;
    const known = names();
    this.#left -= 1 + known.length;
    return this.#left < 0 ? undefined : suggest(word, known);
  }
}

/** Lower case, no separators, no plural: `host-port` and `hostPorts` are one word. */
function simplify(word: string): string {
  return word
    .toLowerCase()
    .replace(/[-_. ]/g, '')
    .replace(/s$/, '');
}

/** Edits (insert, delete, replace, swap of neighbours) from `a` to `b`: the restricted Damerau-Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (older[j - 2] ?? 0) + 1);
      current.push(cost);
    }
    older = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
