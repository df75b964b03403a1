/**
 * The digest over all values of a SOPS file, in the order they are written. Source: getsops/sops, sops.go (Decrypt,
 * ToBytes); values are read as go-yaml 3 reads them, not as Kubernetes does.
 */
import { createHash, type Hash } from 'node:crypto';
import type { YamlScalar } from '../manifests/yaml-tree.ts';

/** What the digest begins with where only encrypted values are in it: SHA-256 of `sops`. */
const ONLY_ENCRYPTED = createHash('sha256').update('sops').digest();

export class SopsDigest {
  readonly #hash: Hash = createHash('sha512');

  constructor(onlyEncrypted: boolean) {
    if (onlyEncrypted) this.#hash.update(ONLY_ENCRYPTED);
  }

  add(value: string | Uint8Array): void {
    this.#hash.update(value);
  }

  text(): string {
    return this.#hash.digest('hex').toUpperCase();
  }
}

const INTEGER = /^([-+]?)(0|[1-9][0-9]*|0x[0-9a-fA-F]+|0b[01]+|0o?[0-7]+)$/;
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/** What an unencrypted scalar adds to the digest. Nothing for null. */
export function digestText({ source, quoted }: Pick<YamlScalar, 'source' | 'quoted'>): string {
  if (quoted) return source;
  if (/^(~|null|Null|NULL|)$/.test(source)) return '';
  if (/^(true|True|TRUE)$/.test(source)) return 'True';
  if (/^(false|False|FALSE)$/.test(source)) return 'False';
  const digits = source.replaceAll('_', '');
  const whole = INTEGER.exec(digits);
  if (whole) {
    const octal = /^0o?(?=[0-7]+$)/;
    const text = whole[2] ?? '';
    const value = BigInt(text !== '0' && octal.test(text) ? text.replace(octal, '0o') : text);
    return String(whole[1] === '-' ? -value : value);
  }
  return FLOAT.test(digits) ? decimalText(Number(digits)) : source;
}

/** As Go's `strconv.FormatFloat(value, 'f', -1, 64)`: the shortest digits that give the number back, no exponent. */
export function decimalText(value: number): string {
  const [digits = '', exponent] = String(value).split('e');
  if (exponent === undefined) return digits;
  const sign = digits.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = digits.replace('-', '').split('.');
  const all = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${all}`;
  return point >= all.length
    ? `${sign}${all}${'0'.repeat(point - all.length)}`
    : `${sign}${all.slice(0, point)}.${all.slice(point)}`;
}
