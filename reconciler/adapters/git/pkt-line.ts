/** Git's packet lines. Source: gitprotocol-common(5), gitprotocol-pack(5). */

export const FLUSH = Buffer.from('0000');

const LENGTH_DIGITS = 4;
/** Source: gitprotocol-common(5): the length includes its own four digits. */
const MAX_PKT = 65_520;
/** Longest advertisement or report that is read, in bytes; one of 500,000 refs fits. */
export const MAX_ANSWER = 64 * 1024 * 1024;

/** One line: four hex digits of length, then the payload. Throws RangeError for a payload that no line holds. */
export function pkt(payload: string): Buffer {
  const bytes = Buffer.from(payload, 'utf8');
  if (bytes.length + LENGTH_DIGITS > MAX_PKT) throw new RangeError('too long for a Git packet line');
  return Buffer.concat([Buffer.from((bytes.length + LENGTH_DIGITS).toString(16).padStart(LENGTH_DIGITS, '0')), bytes]);
}

/**
 * The length at `at`, 0 for a flush; undefined where not all of its digits are there. Throws RangeError for anything
 * else than a length.
 */
function lengthAt(bytes: Buffer, at: number): number | undefined {
  const digits = bytes.toString('latin1', at, at + LENGTH_DIGITS);
  if (!/^[0-9a-fA-F]*$/.test(digits)) throw new RangeError('not a Git packet line');
  if (digits.length < LENGTH_DIGITS) return undefined;
  const length = Number.parseInt(digits, 16);
  // 1 to 3 are of protocol version 2, which is not spoken here.
  if (length > MAX_PKT || (length > 0 && length < LENGTH_DIGITS)) throw new RangeError('not a Git packet line');
  return length;
}

/**
 * The payloads up to `bytes`' end; undefined stands for a flush. Throws RangeError for bytes that are no packet lines.
 */
export function parsePkts(bytes: Buffer): (Buffer | undefined)[] {
  const found: (Buffer | undefined)[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at);
    if (length === undefined || at + length > bytes.length) throw new RangeError('a Git packet line is cut off');
    found.push(length === 0 ? undefined : bytes.subarray(at + LENGTH_DIGITS, at + length));
    at += Math.max(length, LENGTH_DIGITS);
  }
  return found;
}

/** Collects bytes until the first flush is among them, however they are cut into chunks. */
export class FlushReader {
  /** Whole lines, and behind them the beginning of one. */
  readonly #lines: Buffer[] = [];
  #begun = Buffer.alloc(0);
  #held = 0;

  /**
   * The bytes up to the first flush and those after it, once it is there. Throws RangeError for bytes that are no
   * packet lines, or too many.
   */
  take(chunk: Buffer): { readonly upToFlush: Buffer; readonly rest: Buffer } | undefined {
    this.#held += chunk.length;
    if (this.#held > MAX_ANSWER) throw new RangeError('more Git packet lines than are read');
    const bytes = Buffer.concat([this.#begun, chunk]);
    let at = 0;
    for (
      let length = lengthAt(bytes, at);
      length !== undefined && at + length <= bytes.length;
      length = lengthAt(bytes, at)
    ) {
      at += Math.max(length, LENGTH_DIGITS);
      if (length === 0)
        return { upToFlush: Buffer.concat([...this.#lines, bytes.subarray(0, at)]), rest: bytes.subarray(at) };
    }
    this.#lines.push(bytes.subarray(0, at));
    this.#begun = bytes.subarray(at);
    return undefined;
  }
}

export interface Advertisement {
  /** Ref names and ids; `refs/tags/v1^{}` is what an annotated tag points at. */
  readonly refs: ReadonlyMap<string, string>;
  /** The branch that HEAD stands for, where the remote tells. */
  readonly headRef: string | undefined;
  /** Whether a commit may be asked for that no ref is at. Source: gitprotocol-capabilities(5). */
  readonly givesCommits: boolean;
}

/**
 * The advertisement with a HEAD where the remote told none, as one does whose HEAD names a branch that is not born:
 * isomorphic-git wants one, and makes nothing of it here.
 */
export function withSomeHead(advertisement: Buffer): Buffer {
  const text = advertisement.toString('latin1');
  const first = /(?:^|0000)([0-9a-f]{4})([0-9a-f]{40} [^\0\n]+)\0([^\n]*)/.exec(text);
  if (!first || first[2]?.endsWith(' HEAD') === true || / ?symref=HEAD:/.test(first[3] ?? '')) return advertisement;
  const end = first.index + first[0].length;
  const begin = end - (first[3]?.length ?? 0) - 1 - (first[2]?.length ?? 0) - LENGTH_DIGITS;
  const added = ' symref=HEAD:refs/heads/none';
  const length = Number.parseInt(first[1] ?? '', 16) + added.length;
  if (length > 0xffff) return advertisement;
  return Buffer.concat([
    advertisement.subarray(0, begin),
    Buffer.from(length.toString(16).padStart(LENGTH_DIGITS, '0')),
    advertisement.subarray(begin + LENGTH_DIGITS, end),
    Buffer.from(added),
    advertisement.subarray(end),
  ]);
}

/** Names of the tags, without `refs/tags/`. */
export function* tagsOf({ refs }: Advertisement): Generator<string> {
  for (const name of refs.keys())
    if (name.startsWith('refs/tags/') && !name.endsWith('^{}')) yield name.slice('refs/tags/'.length);
}

/** The ref advertisement of protocol version 0 or 1. */
export function parseAdvertisement(bytes: Buffer): Advertisement {
  const refs = new Map<string, string>();
  let headRef: string | undefined;
  let givesCommits = false;
  for (const line of parsePkts(bytes)) {
    if (!line || line[0] === 0x23) continue;
    const [text = '', capabilities = ''] = line.toString('utf8').trimEnd().split('\0');
    headRef ??= /(?:^| )symref=HEAD:(\S+)/.exec(capabilities)?.[1];
    givesCommits ||= / ?allow-(reachable|any)-sha1-in-want( |$)/.test(capabilities);
    const match = /^([0-9a-f]{40}) (.+)$/.exec(text);
    if (match?.[1] && match[2] && match[2] !== 'capabilities^{}') refs.set(match[2], match[1]);
  }
  return { refs, headRef, givesCommits };
}
