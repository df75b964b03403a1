/** The agent's side of `exec`, with a session that ends by itself. */
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { EXEC_CHANNEL } from '../../../contracts/agent/places.ts';
import { serveExec, type ExecRequestDeps } from '../../../nodeagent/loops/api/exec.ts';
import type { ExecSession } from '../../../nodeagent/ports/container-runtime.ts';
import { container, pod, seen } from './pods.ts';

function deps(session: ExecSession): ExecRequestDeps {
  return {
    assignment: { current: () => ({ get: () => pod() }) } as unknown as ExecRequestDeps['assignment'],
    runtime: { exec: () => Promise.resolve(session) } as unknown as ExecRequestDeps['runtime'],
    observed: () => seen({ containers: [container()] }),
  };
}

/** A client: what it was sent, and its end. */
function client(): { readonly socket: Duplex; readonly sent: () => Buffer } {
  const chunks: Buffer[] = [];
  const socket = new Duplex({
    read() {
      /* It says nothing. */
    },
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { socket, sent: () => Buffer.concat(chunks) };
}

const QUERY = new URLSearchParams('namespace=default&pod=app&command=true');
const NOTHING = Buffer.alloc(0);

describe('an exec request', () => {
  it('leaves nothing on the signal of the agent, which outlives it', async () => {
    const closing = new AbortController();
    for (let times = 0; times < 3; times += 1) {
      const { socket, sent } = client();
      const session: ExecSession = {
        stdin: undefined,
        stdout: Readable.from([Buffer.from('hello')]),
        stderr: undefined,
        exit: Promise.resolve({ exitCode: 3 }),
        resize() {
          /* No terminal. */
        },
        close() {
          /* It ended. */
        },
      };
      await serveExec(socket, NOTHING, QUERY, deps(session), closing.signal);
      const text = sent();
      const frames: [number, string][] = [];
      execFrameReader((channel, payload) => frames.push([channel, payload.toString()]))(
        text.subarray(text.indexOf('\r\n\r\n') + 4),
      );
      assert.deepEqual(frames, [
        [EXEC_CHANNEL.stdout, 'hello'],
        [EXEC_CHANNEL.result, '{"exitCode":3}'],
      ]);
    }
    assert.equal(getEventListeners(closing.signal, 'abort').length, 0);
  });

  it('ends its session with the agent', async () => {
    const closing = new AbortController();
    const stdout = new PassThrough();
    const session: ExecSession = {
      stdin: undefined,
      stdout,
      stderr: undefined,
      exit: new Promise(() => {
        /* It waits. */
      }),
      resize() {
        /* No terminal. */
      },
      close: () => void stdout.destroy(),
    };
    const { socket } = client();
    void serveExec(socket, NOTHING, QUERY, deps(session), closing.signal);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    closing.abort();
    await once(stdout, 'close');
    assert.equal(stdout.destroyed, true);
  });

  it('ends its session when the client went away before it began', async () => {
    const { socket } = client();
    const stdout = new PassThrough();
    const session: ExecSession = {
      stdin: undefined,
      stdout,
      stderr: undefined,
      exit: Promise.resolve({ exitCode: 137 }),
      resize() {
        /* No terminal. */
      },
      close: () => void stdout.destroy(),
    };
    socket.on('error', () => undefined);
    socket.destroy();
    await once(socket, 'close');
    await serveExec(socket, NOTHING, QUERY, deps(session), new AbortController().signal);
    assert.equal(stdout.destroyed, true);
  });
});
