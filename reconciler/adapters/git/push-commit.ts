/**
 * Pushing one new commit whose tree the remote has already. Source: gitprotocol-pack(5), "Pushing Data To a Server";
 * gitformat-pack(5).
 */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { TerminalError } from '../../core/errors.ts';
import { FLUSH, parsePkts, pkt } from './pkt-line.ts';
import type { GitRemote } from './remote.ts';

const COMMIT_TYPE = 1;

/** A pack with one commit in it. */
function packOf(commit: Buffer): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1');
  const sizes: number[] = [];
  let rest = commit.length >>> 4;
  sizes.push((COMMIT_TYPE << 4) | (commit.length & 15) | (rest > 0 ? 0x80 : 0));
  for (; rest > 0; rest >>>= 7) sizes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  const body = Buffer.concat([header, Buffer.from(sizes), deflateSync(commit)]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

export interface CommitPush {
  /** Full ref name. */
  readonly ref: string;
  /** The id that the ref must still have. */
  readonly from: string;
  readonly to: string;
  readonly commit: Buffer;
}

/**
 * Moves `ref` from `from` to the new commit. Throws TerminalError `PushRejected` with what the remote and its hooks
 * printed.
 */
export async function pushCommit(remote: GitRemote, push: CommitPush, signal: AbortSignal): Promise<void> {
  const command = pkt(`${push.from} ${push.to} ${push.ref}\0 report-status side-band-64k agent=git/plumbline`);
  const answer = await remote.push(Buffer.concat([command, FLUSH, packOf(push.commit)]), signal);
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
