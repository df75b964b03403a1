import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect as connectTcp, type AddressInfo, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { freePort } from '../../support/free-port.ts';
import { endpoint, service, slice } from '../../unit/network/world.ts';
import { backend, prefix, rule } from '../../unit/proxy/configs.ts';
import { readFile, writeFile } from 'node:fs/promises';
import { makeFolder } from '../../support/folder.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { proxyWorld, serve, until, type Backend, type ProxyWorld } from './world.ts';

const run = promisify(execFile);

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Signed by itself. */
async function pair(name: string): Promise<Pair> {
  const folder = makeFolder('plumbline-certificate-');
  const [key, certificate] = [`${folder}/key`, `${folder}/certificate`];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  ]);
  const made = { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
  await removeFolder(folder);
  return made;
}

/** By an authority, with a digest that TLS does not take any more. */
async function signedWithSha1(name: string): Promise<Pair> {
  const folder = makeFolder('plumbline-certificate-');
  const authority = await pair('authority.test');
  await writeFile(`${folder}/ca.key`, authority.key);
  await writeFile(`${folder}/ca`, authority.certificate);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', ['req', ...curve, '-keyout', 'key', '-out', 'request', '-subj', `/CN=${name}`], { cwd: folder });
  await run('openssl', 'x509 -req -in request -CA ca -CAkey ca.key -set_serial 1 -sha1 -days 2 -out crt'.split(' '), {
    cwd: folder,
  });
  const made = { certificate: await readFile(`${folder}/crt`, 'utf8'), key: await readFile(`${folder}/key`, 'utf8') };
  await removeFolder(folder);
  return made;
}

function secret(name: string, { certificate, key }: Pair): KubeObject {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default' },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(certificate), 'tls.key': base64(key) },
  };
}

const of = (name: string) => ({ namespace: 'default', name });

/** Name of the certificate that is shown, and what comes back for `say`. */
async function talk(
  port: number,
  servername: string | undefined,
  say: string,
): Promise<{ name: string; answer: string }> {
  const socket: TLSSocket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...(servername !== undefined && { servername }),
  });
  await once(socket, 'secureConnect');
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.write(say);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return { name, answer: data.toString() };
}

