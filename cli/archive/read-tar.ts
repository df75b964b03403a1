/** A tar archive as it comes, entry by entry. */
import { BLOCK, padding, readHeader, TarError, TYPE, type TarHeader } from './tar-format.ts';

export interface TarItem extends TarHeader {
  /** What is not read of it is passed over when the next entry is asked for. */
  readonly content: AsyncIterable<Buffer>;
}

/** Names and other words about an entry are no longer. */
const MOST_EXTRA_BYTES = 256 * 1024;

/**
 * Holds a block and a chunk, however large the archive is. Throws {@link TarError} for what is none, and for one that
 * ends before its end.
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarItem> {
  const bytes = new Bytes(source);
  let longName: string | undefined;
  let longTarget: string | undefined;
  let pax: ReadonlyMap<string, string> = new Map();
  for (;;) {
    const header = readHeader(await bytes.take(BLOCK));
    if (!header) break;
    const { type } = header;
    if (type === TYPE.gnuLongName || type === TYPE.gnuLongTarget || type === TYPE.pax) {
      if (header.size > MOST_EXTRA_BYTES) throw new TarError('a name in the archive is too long');
      const extra = await bytes.take(header.size);
      await bytes.skip(padding(header.size));
      if (type === TYPE.pax) pax = paxRecords(extra);
      else if (type === TYPE.gnuLongName) longName = untilNul(extra);
      else longTarget = untilNul(extra);
      continue;
    }
    const size = paxSize(pax.get('size')) ?? header.size;
    let left = size;
    async function* content(): AsyncGenerator<Buffer> {
      while (left > 0) {
        const chunk = await bytes.some(left);
        left -= chunk.length;
        yield chunk;
      }
    }
    if (type !== TYPE.paxGlobal)
      yield {
        ...header,
        size,
        path: pax.get('path') ?? longName ?? header.path,
        target: pax.get('linkpath') ?? longTarget ?? header.target,
        content: content(),
      };
    await bytes.skip(left + padding(size));
    if (type === TYPE.paxGlobal) continue;
    [longName, longTarget, pax] = [undefined, undefined, new Map()];
  }
  // The writer of a pipe that is not read to its end is told that it failed.
  await bytes.drain();
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts all of it. */
function paxRecords(extra: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < extra.length;) {
    const blank = extra.indexOf(0x20, at);
    const length = blank < 0 ? Number.NaN : Number(extra.toString('latin1', at, blank));
    const end = at + length;
    if (!Number.isInteger(length) || end <= blank + 1 || end > extra.length)
      throw new TarError('this is no tar archive, or a damaged one');
    const record = extra.toString('utf8', blank + 1, end - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

function paxSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(size)) throw new TarError('a number in the archive is too large');
  return size;
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Bytes in the pieces that are asked for. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** At least one byte and at most so many. */
  async some(most: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) throw new TarError('the archive was cut off');
      this.#held = next.value;
    }
    const piece = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(piece.length);
    return piece;
  }

  /** Exactly so many, which are little. */
  async take(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let left = count; left > 0;) {
      const piece = await this.some(left);
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) left -= (await this.some(left)).length;
  }

  async drain(): Promise<void> {
    while ((await this.#source.next()).done !== true);
  }
}
