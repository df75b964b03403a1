/**
 * What a plain YAML word means. Kubernetes reads YAML with the rules of YAML 1.1 as go-yaml 2 implements them: `yes`
 * and `on` are booleans, `0644` is octal, but sexagesimal numbers (`22:22`), dates and floats out of range (`1e400`)
 * are text. Source: sigs.k8s.io/yaml, goyaml.v2/resolve.go.
 */

export type ScalarValue = string | number | boolean | null;

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUE = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']);
const FALSE = new Set(['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']);
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;
const RADIX: readonly (readonly [RegExp, number])[] = [
  [/^([-+]?)0b([01]+)$/i, 2],
  [/^([-+]?)0o?([0-7]+)$/i, 8],
  [/^([-+]?)0x([0-9a-f]+)$/i, 16],
];
const NOT_FINITE = new Map([
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word): [string, number] => [word, Infinity]),
  ...['-.inf', '-.Inf', '-.INF'].map((word): [string, number] => [word, -Infinity]),
  ...['.nan', '.NaN', '.NAN'].map((word): [string, number] => [word, NaN]),
]);

/**
 * The value of an unquoted scalar without a tag. A number may be infinite or none (`.inf`, `.nan`, a whole number of
 * 400 digits).
 */
export function resolvePlain(source: string): ScalarValue {
  if (NULLS.has(source)) return null;
  if (TRUE.has(source)) return true;
  if (FALSE.has(source)) return false;
  return resolveNumber(source) ?? source;
}

/** The number that the text writes, or undefined. */
function resolveNumber(source: string): number | undefined {
  if (!/^[-+.\d]/.test(source)) return undefined;
  const special = NOT_FINITE.get(source);
  if (special !== undefined) return special;
  const digits = source.startsWith('.') ? source : source.replaceAll('_', '');
  for (const [pattern, radix] of RADIX) {
    const match = pattern.exec(digits);
    if (match) return (match[1] === '-' ? -1 : 1) * Number.parseInt(match[2] ?? '', radix) + 0;
  }
  if (!FLOAT.test(digits)) return undefined;
  const value = Number(digits);
  // A whole number may be of any size, a float out of range is text.
  return Number.isFinite(value) || /^[-+]?\d+$/.test(digits) ? value + 0 : undefined;
}

/**
 * The value of a scalar with one of YAML's core tags, or undefined where tag and text do not fit or the tag is not
 * known.
 */
export function resolveTagged(tag: string, source: string): ScalarValue | undefined {
  const plain = resolvePlain(source);
  switch (tag) {
    case 'tag:yaml.org,2002:str':
      return source;
    case 'tag:yaml.org,2002:int':
      return Number.isInteger(plain) ? plain : undefined;
    case 'tag:yaml.org,2002:float':
      return typeof plain === 'number' ? plain : undefined;
    case 'tag:yaml.org,2002:bool':
      return typeof plain === 'boolean' ? plain : undefined;
    case 'tag:yaml.org,2002:null':
      return plain === null ? null : undefined;
    default:
      return undefined;
  }
}
