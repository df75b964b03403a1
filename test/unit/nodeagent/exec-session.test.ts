/** The client of the runtime's streaming server, against a server whose packets the test cuts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, it } from 'node:test';
import { openCommandStreams } from '../../../nodeagent/adapters/cri/streams.ts';
import { dataFrames } from '../../../nodeagent/core/wire/spdy.ts';
import type { ContainerStreams } from '../../../nodeagent/ports/container-runtime.ts';

const [ERROR, STDOUT, STDERR] = [1, 3, 5] as const;
const NOTHING = Buffer.alloc(0);
const SUCCESS = Buffer.from('{"status":"Success"}');
/** More than a stream holds before it asks its source to wait, and little enough for one packet. */
const MUCH = Buffer.alloc(20_000, 'x');

async function lengthOf(stream: Readable): Promise<number> {
  let length = 0;
  for await (const chunk of stream) length += (chunk as Buffer).length;
  return length;
}

describe('a session with the runtime', () => {
  const server = createServer();
  let socket: Duplex | undefined;
  afterEach(async () => {
    socket?.destroy();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  });

  /** A session without input, and the runtime's side of it. */
  async function opened(): Promise<{ readonly session: ContainerStreams; readonly runtime: Duplex }> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const upgraded = once(server, 'upgrade') as Promise<[unknown, Duplex]>;
    const opening = openCommandStreams(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec`,
      { tty: false, stdin: false },
      new AbortController().signal,
    );
    const [, runtime] = await upgraded;
    socket = runtime;
    runtime.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
    return { session: await opening, runtime };
  }

  it('ends when it is closed, also with output that nobody took', { timeout: 300_000 }, async () => {
    const { session, runtime } = await opened();
    const { stdout, stderr } = session;
    assert.ok(stderr);
    stdout.read(0);
    runtime.write(dataFrames(STDOUT, MUCH, false));
    while (stdout.readableLength < MUCH.length) await turn();
    const ends = [finished(stdout), finished(stderr), session.exit].map((end) =>
      end.then(
        () => 'well',
        () => 'cut off',
      ),
    );
    session.close();
    assert.deepEqual(await Promise.all(ends), ['cut off', 'cut off', 'cut off']);
  });

  it('hears the verdict behind a stream that ended while nobody read it', { timeout: 300_000 }, async () => {
    const { session, runtime } = await opened();
    const { stdout, stderr } = session;
    assert.ok(stderr);
    // Both ask for their first bytes, and then only one is read.
    stdout.read(0);
    const errors = lengthOf(stderr);
    await turn();
    runtime.write(dataFrames(STDOUT, MUCH, true));
    while (stdout.readableLength < MUCH.length) await turn();
    runtime.write(Buffer.concat([dataFrames(ERROR, SUCCESS, true), dataFrames(STDERR, NOTHING, true)]));
    assert.deepEqual([await lengthOf(stdout), await errors, await session.exit], [MUCH.length, 0, { exitCode: 0 }]);
  });
});