const http = (host: string): string => `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;

describe('TLS and plain connections through the proxy', () => {
  let world: ProxyWorld;
  let web: Backend;
  const servers: Server[] = [];

  before(async () => {
    world = await proxyWorld();
    web = await serve('web', '127.0.0.1');
  });
  after(async () => {
    await world?.close();
    await web?.close();
    for (const server of servers) server.close();
  });

  /** A TCP service on loopback that says its name once it heard something. */
  async function tcp(name: string, tls?: Pair): Promise<readonly KubeObject[]> {
    const server = tls
      ? createTlsServer({ cert: tls.certificate, key: tls.key }, (socket) =>
          socket.once('data', () => socket.end(name)).on('error', () => undefined),
        )
      : createServer((socket) => socket.once('data', () => socket.end(name)).on('error', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    const { port } = server.address() as AddressInfo;
    const made = service(name, '198.19.128.10', [{ name: 'http', port: 80, targetPort: port }]);
    return [made, slice(made, [endpoint('127.0.0.1')], 'a', port)];
  }

  it('shows each host its certificate, follows a new one at once, and tells of one that cannot be used', async () => {
    const port = await freePort();
    const [a, b, renewed] = await Promise.all([pair('a.test'), pair('b.test'), pair('renewed.test')]);
    const rules = [rule(prefix('/'), 'web')];
    await world.give(
      [
        {
          port,
          protocol: 'https',
          hosts: [
            { hostname: 'a.test', rules, certificates: [of('a')] },
            { hostname: 'x.test', rules, certificates: [of('broken'), of('absent')] },
            { hostname: '*.b.test', rules, certificates: [of('b')] },
          ],
        },
      ],
      [web.backend],
      secret('a', a),
      secret('b', b),
      secret('broken', { certificate: a.certificate, key: b.key }),
      ...web.objects(),
    );
    assert.deepEqual(
      world.report()?.problems.map(({ message }) => message),
      ['secret default/broken has a tls.key that is not of its tls.crt', 'secret default/absent is not there'],
    );
    const shown = async (name: string | undefined): Promise<string> =>
      (await talk(port, name, http(name ?? 'a.test'))).name;
    assert.deepEqual(
      [await shown('a.test'), await shown('w.b.test'), await shown('other.test'), await shown(undefined)],
      ['a.test', 'b.test', 'a.test', 'a.test'],
    );
    assert.match((await talk(port, 'other.test', http('other.test'))).answer, /^HTTP\/1\.1 404/);
    assert.match((await talk(port, 'w.b.test', http('w.b.test'))).answer, /^HTTP\/1\.1 200/);

    const [pid, reports, reloads] = [await world.masterPid(), world.reports.length, world.reloads()];
    assert.ok(reloads > 0);
    world.assignment.set(secret('b', renewed));
    await until(async () => (await shown('w.b.test')) === 'renewed.test');
    assert.deepEqual([await world.masterPid(), world.reports.length, world.reloads()], [pid, reports, reloads]);
    // What cannot be used is told; its host is shown the port's first one.
    world.assignment.set(secret('b', { certificate: a.certificate, key: renewed.key }));
    await until(() => world.reports.length > reports);
    assert.deepEqual(
      world.report()?.problems.map(({ message }) => message),
      [
        'secret default/broken has a tls.key that is not of its tls.crt',
        'secret default/absent is not there',
        'secret default/b has a tls.key that is not of its tls.crt',
      ],
    );
    await until(async () => (await shown('w.b.test')) === 'a.test');
    assert.equal(await shown('a.test'), 'a.test');
    assert.match((await talk(port, 'w.b.test', http('w.b.test'))).answer, /^HTTP\/1\.1 200/);
  });

  it('goes on without a certificate that only the proxy finds wrong', async () => {
    const port = await freePort();
    const [good, renewed] = await Promise.all([pair('good.test'), pair('renewed.test')]);
    const weak = await signedWithSha1('weak.test');
    const rules = [rule(prefix('/'), 'web')];
    const host = (name: string) => ({ hostname: `${name}.test`, rules, certificates: [of(name)] });
    await world.give(
      [{ port, protocol: 'https', hosts: ['good', 'weak'].map(host) }],
      [web.backend],
      secret('good', good),
      secret('weak', weak),
      ...web.objects(),
    );
    const problems = (): readonly string[] => world.report()?.problems.map(({ message }) => message) ?? [];
    assert.match(problems().join(), /^secret default\/weak: the proxy does not take it: [^,]*$/);
    const shown = async (name: string): Promise<string> => (await talk(port, name, http(name))).name;
    assert.equal(await shown('good.test'), 'good.test');

    world.assignment.set(secret('weak', renewed));
    await until(async () => problems().length === 0 && (await shown('weak.test')) === 'renewed.test');
    // In the place of what is in force, and beside one that is followed.
    world.assignment.set(secret('weak', weak));
    await until(() => problems().length === 1);
    world.assignment.set(secret('good', renewed));
    await until(async () => (await shown('good.test')) === 'renewed.test');
    assert.match(problems().join(), /^secret default\/weak: the proxy does not take it: [^,]*$/);
  });

  it('passes TLS on by the name that is asked for, or ends it', async () => {
    const port = await freePort();
    const [own, behind] = await Promise.all([pair('own.test'), pair('behind.test')]);
    const forward = (name: string) => [{ backend: name, weight: 1 }];
    await world.give(
      [
        {
          port,
          protocol: 'tls',
          hosts: [
            { hostname: 'end.test', forward: forward('plain'), certificates: [of('own')] },
            { hostname: 'pass.test', forward: forward('behind') },
            { hostname: '*.wild.test', forward: forward('behind') },
          ],
        },
      ],
      [backend('plain', { protocol: 'tcp' }), backend('behind', { protocol: 'tcp' })],
      secret('own', own),
      ...(await tcp('plain')),
      ...(await tcp('behind', behind)),
    );
    assert.deepEqual(world.report()?.problems, []);
    assert.deepEqual(await talk(port, 'end.test', 'x'), { name: 'own.test', answer: 'plain' });
    assert.deepEqual(await talk(port, 'pass.test', 'x'), { name: 'behind.test', answer: 'behind' });
    assert.deepEqual(await talk(port, 'a.b.wild.test', 'x'), { name: 'behind.test', answer: 'behind' });
    await assert.rejects(talk(port, 'other.test', 'x'));
  });

  it('takes answers of a server in TLS whose certificate is what it is held against, and no others', async () => {
    const [own, other] = [await pair('web.example.com'), await pair('web.example.com')];
    const tls = createTlsServer({ key: own.key, cert: own.certificate }, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'));
    });
    // A client that does not believe it ends the connection.
    tls.on('tlsClientError', () => undefined);
    const at = await freePort();
    tls.listen(at, '127.0.0.1');
    await once(tls, 'listening');
    const named = service('tls', '198.19.128.8', [{ name: 'http', port: 80, targetPort: at }]);
    const port = await freePort();
    const status = async (hostname: string, caCertificates: string): Promise<number> => {
      await world.give(
        [{ port, protocol: 'http', hosts: [{ hostname: '', rules: [rule(prefix('/'), 'tls')] }] }],
        [backend('tls', { protocol: 'https', verify: { hostname, caCertificates } })],
        named,
        slice(named, [endpoint('127.0.0.1')], 'a', at),
      );
      return (await world.ask(port)).status;
    };
    try {
      assert.equal(await status('web.example.com', own.certificate), 200);
      assert.equal(await status('web.example.com', other.certificate), 503);
      assert.equal(await status('other.example.com', own.certificate), 503);
    } finally {
      tls.close();
    }
  });

  it('passes bytes on', async () => {
    const port = await freePort();
    await world.give(
      [
        {
          port,
          protocol: 'tcp',
          hosts: [
            {
              hostname: '',
              forward: [
                { backend: 'bytes', weight: 1 },
                { backend: '', weight: 0 },
              ],
            },
          ],
        },
      ],
      [backend('bytes', { protocol: 'tcp' })],
      ...(await tcp('bytes')),
    );
    const socket = connectTcp(port, '127.0.0.1');
    socket.write('x');
    const [data] = (await once(socket, 'data')) as [Buffer];
    assert.equal(data.toString(), 'bytes');
    socket.destroy();
  });

  it('asks for a password', async () => {
    const port = await freePort();
    const { stdout } = await run('openssl', ['passwd', '-6', 'se cret']);
    const auth = `anna:${stdout.trim()}\nold:$apr1$x$y\n`;
    await world.give(
      [
        {
          port,
          protocol: 'http',
          hosts: [
            {
              hostname: '',
              rules: [rule(prefix('/'), 'web', { basicAuth: { secret: of('users'), realm: `the "realm"` } })],
            },
          ],
        },
      ],
      [web.backend],
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'users', namespace: 'default' },
        type: 'Opaque',
        data: { auth: Buffer.from(auth).toString('base64') },
      },
      ...web.objects(),
    );
    const as = (user: string) => ({ headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` } });
    const statuses = [
      await world.ask(port),
      await world.ask(port, as('anna:se cret')),
      await world.ask(port, as('anna:other')),
      await world.ask(port, as('old:x')),
    ];
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [401, 200, 401, 401],
    );
    assert.match(world.report()?.problems[0]?.message ?? '', /passwords of 1 users/);
  });
});
