/**
 * An encrypted value that needs no `sops` block: `ENC[AGE,data:BASE64]`, an age file. It holds its own place, so that it
 * cannot be moved to another Secret or key by who could not read it there.
 */
import { fromBase64 } from './envelope.ts';

/** Of a value of a Secret. `data` and `stringData` are the same place: which of the two is how it is written. */
export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

const FORM = /^ENC\[AGE,data:([A-Za-z0-9+/]+={0,2})\]$/;
const FIRST_LINE = 'plumbline.dev/secret-value/v1';

export function isInline(text: string): boolean {
  return text.startsWith('ENC[AGE,');
}

/** The age file; undefined where the text is none. */
export function readInline(text: string): Uint8Array | undefined {
  const [, data] = FORM.exec(text) ?? [];
  return data === undefined ? undefined : fromBase64(data);
}

export function writeInline(file: Uint8Array): string {
  return `ENC[AGE,data:${Buffer.from(file).toString('base64')}]`;
}

/** What is encrypted: the place in two lines, then the value. Names of Kubernetes have no line feed. */
export function placed({ namespace, name, key }: SecretPlace, value: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${FIRST_LINE}\n${namespace}/${name}/${key}\n`, 'utf8'), value]);
}

/** The value, where the contents are of this place; otherwise the place they are of, or undefined for other contents. */
export function valueAt(
  contents: Uint8Array,
  place: SecretPlace,
): { readonly value?: Uint8Array; readonly isOf?: string } {
  const bytes = Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength);
  const first = bytes.indexOf('\n');
  const second = first < 0 ? -1 : bytes.indexOf('\n', first + 1);
  if (second < 0 || bytes.toString('utf8', 0, first) !== FIRST_LINE) return {};
  const isOf = bytes.toString('utf8', first + 1, second);
  return isOf === `${place.namespace}/${place.name}/${place.key}` ? { value: bytes.subarray(second + 1) } : { isOf };
}
