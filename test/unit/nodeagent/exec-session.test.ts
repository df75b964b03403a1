/** The client of the runtime's streaming server, against a server whose packets the test cuts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, it } from 'node:test';
import { openCommandStreams } from '../../../nodeagent/adapters/cri/streams.ts';
import { dataFrames } from '../../../nodeagent/core/wire/spdy.ts';

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

  it('hears the verdict behind a stream that ended while nobody read it', { timeout: 20_000 }, async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const runtime = once(server, 'upgrade') as Promise<[unknown, Duplex]>;
    const opened = openCommandStreams(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec`,
      { tty: false, stdin: false },
      new AbortController().signal,
    );
    [, socket] = await runtime;
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
    const session = await opened;
    const { stdout, stderr } = session;
    assert.ok(stderr);
    // Both ask for their first bytes, and then only one is read.
    stdout.read(0);
    const errors = lengthOf(stderr);
    await turn();
    socket.write(dataFrames(STDOUT, MUCH, true));
    while (stdout.readableLength < MUCH.length) await turn();
    socket.write(Buffer.concat([dataFrames(ERROR, SUCCESS, true), dataFrames(STDERR, NOTHING, true)]));
    assert.deepEqual([await lengthOf(stdout), await errors, await session.exit], [MUCH.length, 0, { exitCode: 0 }]);
  });
});
