/** Probes against real servers on this machine's loopback. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { probeRunner } from '../../../nodeagent/adapters/probe/probe-runner.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { grpcFrame } from '../../../nodeagent/core/wire/grpc-frame.ts';
import { testAuthority } from '../../support/git/certificates.ts';
import { RuntimeError } from '../../../nodeagent/ports/container-runtime.ts';

const LONG_S = 60;

/** Writes as long as somebody reads. */
function endless(to: Writable, chunk: Buffer): void {
  const more = (): void => {
    while (!to.destroyed && to.write(chunk));
    if (!to.destroyed) to.once('drain', more);
  };
  more();
}

describe('probe runner', () => {
  let web: Server;
  let grpc: Http2Server;
  let loops = 0;
  let seenHeaders: Record<string, unknown> = {};
  const port = (server: Server | Http2Server): number => (server.address() as AddressInfo).port;
  const { signal } = new AbortController();
  const runner = probeRunner(
    {
      async execSync(_id, command, seconds) {
        if (command[0] === 'hang') throw new RuntimeError('Timeout', `timeout ${seconds}s exceeded`);
        if (command[0] === 'away') throw new RuntimeError('Unavailable', 'no socket');
        return { exitCode: Number(command[1]), stdout: Buffer.from('said'), stderr: Buffer.alloc(0) };
      },
    },
    systemClock,
  );

  before(async () => {
    web = createServer((request, response) => {
      seenHeaders = request.headers;
      const status = Number(request.url?.slice(1, 4));
      if (request.url === '/hang') return;
      if (request.url === '/200-endless') {
        response.writeHead(200);
        return endless(response, Buffer.alloc(65_536));
      }
      loops += request.url === '/loop' ? 1 : 0;
      if (request.url === '/304-home') response.writeHead(304, { location: '/404' });
      else if (request.url === '/loop') response.writeHead(302, { location: '/loop' });
      else if (request.url === '/302-away') response.writeHead(302, { location: 'http://198.18.0.1/' });
      else if (request.url === '/302-home') response.writeHead(302, { location: '/404' });
      else response.writeHead(status);
      response.end('x'.repeat(100_000));
    });
    grpc = createHttp2Server();
    grpc.on('stream', (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const service = Buffer.concat(chunks).subarray(7).toString();
        if (headers[':path'] !== '/grpc.health.v1.Health/Check' || service === 'none')
          return stream.respond(
            { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' },
            { endStream: true },
          );
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(grpcFrame(Buffer.from([0x08, service === 'down' ? 2 : 1])));
      });
    });
    await new Promise<void>((resolve) => {
      web.listen(0, '127.0.0.1', resolve);
    });
    await new Promise<void>((resolve) => {
      grpc.listen(0, '127.0.0.1', resolve);
    });
  });
  after(() => {
    web.closeAllConnections();
    web.close();
    grpc.close();
  });

  const http = (path: string, more: Record<string, unknown> = {}) =>
    ({ kind: 'http', scheme: 'http', host: '127.0.0.1', port: port(web), path, headers: [], ...more }) as const;
  for (const [path, outcome, message] of [
    ['/200', 'success', /HTTP 200/],
    ['/399', 'success', /./],
    ['/400', 'failure', /HTTP probe failed with statuscode: 400/],
    ['/503', 'failure', /503/],
    ['/302-home', 'failure', /statuscode: 404/],
    ['/302-away', 'success', /HTTP 302/],
    ['/loop', 'failure', /stopped after 10 redirects/],
    ['/304-home', 'success', /HTTP 304/],
    ['/200-endless', 'success', /HTTP 200/],
    ['/hang', 'failure', /context deadline exceeded/],
  ] as const) {
    it(`HTTP ${path}: ${outcome}`, async () => {
      // Short for the one alone that never answers.
      const answer = await runner.run(http(path), path === '/hang' ? 1 : LONG_S, signal);
      assert.equal(answer.outcome, outcome);
      assert.match(answer.message, message);
    });
  }

  it('HTTP that switches protocols: an answer as any other', async () => {
    const switching = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n'),
      );
    });
    await new Promise<void>((resolve) => {
      switching.listen(0, '127.0.0.1', resolve);
    });
    const answer = await runner.run(http('/', { port: (switching.address() as AddressInfo).port }), 3600, signal);
    switching.close();
    assert.deepEqual(answer, { outcome: 'failure', message: 'HTTP probe failed with statuscode: 101' });
  });

  it('HTTPS: whatever certificate is shown', async () => {
    // Of nobody's authority, of another name, and past its time.
    const authority = testAuthority();
    const { key, cert } = authority.issue('DNS:elsewhere.example', -1);
    const secure = createHttpsServer({ key, cert }, (request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end();
    });
    await new Promise<void>((resolve) => {
      secure.listen(0, '127.0.0.1', resolve);
    });
    const probe = (path: string, scheme: 'http' | 'https') =>
      runner.run(http(path, { scheme, port: (secure.address() as AddressInfo).port }), LONG_S, signal);
    assert.equal((await probe('/200', 'https')).outcome, 'success');
    assert.deepEqual(await probe('/503', 'https'), {
      outcome: 'failure',
      message: 'HTTP probe failed with statuscode: 503',
    });
    assert.equal((await probe('/200', 'http')).outcome, 'failure');
    secure.close();
    authority.remove();
  });

  it('makes ten requests at most', async () => {
    loops = 0;
    await runner.run(http('/loop'), LONG_S, signal);
    assert.equal(loops, 10);
  });

  it('sends the headers that the probe names, its own host included', async () => {
    await runner.run(
      http('/200', {
        headers: [
          { name: 'Host', value: 'app.example' },
          { name: 'X-Probe', value: '1' },
        ],
      }),
      LONG_S,
      signal,
    );
    assert.equal(seenHeaders['host'], 'app.example');
    assert.equal(seenHeaders['x-probe'], '1');
    assert.match(String(seenHeaders['user-agent']), /^kube-probe\//);
  });

  it('TCP: a connection is enough', async () => {
    assert.equal(
      (await runner.run({ kind: 'tcp', host: '127.0.0.1', port: port(web) }, LONG_S, signal)).outcome,
      'success',
    );
    assert.equal((await runner.run({ kind: 'tcp', host: '127.0.0.1', port: 1 }, 1, signal)).outcome, 'failure');
  });

  for (const [service, outcome, message] of [
    ['', 'success', /SERVING/],
    ['down', 'failure', /NOT_SERVING/],
    ['none', 'failure', /code 5/],
  ] as const) {
    it(`gRPC ${service || 'server'}: ${outcome}`, async () => {
      const answer = await runner.run({ kind: 'grpc', host: '127.0.0.1', port: port(grpc), service }, LONG_S, signal);
      assert.equal(answer.outcome, outcome, answer.message);
      assert.match(answer.message, message);
    });
  }
  it('gRPC where nobody listens', async () => {
    assert.equal(
      (await runner.run({ kind: 'grpc', host: '127.0.0.1', port: 1, service: '' }, 1, signal)).outcome,
      'failure',
    );
  });

  for (const [what, header, payload] of [
    ['pings', '000008 06 00 00000000', Buffer.alloc(8)],
    ['settings', '000006 04 00 00000000', Buffer.from('000300000064', 'hex')],
    ['empty data', '000000 00 00 00000001', Buffer.alloc(0)],
    ['data', '004000 00 00 00000001', Buffer.alloc(16_384)],
    ['pieces of a header block', '000000 09 00 00000001', Buffer.alloc(0)],
  ] as const) {
    it(`gRPC that answers with endless ${what}: failure, not by its time`, async () => {
      const one = Buffer.concat([Buffer.from(header.replaceAll(' ', ''), 'hex'), payload]);
      const hostile = createTcpServer((socket) => {
        socket.on('error', () => undefined);
        endless(socket, Buffer.concat(Array.from({ length: 100 }, () => one)));
      });
      await new Promise<void>((resolve) => {
        hostile.listen(0, '127.0.0.1', resolve);
      });
      const answer = await runner.run(
        { kind: 'grpc', host: '127.0.0.1', port: (hostile.address() as AddressInfo).port, service: '' },
        3600,
        signal,
      );
      hostile.close();
      assert.equal(answer.outcome, 'failure');
      assert.match(answer.message, /^error: health rpc failed: /);
    });
  }

  for (const [command, outcome] of [
    [['x', '0'], 'success'],
    [['x', '3'], 'failure'],
    [['hang'], 'failure'],
    [['away'], 'unknown'],
  ] as const) {
    it(`exec ${command.join(' ')}: ${outcome}`, async () =>
      assert.equal((await runner.run({ kind: 'exec', containerId: 'c', command }, 1, signal)).outcome, outcome));
  }

  it('counts for nothing when it is given up', async () => {
    const stop = new AbortController();
    const asked = runner.run(http('/hang'), 30, stop.signal);
    stop.abort();
    assert.equal((await asked).outcome, 'unknown');
  });
});
