/**
 * Versions and ranges of versions, as Flux and Helm read them: node-semver's, and what Masterminds/semver ("Checking
 * Version Constraints" of its README) has beside it: commas between what must all hold, `!=`, `=>` and `=<`, and that a
 * range which names a version before its release is about all of them.
 */
import { compare, parse, Range as NodeRange, valid, type SemVer } from 'semver';

export type Version = SemVer;

/** Whether a version is in the range. */
export type Range = (version: Version) => boolean;

/** Longer ones are none. */
const MAX_LENGTH = 256;
/** Comparisons of one range. */
const MAX_PARTS = 32;
const NAMES_EARLY = /\d-[0-9A-Za-z]/;

/** A version of three numbers, with a `v` before them or not; undefined for any other text. */
export function parseVersion(text: string): Version | undefined {
  return /^v?\d\S*$/.test(text) && valid(text) !== null ? (parse(text) ?? undefined) : undefined;
}

/** Negative where `a` comes before `b`, 0 where neither does. What stands behind a `+` does not count. */
export function compareVersions(a: Version, b: Version): number {
  return compare(a, b);
}

/** The range that a text says; undefined where it says none. */
export function parseRange(text: string): Range | undefined {
  if (text.length > MAX_LENGTH || text.split(/[\s,]+/).length > MAX_PARTS) return undefined;
  const all = text.split('||').map(parseAll);
  return all.includes(undefined) ? undefined : (version) => all.some((fits) => fits?.(version));
}

/** What must all hold. */
function parseAll(text: string): Range | undefined {
  const words = text
    .replaceAll('=>', '>=')
    .replaceAll('=<', '<=')
    .replace(/([=<>~^])\s+/g, '$1')
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  if (words.length === 0) return undefined;
  const options = { includePrerelease: NAMES_EARLY.test(text) };
  const [has, hasNot] = [true, false].map((wanted) => words.filter((word) => word.startsWith('!=') !== wanted));
  try {
    const range = new NodeRange(has?.join(' ') || '*', options);
    const excluded = (hasNot ?? []).map((word) => new NodeRange(word.slice(2), { includePrerelease: true }));
    return (version) => range.test(version) && !excluded.some((each) => each.test(version));
  } catch (error) {
    // It throws that for what it cannot read, and for nothing else.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
