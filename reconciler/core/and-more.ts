/** Lists in a sentence, cut where they are long, and never without a word. */

/** The first `shown` of the texts, and how many more there are: `a, b and 3 more`. */
export function andMore(texts: readonly string[], shown: number, separator = ', '): string {
  const more = texts.length - shown;
  return more <= 0 ? texts.join(separator) : `${texts.slice(0, shown).join(separator)} and ${more} more`;
}
