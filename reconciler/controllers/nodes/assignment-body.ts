/**
 * The body of an assignment. What every node holds alike is sent to all of them: it is put into text, and compressed,
 * once and not once for each. Compressed parts are gzip members one after the other, which are one stream (RFC 1952
 * section 2.2).
 */
import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import type { AssignmentUpdate } from '../../../contracts/agent/index.ts';
import type { SharedChanges } from '../../core/nodes/shared-log.ts';
import type { HttpQuestion } from '../../ports/node-transport.ts';
import { turns } from '../runtime/slices.ts';

/** `shared` comes before `upsert` and `remove`. */
export type Assignment = AssignmentUpdate & { readonly shared?: SharedChanges };

/** From as many characters of shared text on, compression costs a node less than the bytes do. */
const COMPRESS_FROM = 4096;
const PIECE = 256 * 1024;
const compress = promisify(gzip);

/** Objects, separated by commas, in pieces. */
interface SharedText {
  readonly pieces: readonly string[];
  readonly length: number;
  compressed?: Promise<Buffer>;
}

/** One for all nodes that go the same way; forgotten with the last of them. */
const texts = new WeakMap<SharedChanges, Promise<SharedText>>();

export async function assignmentBody(
  { epoch, node, from, to, shared, upsert, remove }: Assignment,
  takesGzip: boolean,
): Promise<Pick<HttpQuestion, 'encoding'> & { readonly body: string | Buffer }> {
  const fields = JSON.stringify({ epoch, node, from, to, remove: [...(shared?.remove ?? []), ...remove] });
  const own = upsert.map((object) => JSON.stringify(object)).join(',');
  const first = `${fields.slice(0, -1)},"upsert":[`;
  if (shared === undefined || shared.upsert.length === 0) return { body: `${first}${own}]}` };
  const text = await textOf(shared);
  const last = `${own === '' ? '' : ','}${own}]}`;
  if (!takesGzip || text.length < COMPRESS_FROM) return { body: [first, ...text.pieces, last].join('') };
  const members = await Promise.all([member(first), (text.compressed ??= compressed(text)), member(last)]);
  return { body: Buffer.concat(members), encoding: 'gzip' };
}

/** A short text here and now, which costs less than to hand it over; a node's own part may be megabytes. */
function member(text: string): Buffer | Promise<Buffer> {
  return text.length < COMPRESS_FROM ? gzipSync(text) : compress(text);
}

async function textOf(shared: SharedChanges): Promise<SharedText> {
  const known = texts.get(shared);
  if (known) return known;
  const made = makeText(shared);
  texts.set(shared, made);
  return made;
}

async function makeText({ upsert }: SharedChanges): Promise<SharedText> {
  const pieces: string[] = [];
  let piece: string[] = [];
  let length = 0;
  let end = PIECE;
  for (const object of upsert) {
    const text = `${length === 0 ? '' : ','}${JSON.stringify(object)}`;
    piece.push(text);
    length += text.length;
    if (length >= end) {
      pieces.push(piece.join(''));
      piece = [];
      end = length + PIECE;
    }
    if (turns.isOver) await turns.next();
  }
  return { pieces: [...pieces, piece.join('')], length };
}

async function compressed({ pieces }: SharedText): Promise<Buffer> {
  const members: Buffer[] = [];
  for (const piece of pieces) members.push(await compress(piece));
  return Buffer.concat(members);
}
