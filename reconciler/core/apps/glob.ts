/**
 * Patterns of paths: `*` and `?` within a name, `**` for any folders, none as well. A match takes time that grows with
 * the pattern and the path, whatever is in them.
 */

const MAX_PATTERN = 500;

/** Which beginnings of a pattern the names so far match: positions in its parts, each once. */
export type GlobState = readonly number[];

export class Glob {
  readonly #parts: readonly string[];

  /** One that is too long matches nothing. */
  constructor(pattern: string) {
    this.#parts = pattern.length > MAX_PATTERN ? [] : pattern.replace(/^\.?\//, '').split('/');
  }

  get start(): GlobState {
    return this.#closed([0]);
  }

  /** After one more name; empty where nothing below can match. */
  after(state: GlobState, name: string): GlobState {
    return this.#closed(
      state.flatMap((at) => {
        const part = this.#parts[at];
        if (part === '**') return [at];
        return part !== undefined && matchesName(part, name) ? [at + 1] : [];
      }),
    );
  }

  /** How much work {@link after} is, in comparisons of a few characters. */
  costOf(state: GlobState, name: string): number {
    return state.reduce((sum, at) => {
      const part = this.#parts[at] ?? '';
      return sum + 1 + (hasWildcard(part) ? (part.length * name.length) / 16 : 0);
    }, 1);
  }

  isMatch(state: GlobState): boolean {
    return state.includes(this.#parts.length);
  }

  /** As in a shell: a name that begins with a dot is matched by what begins with one. */
  seeing(state: GlobState, name: string): GlobState {
    return name.startsWith('.') ? state.filter((at) => this.#parts[at]?.startsWith('.')) : state;
  }

  /** `**` may stand for no folder at all. */
  #closed(state: GlobState): GlobState {
    const all = new Set<number>();
    for (let at of state) for (all.add(at); this.#parts[at] === '**' && !all.has(at + 1);) all.add(++at);
    return [...all];
  }
}

/** Names with a dot at their beginning are as others. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const glob = new Glob(pattern);
  return (path) =>
    glob.isMatch(path.split('/').reduce<GlobState>((state, name) => glob.after(state, name), glob.start));
}

/** Other than the one that matches every name. */
function hasWildcard(part: string): boolean {
  return part !== '*' && part !== '**' && /[*?]/.test(part);
}

/** Row by row: which beginnings of the name the pattern's beginning matches. */
function matchesName(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  if (!hasWildcard(pattern)) return pattern === name;
  let reached = new Set([0]);
  for (const character of pattern) {
    const next = new Set<number>();
    if (character === '*') for (let to = Math.min(...reached); to <= name.length; to++) next.add(to);
    else
      for (const at of reached)
        if (at < name.length && (character === '?' || character === name.charAt(at))) next.add(at + 1);
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(name.length);
}
