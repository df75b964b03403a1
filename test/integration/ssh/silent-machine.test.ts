/** A machine whose power was cut: it takes no packet, sends none, and closes nothing. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { SshNodeTransport } from '../../../reconciler/adapters/ssh/transport.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { NodeConnection } from '../../../reconciler/ports/node-transport.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { inTime } from '../../support/in-time.ts';
import { startMachine, type TestMachine } from '../../support/ssh/machine.ts';
import { inPatience } from '../../support/patience.ts';

const open = (): AbortSignal => {
  const signal = inPatience(20_000);
  setMaxListeners(0, signal);
  return signal;
};
/** Below any of the transport's own limits (5 s between keep-alives). */
const BOUND_MS = 2000;

describe('a machine that went silent', () => {
  let box: TestMachine;
  let transport: SshNodeTransport;
  let connection: NodeConnection;
  let agent: Server;
  let socket: string;
  let asked: (() => void) | undefined;

  beforeEach(async () => {
    box = await startMachine();
    transport = new SshNodeTransport({ privateKey: box.privateKey, log: SILENT_LOG, clock: new SystemClock() });
    connection = await transport.connect(box.target('box'), open());
    agent = createServer((request, response) => {
      if (request.url === '/lines') response.write('first\n');
      asked?.();
    });
    socket = join(box.folder, 'agent.sock');
    await new Promise<void>((resolve) => agent.listen(socket, resolve));
  });
  afterEach(async () => {
    void transport.close();
    agent.closeAllConnections();
    agent.close();
    await box.stop();
  });

  /** A call of every kind. */
  const calls = (signal: AbortSignal): Record<string, Promise<unknown>> => ({
    run: connection.run(['sleep', '1000'], { signal }),
    'run with input': connection.run(['cat'], {
      stdin: new Readable({
        read() {
          /* never a word */
        },
      }),
      signal,
    }),
    upload: connection.upload(join(box.folder, 'file'), Buffer.alloc(8 * 1024 * 1024), 0o600, signal),
    http: connection.http(socket, { method: 'GET', path: '/never' }, signal),
    'another http': connection.http(socket, { method: 'POST', path: '/never', body: 'x'.repeat(1024 * 1024) }, signal),
    httpStream: connection.httpStream(socket, '/never', signal),
    httpUpgrade: connection.httpUpgrade(socket, '/never', 'test', signal),
  });

  it('does not hold up close, and everyone who waits on it hears why', async () => {
    const { body } = await connection.httpStream(socket, '/lines', open());
    const streamEnd = new Promise((resolve) => body.once('error', resolve));
    body.resume();
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const before = calls(open());
    await reached;
    const sent = box.silence();
    const connecting = transport.connect(box.target('box'), open());
    const waiting = {
      ...before,
      ...Object.fromEntries(Object.entries(calls(open())).map(([name, call]) => [`${name}, begun in silence`, call])),
      connecting,
    };
    const outcomes = Object.entries(waiting).map(async ([name, call]) => ({
      name,
      error: await call.then(
        () => 'an answer',
        (error: unknown) => error,
      ),
    }));
    await sent;

    await inTime('close', BOUND_MS, transport.close());
    assert.equal(await inTime('closed', BOUND_MS, connection.closed), undefined);
    await inTime('the end of the stream', BOUND_MS, streamEnd);
    for (const outcome of outcomes) {
      const { name, error } = await inTime('every call', BOUND_MS, outcome);
      assert.ok(error instanceof PlumbError, `${name}: ${String(error)}`);
      assert.ok(
        ['ConnectionLost', 'AgentUnreachable', 'TransportClosed'].includes(error.code),
        `${name}: ${error.code}`,
      );
    }
  });

  it('does not hold up a caller whose signal is aborted', async () => {
    const sent = box.silence();
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    // More than there are pooled channels or sessions: some have not even begun.
    const outcomes = [1, 2, 3]
      .flatMap(() => Object.entries(calls(stop.signal)))
      .map(async ([name, call]) => ({
        name,
        error: await call.then(
          () => 'an answer',
          (error: unknown) => error,
        ),
      }));
    await sent;
    stop.abort(new Error('enough'));
    for (const outcome of outcomes) {
      const { name, error } = await inTime('every call', BOUND_MS, outcome);
      assert.equal((error as Error).message, 'enough', name);
    }
  });

  it('does not hold up the connection that is made in its place', async () => {
    const sent = box.silence();
    const running = assert.rejects(connection.run(['true'], { signal: open() }));
    await sent;
    await inTime('close', BOUND_MS, connection.close());
    await running;
  });
});
