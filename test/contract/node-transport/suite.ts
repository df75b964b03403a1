/** What every `NodeTransport` does, whatever is behind it. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import { Readable, type Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import {
  SHORT_ANSWER_BYTES,
  type NodeConnection,
  type NodeTransport,
  type SshTarget,
} from '../../../reconciler/ports/node-transport.ts';
import { inPatience } from '../../support/patience.ts';

export interface TransportHarness {
  readonly transport: NodeTransport;
  /** Folder on the machine that uploads may go to. */
  readonly folder: string;
  target(over?: Partial<SshTarget>): SshTarget;
  /** Serves a Unix socket on the machine; says its path. */
  listen(server: Server): Promise<string>;
  dropConnections(): void;
  /** A target whose user or key is not let in. */
  stranger(): Promise<{ readonly transport: NodeTransport; readonly target: SshTarget }>;
  changeHostKey(): Promise<string>;
  /** A port that nobody listens on. */
  closedPort(): Promise<number>;
  close(): Promise<void>;
}

const open = (): AbortSignal => inPatience(20_000);
const code =
  (wanted: string) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === wanted;

/** An agent-like server: echo, slow, lines, upgrade. */
function testServer(): Server {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://agent');
    if (url.pathname === '/echo') {
      response.statusCode = 201;
      request.pipe(response);
    } else if (url.pathname === '/lines') {
      response.write('first\n');
      response.on('close', () => server.emit('reader-gone'));
    } else if (url.pathname === '/ports') {
      response.end('ok');
    } else if (url.pathname !== '/never') {
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"code":"NotFound","message":"no such path"}');
    }
  });
  server.on('upgrade', (request, stream: Duplex) => {
    if (request.headers.upgrade !== 'test') {
      stream.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
      return;
    }
    stream.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello ');
    stream.on('data', (chunk: Buffer) => stream.write(chunk.toString().toUpperCase()));
    stream.on('end', () => stream.end());
  });
  return server;
}

