/**
 * Moving one ref to a new commit, with the objects that the remote lacks. Source: gitprotocol-pack(5), "Pushing Data To a
 * Server"; gitformat-pack(5).
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { TerminalError } from '../../core/errors.ts';
import { FLUSH, parsePkts, pkt } from './pkt-line.ts';
import type { RawObject } from './raw-objects.ts';
import type { GitRemote } from './remote.ts';

const TYPE_NUMBER = { commit: 1, tree: 2, blob: 3, tag: 4 } as const;

/** The `from` of a ref that is not there yet. */
export const NO_OBJECT = '0'.repeat(40);

const deflated = promisify<Buffer, Buffer>(deflate);

/** Others have their turn between two objects: there may be ten thousand. */
async function packOf(objects: readonly RawObject[]): Promise<Buffer> {
  const header = Buffer.alloc(12);
  header.write('PACK', 'latin1');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(objects.length, 8);
  const parts: Buffer[] = [header];
  for (const { type, content } of objects) parts.push(sizeOf(type, content), await deflated(content));
  const body = Buffer.concat(parts);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

function sizeOf(type: RawObject['type'], { length }: Buffer): Buffer {
  const sizes: number[] = [];
  let rest = length >>> 4;
  sizes.push((TYPE_NUMBER[type] << 4) | (length & 15) | (rest > 0 ? 0x80 : 0));
  for (; rest > 0; rest >>>= 7) sizes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.from(sizes);
}

export interface CommitPush {
  /** Full ref name. */
  readonly ref: string;
  /** The id that the ref must still have; {@link NO_OBJECT} where it must not be there. */
  readonly from: string;
  readonly to: string;
  /** Of the new commit, what the remote has not. */
  readonly objects: readonly RawObject[];
}

/**
 * Moves `ref` from `from` to the new commit. Throws TerminalError `PushRejected` with what the remote and its hooks
 * printed.
 */
export async function pushCommit(remote: GitRemote, push: CommitPush, signal: AbortSignal): Promise<void> {
  const command = pkt(`${push.from} ${push.to} ${push.ref}\0 report-status side-band-64k agent=git/plumbline`);
  const answer = await remote.push(Buffer.concat([command, FLUSH, await packOf(push.objects)]), signal);
  const report: Buffer[] = [];
  let words = '';
  for (const line of parsePkts(answer)) {
    if (line?.[0] === 1) report.push(line.subarray(1));
    else if (line) words += line.toString('utf8', 1);
  }
  const lines = parsePkts(Buffer.concat(report)).map((line) => line?.toString('utf8').trimEnd() ?? '');
  const refused =
    lines.find((line) => line.startsWith('ng ')) ??
    lines.find((line) => line.startsWith('unpack ') && line !== 'unpack ok');
  if (refused === undefined && lines.includes(`ok ${push.ref}`)) return;
  const said = words.trim();
  throw new TerminalError(
    'PushRejected',
    `the repository refused the push: ${refused ?? 'no report'}${said ? `\n${said}` : ''}`,
  );
}
