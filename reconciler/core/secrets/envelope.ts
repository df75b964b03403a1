/** What is encrypted with age, apart from what can be done with it. */

/** One age file (age-encryption.org/v1), as far as it is known for whom. */
export interface AgeFile {
  /** What whoever wrote it says it is for: an age recipient. It proves nothing. */
  readonly recipient?: string;
  readonly bytes: Uint8Array;
}

/** Age files of which each holds the same: whoever can open one of them has it. */
export interface Envelope {
  /** Equal envelopes have equal ids. */
  readonly id: string;
  readonly files: readonly AgeFile[];
}

export type Opened =
  | { readonly state: 'open'; readonly contents: Uint8Array }
  /** No identity fits, or there are none: `why` is for people. Another look may find one. */
  | { readonly state: 'no-key'; readonly why: string }
  /** An identity fits, but what it opens is damaged. */
  | { readonly state: 'damaged'; readonly why: string };

export interface OpenedEnvelopes {
  readonly byId: ReadonlyMap<string, Opened>;
  /**
   * An engine wrote the documents anew: it may give fields another order and other values, so that SOPS' digest of a file
   * says nothing of them. Each encrypted value is verified for its key all the same.
   */
  readonly isRewritten?: boolean;
}

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
const END = '-----END AGE ENCRYPTED FILE-----';

/** The file in an armored text (C2SP, age.md, "ASCII armor"); undefined where it is none. */
export function withoutArmor(text: string): Uint8Array | undefined {
  const lines = text.trim().split(/\r?\n/);
  if (lines.shift() !== BEGIN || lines.pop() !== END) return undefined;
  return fromBase64(lines.join(''));
}

export function withArmor(file: Uint8Array): string {
  const lines = Buffer.from(file)
    .toString('base64')
    .match(/.{1,64}/g);
  return [BEGIN, ...(lines ?? []), END, ''].join('\n');
}

/** Base64 in its one form, with padding; undefined for anything else. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
