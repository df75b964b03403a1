/**
 * How values of manifests stand in HAProxy's configuration, so that none can be more than a value. Source: HAProxy 2.6
 * configuration manual, 2.2 (quoting and escaping) and 8.2.4 (custom log format).
 */
import { createHash } from 'node:crypto';

/**
 * One word of a line, whatever is in it: between single quotes nothing has a meaning. Ends of lines become escapes;
 * other control characters, which no value needs, spaces.
 */
export function word(text: string): string {
  const plain = text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, ' ')
    .replace(/['\n\r\t]/g, (found) => `'${ESCAPED.get(found) ?? ''}'`);
  return `'${plain}'`;
}

const ESCAPED: ReadonlyMap<string, string> = new Map([
  ["'", "\\'"],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** The same for a place where HAProxy looks for `%[expressions]`. */
export function literal(text: string): string {
  return text.replaceAll('%', '%%');
}

/** Text for a regular expression that stands for itself. */
export function plainPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/**
 * Steps that one look at a value may take: a fraction of a millisecond. Where a pattern needs more, as some do that try all
 * ways to split a long value, it does not match, and no request keeps a worker from the others. Source: pcre2pattern(3),
 * "Setting match resource limits"; the program's own limit is 500 times that.
 */
const MOST_STEPS = 20_000;

/** The regular expression over a whole value. */
export function wholePattern(pattern: string): string {
  return `(*LIMIT_MATCH=${MOST_STEPS})^(?:${pattern})$`;
}

/** Text that stands for itself in what takes the place of a match: no `\1` in it is a group. */
export function plainReplacement(text: string): string {
  return literal(text).replaceAll('\\', '\\\\');
}

/** The same, but for \1 to \9. */
export function groupedReplacement(text: string): string {
  return literal(text).replace(/\\(?![1-9])/g, '\\\\');
}

/** A header's or method's name, or a parameter's of a query, as it may stand between parentheses. */
export function isToken(text: string): boolean {
  return /^[A-Za-z0-9_.~!*^|$&+-]{1,256}$/.test(text);
}

/** A value that may stand in a header's line. */
export function isLine(text: string): boolean {
  return !/[\0-\x08\x0a-\x1f\x7f]/.test(text);
}

/** A path, as it may be a key of a map. */
export function isKey(text: string): boolean {
  return text.startsWith('/') && text.length <= 4096 && !/[\0-\x20\x7f]/.test(text);
}

/** Lower case, without a wildcard. */
export function isHostname(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(text);
}

export function hashOf(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}
