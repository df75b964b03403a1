/** A repository behind a proxy, over HTTPS and HTTP: an own proxy of the test, which keeps what it sees. */
import assert from 'node:assert/strict';
import { createServer, request as ask, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { httpExchange } from '../../../reconciler/adapters/git/http-client.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { inPatience } from '../../support/patience.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';

/** No such host is anywhere: only the proxy knows the way to it. */
const HOST = 'git.plumbline.test';
const PASSWORD = 'canary-71c';

describe('a repository behind a proxy', () => {
  let authority: TestAuthority;
  let secure: GitGateway;
  let plain: GitGateway;
  let proxy: Server;
  let repository: ScratchRepository;
  let seen: string[];
  let tunnels: Socket[];
  let wanted: string | undefined;
  before(async () => {
    authority = testAuthority();
    secure = await startGateway({ login: `ada:${PASSWORD}`, tls: authority.issue(`DNS:${HOST}`) });
    plain = await startGateway({});
    proxy = createServer((request, response) => {
      seen.push(`${request.method} ${request.url} for ${request.headers.host}`);
      const { pathname, search } = new URL(request.url ?? '');
      const onward = ask(
        {
          host: '127.0.0.1',
          port: plain.port,
          path: pathname + search,
          method: request.method,
          headers: request.headers,
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 0, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    proxy.on('connect', (request, socket: Socket, head) => {
      seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
      tunnels.push(socket);
      socket.on('error', () => undefined);
      if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n');
        return;
      }
      const onward = connect(secure.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.write(head);
        onward.pipe(socket);
        socket.on('data', (chunk: Buffer) => {
          seen.push(chunk.toString('latin1'));
          onward.write(chunk);
        });
      });
      onward.on('error', () => socket.destroy());
      socket.on('close', () => onward.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    await Promise.all([secure?.close(), plain?.close()]);
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    authority?.remove();
  });
  beforeEach(() => {
    repository = scratchRepository();
    repository.commit([{ path: 'a', content: 'a' }]);
    secure.serve(repository.root);
    plain.serve(repository.root);
    [seen, tunnels, wanted] = [[], [], undefined];
  });
  afterEach(() => {
    for (const socket of tunnels) socket.destroy();
    repository.remove();
  });

  const address = (login = ''): string => `http://${login}127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  async function refs(scheme: string, environment: Readonly<Record<string, string>>, ca?: string): Promise<string> {
    const exchange = httpExchange(10_000, ca, environment);
    const authorization = `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}`;
    const url = `${scheme}://${HOST}/repo.git/info/refs?service=git-upload-pack`;
    const answer = await exchange({ url, method: 'GET', headers: { authorization } }, inPatience(30_000));
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body ?? []) chunks.push(chunk);
    return `${answer.statusCode} ${Buffer.concat(chunks).toString('latin1')}`;
  }

  it('is read through a tunnel over HTTPS, of which the proxy sees no password', async () => {
    const answer = await refs('https', { HTTPS_PROXY: address() }, authority.cert);
    assert.match(answer, /^200 [\s\S]*refs\/heads\/main/);
    assert.equal(seen[0], `CONNECT ${HOST}:443`);
    assert.ok(seen.length > 1);
    assert.ok(!seen.join('').includes('uthorization') && !seen.join('').includes('refs/heads'));
  });

  it('is trusted by its own certificate', async () => {
    await assert.rejects(refs('https', { HTTPS_PROXY: address() }), { code: /UNABLE_TO_VERIFY|SELF_SIGNED/ });
  });

  it('is read with the login of the proxy, and refused without', async () => {
    wanted = `Basic ${Buffer.from('bob:pass word').toString('base64')}`;
    await assert.rejects(refs('https', { HTTPS_PROXY: address() }, authority.cert), {
      message: new RegExp(`^the proxy 127\\.0\\.0\\.1:\\d+ answered 407 for ${HOST}:443$`),
    });
    assert.match(await refs('https', { HTTPS_PROXY: address('bob:pass%20word@') }, authority.cert), /^200 /);
  });

  it('is asked for by its whole URL over HTTP', async () => {
    assert.match(await refs('http', { HTTP_PROXY: address() }), /^200 [\s\S]*refs\/heads\/main/);
    assert.equal(seen[0], `GET http://${HOST}/repo.git/info/refs?service=git-upload-pack for ${HOST}`);
  });

  it('is told of where the proxy is away', async () => {
    const away = new URL(address());
    away.port = '1';
    await assert.rejects(refs('https', { HTTPS_PROXY: away.href }, authority.cert), {
      message: /^the proxy 127\.0\.0\.1:1 cannot be asked: .*ECONNREFUSED/,
    });
  });
});
