/** Patterns of paths as ApplicationSets have them: `*` and `?` within a name, `**` for any folders. */

const MAX_PATTERN = 500;

export function pathMatcher(pattern: string): (path: string) => boolean {
  if (pattern.length > MAX_PATTERN) return () => false;
  const parts = pattern.replace(/^\.?\//, '').split('/');
  return (path) => matchesParts(parts, path.split('/'));
}

/** Row by row: which beginnings of the path the pattern's beginning matches; no pattern makes it take long. */
function matchesParts(pattern: readonly string[], names: readonly string[]): boolean {
  let reached = new Set([0]);
  for (const part of pattern) {
    const next = new Set<number>();
    for (const at of reached) {
      if (part === '**') for (let to = at; to <= names.length; to++) next.add(to);
      else if (at < names.length && matchesName(part, names[at] ?? '')) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(names.length);
}

function matchesName(pattern: string, name: string): boolean {
  let reached = new Set([0]);
  for (const character of pattern) {
    const next = new Set<number>();
    for (const at of reached) {
      if (character === '*') for (let to = at; to <= name.length; to++) next.add(to);
      else if (at < name.length && (character === '?' || character === name.charAt(at))) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(name.length);
}
