/** The agent's side of upgraded requests: streams of sessions that end by themselves, and what they are opened with. */
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { AGENT_API, EXEC_CHANNEL } from '../../../contracts/agent/places.ts';
import type { ObservedPod } from '../../../nodeagent/core/pod/observed.ts';
import { STREAMS, type StreamDeps } from '../../../nodeagent/loops/api/exec.ts';
import { serveStreams } from '../../../nodeagent/loops/api/streams.ts';
import type { ContainerStreams } from '../../../nodeagent/ports/container-runtime.ts';
import { container, pod, sandbox, seen } from './pods.ts';

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

const NOTHING = Buffer.alloc(0);

/** A session with one output; what ends it ends that. */
function session(stdout: Readable, exit: ContainerStreams['exit']): ContainerStreams {
  return {
    stdin: undefined,
    stdout,
    stderr: undefined,
    exit,
    resize() {
      /* No terminal. */
    },
    close: () => void stdout.destroy(),
  };
}

describe('streams in frames', () => {
  it('leaves nothing on the signal of the agent, which outlives it', async () => {
    const closing = new AbortController();
    for (let times = 0; times < 3; times += 1) {
      const { socket, sent } = client();
      const streams = session(Readable.from([Buffer.from('hello')]), Promise.resolve({ exitCode: 3 }));
      await serveStreams(socket, NOTHING, streams, closing.signal);
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
    const streams = session(
      stdout,
      new Promise(() => {
        /* It waits. */
      }),
    );
    const { socket } = client();
    void serveStreams(socket, NOTHING, streams, closing.signal);
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
    const streams = session(stdout, Promise.resolve({ exitCode: 137 }));
    socket.on('error', () => undefined);
    socket.destroy();
    await once(socket, 'close');
    await serveStreams(socket, NOTHING, streams, new AbortController().signal);
    assert.equal(stdout.destroyed, true);
  });

  it('ends its session when all that is heard of a client that went away is the end of what it says', async () => {
    const { socket } = client();
    const stdout = new PassThrough();
    const streams = session(stdout, Promise.resolve({ exitCode: 137 }));
    const served = serveStreams(socket, NOTHING, streams, new AbortController().signal);
    socket.push(null);
    await served;
    assert.equal(stdout.destroyed, true);
  });
});

describe('what a request opens', () => {
  const opened: unknown[] = [];
  const note =
    (what: string) =>
    (...args: readonly unknown[]) => {
      opened.push([what, ...args.slice(0, 2)]);
      return Promise.resolve({} as ContainerStreams);
    };
  const open = (
    path: string,
    query: string,
    {
      spec = {},
      observed = seen({ containers: [container()] }),
    }: { spec?: Record<string, unknown>; observed?: ObservedPod } = {},
  ) => {
    opened.length = 0;
    const deps = {
      assignment: { current: () => ({ get: () => pod(spec) }) },
      runtime: { exec: note('exec'), attach: note('attach'), portForward: note('portForward') },
      observed: () => observed,
    } as unknown as StreamDeps;
    const asked = new URLSearchParams(`namespace=default&pod=app&${query}`);
    return STREAMS.get(`${AGENT_API}/${path}`)?.(asked, deps, new AbortController().signal) ?? assert.fail(path);
  };
  const { id } = container();

  it('exec: a command in the running container', async () => {
    await open('exec', 'command=ls&command=-l&stdin=true');
    assert.deepEqual(opened, [['exec', id, { command: ['ls', '-l'], tty: false, stdin: true }]]);
    await assert.rejects(open('exec', ''), { code: 'BadRequest' });
    await assert.rejects(open('exec', 'command=ls&container=other'), { code: 'ContainerNotFound' });
    const ended = seen({ containers: [container({ state: 'exited' })] });
    await assert.rejects(open('exec', 'command=ls', { observed: ended }), { code: 'ContainerNotRunning' });
  });

  it('attach: the main process, with the terminal and the input that the container has', async () => {
    const cases: readonly [object, string, object][] = [
      [{}, 'stdin=true', { tty: false, stdin: false }],
      [{ stdin: true }, 'stdin=true', { tty: false, stdin: true }],
      [{ stdin: true, tty: true }, '', { tty: true, stdin: false }],
      [{ stdin: true, tty: true }, 'stdin=true&tty=false', { tty: true, stdin: true }],
    ];
    for (const [has, query, expected] of cases) {
      await open('attach', query, { spec: { containers: [{ name: 'main', image: 'x', ...has }] } });
      assert.deepEqual(opened, [['attach', id, expected]]);
    }
  });

  it('portforward: a port of the pod while it has a sandbox', async () => {
    const sandboxes = [sandbox({ ready: true })];
    await open('portforward', 'port=8080', { observed: seen({ sandboxes }) });
    assert.deepEqual(opened, [['portForward', sandboxes[0]?.id, 8080]]);
    for (const port of ['', '0', '65536', '80.5', 'http', '1e9'])
      await assert.rejects(open('portforward', `port=${port}`), { code: 'BadRequest' }, port);
    await assert.rejects(
      open('portforward', 'port=80', { observed: seen({ sandboxes: [sandbox({ ready: false })] }) }),
      {
        code: 'PodNotRunning',
      },
    );
  });
});
