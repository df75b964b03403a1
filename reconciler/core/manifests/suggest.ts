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
    const distance = editDistance(word.toLowerCase(), text.toLowerCase());
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { text, distance };
  }
  return best?.text;
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
