/** The change stream of an incarnation, from a version on: the entry of version N has the id `N-0`, and no id is missing. */
import type { Redis } from 'ioredis';
import { PlumbError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ChangeEvent, WatchBatch } from '../../ports/object-store.ts';
import type { Link } from './connection.ts';

type StreamEntry = [id: string, fields: [type: ChangeEvent['type'], record: string]];
export type StreamReply = readonly [StreamEntry, ...StreamEntry[]];

/**
 * At most this long passes between the emptying of the store and a watcher's StoreLost, also while changes come without
 * a pause.
 */
const BLOCK_MS = 500;
const BATCH = 1000;
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 500;

export interface StreamReader {
  readonly link: Link;
  readonly clock: Clock;
  readonly callTimeoutMs: number;
  /** Newest version, after the checks; undefined while Redis cannot be reached (the watch resumes when it can). */
  readonly position: (signal: AbortSignal) => Promise<number | undefined>;
  readonly decode: (entries: StreamReply) => Promise<ChangeEvent[]>;
  readonly isClosed: () => boolean;
}

/** Ends with a relist, an abort or an error that waiting does not cure. */
export async function* follow(
  { link, clock, callTimeoutMs, position, decode, isClosed }: StreamReader,
  client: Redis,
  stream: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  let at = from;
  let newest = await position(signal);
  let checkedAt = clock.monotonic();
  if (at > (newest ?? at)) {
    yield { type: 'relist' };
    return;
  }
  for (let retryMs = FIRST_RETRY_MS; !signal.aborted && !isClosed();) {
    let reply: StreamReply | undefined;
    try {
      reply = await link.bounded(client, (twin) => readStream(twin, stream, at), BLOCK_MS + callTimeoutMs, signal);
      retryMs = FIRST_RETRY_MS;
    } catch (error) {
      if (!isAway(error) || isClosed()) throw error;
      await clock.sleep(retryMs, signal);
      retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
    }
    if (reply) {
      if (versionOf(reply[0][0]) !== at + 1) {
        yield { type: 'relist' };
        return;
      }
      at = newestOf(reply);
      yield { type: 'events', events: await decode(reply), resourceVersion: String(at) };
      if (clock.monotonic() - checkedAt < BLOCK_MS) continue;
    } else if (newest !== undefined && newest > at) {
      // There were changes before the last look, and the stream does not have them.
      yield { type: 'relist' };
      return;
    }
    newest = await position(signal);
    checkedAt = clock.monotonic();
  }
}

/** Redis cannot be reached now: waiting cures it. */
export function isAway(error: unknown): boolean {
  return error instanceof PlumbError && error.code === 'StoreUnavailable';
}

/** Entries after version `at`; undefined when there was none within the block time. */
async function readStream(client: Redis, stream: string, at: number): Promise<StreamReply | undefined> {
  const reply = await client.xread('COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', stream, `${at}-0`);
  const [first, ...rest] = (reply?.[0]?.[1] ?? []) as unknown as StreamEntry[];
  return first === undefined ? undefined : [first, ...rest];
}

export function versionOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}

export function newestOf(entries: StreamReply): number {
  return versionOf((entries.at(-1) ?? entries[0])[0]);
}
