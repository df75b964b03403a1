/** Git's packet lines. Source: gitprotocol-common(5), gitprotocol-pack(5). */

export const FLUSH = Buffer.from('0000');

/** One line: four hex digits of length, then the payload. */
export function pkt(payload: string): Buffer {
  const bytes = Buffer.from(payload, 'utf8');
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

/** The payloads up to `bytes`' end; undefined stands for a flush. Throws RangeError for bytes that are no packet lines. */
export function parsePkts(bytes: Buffer): (Buffer | undefined)[] {
  const found: (Buffer | undefined)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(length) || (length > 0 && length < 4) || at + length > bytes.length) throw new RangeError('not a Git packet line');
    found.push(length === 0 ? undefined : bytes.subarray(at + 4, at + length));
    at += Math.max(length, 4);
  }
  return found;
}

/** Where the first flush ends in `bytes`, or -1 while it is not there yet. */
export function endOfFlush(bytes: Buffer): number {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(length)) return -1;
    if (length === 0) return at + 4;
    at += length;
  }
  return -1;
}

export interface Advertisement {
  /** Ref names and ids; `refs/tags/v1^{}` is what an annotated tag points at. */
  readonly refs: ReadonlyMap<string, string>;
  /** The branch that HEAD stands for, where the remote tells. */
  readonly headRef: string | undefined;
}

/** The ref advertisement of protocol version 0 or 1. */
export function parseAdvertisement(bytes: Buffer): Advertisement {
  const refs = new Map<string, string>();
  let headRef: string | undefined;
  for (const line of parsePkts(bytes)) {
    if (!line || line[0] === 0x23) continue;
    const [text = '', capabilities = ''] = line.toString('utf8').trimEnd().split('\0');
    headRef ??= /(?:^| )symref=HEAD:(\S+)/.exec(capabilities)?.[1];
    const match = /^([0-9a-f]{40}) (.+)$/.exec(text);
    if (match?.[1] && match[2] && match[2] !== 'capabilities^{}') refs.set(match[2], match[1]);
  }
  return { refs, headRef };
}
