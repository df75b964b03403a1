/** Plain words for what was expected and what was found. */
import type { YamlNode } from './yaml-tree.ts';

const SHOWN_CHARACTERS = 60;

/**
 * `text "three"`, `the number 3`, `the boolean true (written yes)`, `a list`. `secret`: the value itself is not shown.
 */
export function found(node: YamlNode, secret = false): string {
  if (node.kind === 'map') return 'a map of fields';
  if (node.kind === 'list') return 'a list';
  const { value, source } = node;
  if (value === null) return 'nothing (null)';
  if (secret) return typeof value === 'string' ? 'text' : `a ${typeof value}`;
  if (typeof value === 'string') return `text ${quote(value)}`;
  const written = String(value) === source ? '' : ` (written ${source.slice(0, SHOWN_CHARACTERS)})`;
  return `the ${typeof value} ${String(value)}${written}`;
}

export function quote(text: string): string {
  return JSON.stringify(shortened(text));
}

/** As much of a text as a message shows. */
export function shortened(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}

/**
 * Characters that nobody sees, or sees as something else: controls, format characters (bidirectional marks, zero
 * widths), spaces that are none.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const EVERY_INVISIBLE = new RegExp(INVISIBLE, 'gu');

/** The code point of a character that nobody sees, as Unicode writes it (`U+00A0`); undefined for one that shows. */
export function invisibleCharacter(character: string): string | undefined {
  return INVISIBLE.test(character)
    ? `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
    : undefined;
}

/** The text with every character that nobody sees written out: `a<U+00A0>b`. */
export function visible(text: string): string {
  return text.replaceAll(EVERY_INVISIBLE, (character) => `<${invisibleCharacter(character) ?? ''}>`);
}

/** `A`, `A or B`, `A, B or C`. */
export function oneOf(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`;
}

/** Names of the schema library's types, for people. */
export function expectedWords(expected: string, whole: boolean): string {
  switch (expected) {
    case 'int':
      return 'a whole number';
    case 'number':
      return whole ? 'a whole number' : 'a number';
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list';
    case 'object':
    case 'record':
    case 'map':
      return 'a map of fields';
    default:
      return expected;
  }
}

/**
 * How to turn what was found into what was expected, where that is one small edit. `field`: what stands before the
 * value, `name: ` or nothing. `mayBeLong`: the value is a text that may well have several lines.
 */
export function typeHint(expected: string, node: YamlNode, field: string, mayBeLong: boolean): string | undefined {
  if (node.kind === 'scalar') {
    const { value, source } = node;
    if (
      (expected === 'int' || expected === 'number') &&
      typeof value === 'string' &&
      /^\s*[-+]?\d+(\.\d+)?\s*$/.test(value)
    ) {
      return node.quoted ? `remove the quotes: ${field}${value.trim()}` : undefined;
    }
    if (expected === 'boolean' && typeof value === 'string' && /^(true|false|yes|no|on|off)$/i.test(value)) {
      return `remove the quotes: ${field}${/^(true|yes|on)$/i.test(value) ? 'true' : 'false'}`;
    }
    if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
      return `quote it: ${field}"${source}"`;
    if (expected === 'string' && value === null) return 'write "" for empty text';
    if (expected === 'array') return `start each entry with "- " on a line of its own`;
    return undefined;
  }
  if (expected === 'string' && mayBeLong && field !== '')
    return `if it is meant as text, write "${field}|" and indent it below`;
  if (expected === 'array' && node.kind === 'map') return 'start each entry with "- "';
  if (expected !== 'array' && node.kind === 'list' && ['object', 'record', 'map'].includes(expected))
    return 'remove the "- "';
  return undefined;
}