export function nodeTransportSuite(name: string, start: () => Promise<TransportHarness>): void {
  describe(`node transport: ${name}`, () => {
    let harness: TransportHarness;
    let connection: NodeConnection;
    let server: Server;
    let socket: string;
    before(async () => {
      harness = await start();
      connection = await harness.transport.connect(harness.target(), open());
      server = testServer();
      socket = await harness.listen(server);
    });
    after(async () => {
      await connection.close();
      server.closeAllConnections();
      server.close();
      await harness.close();
    });

    it('tells the address at which the machine was reached, by its host name too', async () => {
      assert.equal(connection.remoteAddress, '127.0.0.1');
      const named = await harness.transport.connect(harness.target({ address: 'localhost' }), open());
      assert.equal(named.remoteAddress, '127.0.0.1');
      await named.close();
    });

    it('runs a command with its exit code and both outputs', async () => {
      assert.deepEqual(await connection.run(['true'], { signal: open() }), { code: 0, stdout: '', stderr: '' });
      assert.equal((await connection.run(['false'], { signal: open() })).code, 1);
      const missing = await connection.run(['no-such-program'], { signal: open() });
      assert.equal(missing.code, 127);
      assert.match(missing.stderr, /not found/);
    });

    for (const argument of [
      'plain',
      '',
      'two words',
      "it's",
      '$HOME `id` \\ "x"',
      '*',
      'line\nbreak',
      '--flag=ä€',
      ';exit 3',
      '~root',
      '#no',
    ]) {
      it(`passes ${JSON.stringify(argument)} as one argument`, async () => {
        const result = await connection.run(['printf', '<%s>', argument, 'end'], { signal: open() });
        assert.equal(result.stdout, `<${argument}><end>`);
      });
    }

    it(
      'refuses a NUL byte or an empty command',
      { skip: name === 'memory' ? 'only a real shell has words to refuse' : false },
      async () => {
        await assert.rejects(connection.run(['printf', 'a\0b'], { signal: open() }), code('CommandNotQuotable'));
        await assert.rejects(connection.run([], { signal: open() }), code('CommandNotQuotable'));
      },
    );

    it('keeps nothing on a signal that lives longer than the calls', { timeout: 600_000 }, async () => {
      const lasting = new AbortController().signal;
      await (await harness.transport.connect(harness.target(), lasting)).close();
      await connection.run(['true'], { signal: lasting });
      await connection.http(socket, { method: 'GET', path: '/ports' }, lasting);
      // Over is what carried an answer when it is closed, a moment after the answer.
      while (getEventListeners(lasting, 'abort').length > 0)
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
    });

    it('feeds standard input, text or stream', async () => {
      assert.equal((await connection.run(['cat'], { stdin: 'words', signal: open() })).stdout, 'words');
      assert.equal(
        (await connection.run(['cat'], { stdin: Readable.from([Buffer.from('a'), Buffer.from('b')]), signal: open() }))
          .stdout,
        'ab',
      );
    });

    it('keeps at most 1 MiB of output', async () => {
      const result = await connection.run(['cat'], {
        stdin: Readable.from([Buffer.alloc(3 * 1024 * 1024, 'x')]),
        signal: open(),
      });
      assert.equal(result.code, 0);
      assert.equal(result.stdout.length, 1024 * 1024);
    });

    it('ends a command when its signal is aborted', async () => {
      const stop = new AbortController();
      const running = connection.run(['sleep', '3'], { signal: stop.signal });
      stop.abort(new Error('enough'));
      await assert.rejects(running, /enough/);
      assert.equal((await connection.run(['true'], { signal: open() })).code, 0);
    });

    it('uploads a file with its mode, over an old one, from a buffer or a stream', async () => {
      const path = `${harness.folder}/deep/er/file`;
      await connection.upload(path, Buffer.from('old and longer'), 0o600, open());
      const big = Buffer.alloc(5_000_000, 'payload ');
      await connection.upload(path, big, 0o755, open());
      assert.equal(
        (await connection.run(['wc', '-c', path], { signal: open() })).stdout.trim().split(' ')[0],
        '5000000',
      );
      await connection.upload(path, Readable.from([Buffer.from('from a '), Buffer.from('stream')]), 0o640, open());
      assert.equal((await connection.run(['cat', path], { signal: open() })).stdout, 'from a stream');
      assert.equal((await connection.run(['stat', '-c', '%a', path], { signal: open() })).stdout.trim(), '640');
    });

    it('sends a request and reads the answer', async () => {
      const answer = await connection.http(socket, { method: 'POST', path: '/echo', body: '{"ä":1}' }, open());
      assert.equal(answer.status, 201);
      assert.equal(answer.body.toString(), '{"ä":1}');
      assert.equal((await connection.http(socket, { method: 'GET', path: '/none' }, open())).status, 404);
    });

    it('carries large bodies', async () => {
      const body = 'x'.repeat(6_000_000);
      const answer = await connection.http(
        socket,
        { method: 'POST', path: '/echo', body, maxBytes: body.length },
        open(),
      );
      assert.equal(answer.body.length, body.length);
    });

    it('refuses an answer that is longer than is expected, and goes on', async () => {
      const longer = (body: string, maxBytes?: number): Promise<unknown> =>
        connection.http(
          socket,
          { method: 'POST', path: '/echo', body, ...(maxBytes !== undefined && { maxBytes }) },
          open(),
        );
      await assert.rejects(longer('x'.repeat(SHORT_ANSWER_BYTES + 1)), { code: 'AnswerTooLarge', retry: 'backoff' });
      await assert.rejects(longer('x'.repeat(11), 10), { code: 'AnswerTooLarge', retry: 'backoff' });
      assert.equal((await connection.http(socket, { method: 'GET', path: '/ports' }, open())).status, 200);
    });

    it('carries many requests at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          connection.http(socket, { method: 'POST', path: '/echo', body: `n${i}` }, open()),
        ),
      );
      assert.deepEqual(
        answers.map((a) => a.body.toString()),
        Array.from({ length: 60 }, (_, i) => `n${i}`),
      );
    });

    it('does not wait forever: an aborted request ends and the connection goes on', async () => {
      const stop = new AbortController();
      const waiting = connection.http(socket, { method: 'GET', path: '/never' }, stop.signal);
      setImmediate(() => stop.abort(new Error('gave up')));
      await assert.rejects(waiting, /gave up/);
      assert.equal((await connection.http(socket, { method: 'GET', path: '/ports' }, open())).status, 200);
    });

    it('streams an answer as it comes, and tells the server when the reader leaves', async () => {
      const stop = new AbortController();
      const { status, body } = await connection.httpStream(socket, '/lines', stop.signal);
      assert.equal(status, 200);
      const first = await new Promise<Buffer>((resolve) => body.once('data', resolve));
      assert.equal(first.toString(), 'first\n');
      body.on('error', () => undefined);
      const gone = new Promise((resolve) => server.once('reader-gone', resolve));
      stop.abort();
      await gone;
    });

    it('upgrades to a stream in both directions', async () => {
      const stream = await connection.httpUpgrade(socket, '/exec', 'test', open());
      const chunks: string[] = [];
      const ended = new Promise((resolve) => stream.once('end', resolve));
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk.toString());
        if (chunks.join('') === 'hello WORLD') stream.end();
      });
      stream.write('world');
      await ended;
      assert.equal(chunks.join(''), 'hello WORLD');
      await assert.rejects(connection.httpUpgrade(socket, '/exec', 'other', open()), code('UpgradeRefused'));
    });

    it('says that nobody listens', async () => {
      await assert.rejects(
        connection.http('/run/no-such.sock', { method: 'GET', path: '/' }, open()),
        code('AgentUnreachable'),
      );
    });

    it('shows the host key of a machine', async () => {
      const { address, port, hostKey } = harness.target();
      assert.equal(await harness.transport.scanHostKey(address, port, open()), hostKey);
    });

    it('tells an unreachable machine', async () => {
      const port = await harness.closedPort();
      await assert.rejects(harness.transport.connect(harness.target({ port }), open()), code('NodeUnreachable'));
      await assert.rejects(harness.transport.scanHostKey('127.0.0.1', port, open()), code('NodeUnreachable'));
    });

    it('tells a refused key', async () => {
      const { transport, target } = await harness.stranger();
      await assert.rejects(transport.connect(target, open()), code('AuthenticationFailed'));
    });

    it('settles `closed` without an error when it is closed here', async () => {
      const other = await harness.transport.connect(harness.target(), open());
      await other.close();
      assert.equal(await other.closed, undefined);
    });

    it('tells a lost connection to everyone who waits on it', async () => {
      const other = await harness.transport.connect(harness.target(), open());
      const { body } = await other.httpStream(socket, '/lines', open());
      const streamEnd = new Promise<Error>((resolve) => body.once('error', resolve));
      body.resume();
      const running = assert.rejects(other.run(['sleep', '20'], { signal: open() }), code('ConnectionLost'));
      const asking = assert.rejects(
        other.http(socket, { method: 'GET', path: '/never' }, open()),
        code('AgentUnreachable'),
      );
      await other.run(['true'], { signal: open() });
      harness.dropConnections();
      await Promise.all([running, asking, streamEnd]);
      const why = await other.closed;
      assert.ok(code('ConnectionLost')(why));
      connection = await harness.transport.connect(harness.target(), open());
      assert.equal((await connection.run(['true'], { signal: open() })).code, 0);
    });

    it('refuses a changed host key', async () => {
      const before = harness.target();
      await harness.changeHostKey();
      await assert.rejects(harness.transport.connect(before, open()), code('HostKeyChanged'));
      connection = await harness.transport.connect(harness.target(), open());
    });

    it('refuses a signal that is aborted already', async () => {
      await assert.rejects(harness.transport.connect(harness.target(), AbortSignal.abort(new Error('off'))), /off/);
      await assert.rejects(connection.run(['true'], { signal: AbortSignal.abort(new Error('off')) }), /off/);
    });
  });
}
