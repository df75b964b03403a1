/** Dynamic updates, by BIND's nsupdate(1): what it is to do, and the key, are written to its input. Source: RFC 2136 and 8945. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { errorText } from '../../../contracts/errors.ts';
import type { ChallengeRecord, DnsProvider } from '../../core/certificates/dns01.ts';
import { failure } from './failure.ts';

export type UpdatedServer = Extract<DnsProvider, { is: 'rfc2136' }>;

const PROGRAM = 'nsupdate';
/** Seconds for all of it; for one answer over UDP, which is asked for three times. */
const LIMIT_SECONDS = 20;
const UDP_SECONDS = 3;
/** How long the record may be believed; servers have it for moments. */
const TTL_SECONDS = 60;
const MOST_BYTES = 16 * 1024;
/** What may stand in a line of its input: each line is a command. */
const NAME = /^[A-Za-z0-9_.-]{1,253}$/;
const TEXT = /^[A-Za-z0-9_-]{1,255}$/;

/** Has `record` added or deleted. Throws {@link failure}, or the signal's reason. */
export async function update(
  what: 'add' | 'delete',
  server: UpdatedServer,
  { name, value }: ChallengeRecord,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { host, port, tsig, overTcp } = server;
  if (!NAME.test(name) || !TEXT.test(value))
    throw failure(`DNS server ${host}`, `${JSON.stringify(name)} is no name of a record`);
  const input = [
    `server ${host} ${port}`,
    ...(tsig ? [`key ${tsig.algorithm}:${tsig.name} ${tsig.secret}`] : []),
    what === 'add'
      ? `update add ${name}. ${TTL_SECONDS} IN TXT "${value}"`
      : `update delete ${name}. IN TXT "${value}"`,
    'send',
    '',
  ];
  const args = ['-t', String(LIMIT_SECONDS), '-u', String(UDP_SECONDS), ...(overTcp ? ['-v'] : [])];
  const { code, words } = await run(args, input.join('\n'), signal).catch((error: unknown) => {
    signal.throwIfAborted();
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isMissing
      ? `${PROGRAM} is not on this machine: apt-get install bind9-dnsutils`
      : `${PROGRAM} failed: ${errorText(error)}`;
    throw failure(`DNS server ${host}`, why, error);
  });
  if (code === 0) return;
  // It repeats a line of its input that it cannot read.
  const told = tsig ? words.replaceAll(tsig.secret, '...') : words;
  throw failure(`DNS server ${host}`, `the update was not made: ${told.replaceAll(/[;\s]+/g, ' ').trim()}`);
}

async function run(
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly words: string }> {
  const child = spawn(PROGRAM, args, { stdio: ['pipe', 'ignore', 'pipe'], signal, killSignal: 'SIGKILL' });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    if (words.length < MOST_BYTES) words += chunk;
  });
  // It may have ended before it read.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, words };
}
