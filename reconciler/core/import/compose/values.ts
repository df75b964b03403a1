/** Values in Compose's own forms. Source: Compose specification, "Extend service", "Specifying durations", "byte values". */
import type { LocatedScalar, SecretPart } from '../located.ts';

const UNIT_SECONDS: ReadonlyMap<string, number> = new Map([
  ['us', 1e-6],
  ['ms', 1e-3],
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);
const MAX_SECONDS = 2 ** 31 - 1;

/** Seconds of `1m30s`; a number without a unit is undefined, as Compose refuses it. */
export function durationSeconds(text: string): number | undefined {
  const written = text.trim();
  if (!/^(?:\d{1,12}(?:\.\d{1,9})?(?:us|ms|s|m|h|d)){1,6}$/.test(written)) return written === '0' ? 0 : undefined;
  let seconds = 0;
  for (const [, amount, unit] of written.matchAll(/([\d.]+)(us|ms|s|m|h|d)/g))
    seconds += Number(amount) * (UNIT_SECONDS.get(unit ?? '') ?? 0);
  return Math.min(seconds, MAX_SECONDS);
}

const BYTE_UNITS = ['', 'k', 'm', 'g', 't'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti'];

/** `512m`, `1.5gb` as a Kubernetes quantity; Compose's units are powers of 1024. */
export function byteQuantity(text: string): string | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s*([bkmgt])?i?b?$/i.exec(text.trim());
  if (!match) return undefined;
  const power = Math.max(0, BYTE_UNITS.indexOf((match[2] ?? '').toLowerCase().replace('b', '')));
  let bytes = Math.round(Number(match[1]) * 1024 ** power);
  if (bytes > Number.MAX_SAFE_INTEGER) return undefined;
  let unit = 0;
  while (bytes > 0 && bytes % 1024 === 0 && unit < BINARY.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${bytes}${BINARY[unit] ?? ''}`;
}

/** A share of processors as a Kubernetes quantity: `0.5` is `500m`. */
export function cpuQuantity(text: string): string | undefined {
  const cpus = /^\d{1,6}(?:\.\d{1,9})?$/.test(text.trim()) ? Number(text) : NaN;
  if (!(cpus > 0)) return undefined;
  return Number.isInteger(cpus) ? String(cpus) : `${Math.max(1, Math.round(cpus * 1000))}m`;
}

/**
 * A text for `command`, `args` and `env`, where Kubernetes replaces `$(NAME)`: secrets are named so, and what looks so is
 * escaped. Source: Kubernetes, third_party/forked/golang/expansion.
 */
export function referring(scalar: LocatedScalar): { readonly text: string; readonly secrets: readonly SecretPart[] } {
  if (!scalar.parts) return { text: escapedText(scalar.source), secrets: [] };
  const secrets: SecretPart[] = [];
  let text = '';
  for (const [i, part] of scalar.parts.entries()) {
    if (typeof part === 'string') {
      // A dollar sign before a name would be taken for an escape of it.
      const isBeforeName = typeof scalar.parts[i + 1] === 'object' && part.endsWith('$');
      text += escapedText(part) + (isBeforeName ? '$' : '');
    } else {
      secrets.push(part);
      text += `$(${part.secret})`;
    }
  }
  return { text, secrets };
}

function escapedText(text: string): string {
  return text.replaceAll(/\$(?=[$(])/g, '$$$$');
}

/** The words of a command that is written as one text, as Compose splits it; undefined where a quote is not closed. */
export function commandWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === '\\' && quote !== "'") word = (word ?? '') + text.charAt(++i);
    else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (word !== undefined) words.push(word);
  return quote === '' ? words : undefined;
}
