/** Charts of a real HTTP repository and a real OCI registry, by the real Helm. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { findProgram } from '../../../reconciler/adapters/engines/programs.ts';
import { openEngines } from '../../../reconciler/adapters/engines/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { freePort } from '../../support/free-port.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { tied } from '../../support/tied.ts';
import { app, namespace, render } from './apps.ts';

const TEMPLATE =
  'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-elsewhere\ndata:\n  value: {{ .Values.a | quote }}\n';

describe('a chart from elsewhere', () => {
  const folder = makeFolder('plumbline-charts-');
  let archive: Buffer;
  let server: Server;
  let url = '';
  let asked: string[] = [];

  before(async () => {
    mkdirSync(join(folder, 'web', 'templates'), { recursive: true });
    writeFileSync(join(folder, 'web', 'Chart.yaml'), 'apiVersion: v2\nname: web\nversion: 1.2.3\n');
    writeFileSync(join(folder, 'web', 'values.yaml'), 'a: of the chart\n');
    writeFileSync(join(folder, 'web', 'templates', 'a.yaml'), TEMPLATE);
    execFileSync('tar', ['-czf', join(folder, 'web-1.2.3.tgz'), '-C', folder, 'web']);
    archive = readFileSync(join(folder, 'web-1.2.3.tgz'));
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (request.url === '/charts/index.yaml')
        response.end(
          'apiVersion: v1\nentries:\n  web:\n  - {apiVersion: v2, name: web, version: 1.2.3, urls: [web-1.2.3.tgz]}\n',
        );
      else if (request.url === '/charts/web-1.2.3.tgz') response.end(archive);
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/charts`;
  });
  after(async () => {
    server.close();
    await removeFolder(folder);
  });

  const files = (chart: object): Readonly<Record<string, string>> => ({
    'apps.yaml': `${namespace('web')}---\n${app('web', { namespace: 'web', helm: { chart, values: { a: 'of the App' } } })}`,
  });
  const value = ({ state }: Awaited<ReturnType<typeof render>>): unknown => {
    const object = state.get('configmaps/web/from-elsewhere')?.object;
    return object?.kind === 'ConfigMap' ? object.data?.['value'] : undefined;
  };

  it('is fetched from an HTTP repository, once', async () => {
    const engines = openEngines(join(folder, 'http'));
    const chart = { repository: url, name: 'web', version: '1.2.3' };
    asked = [];
    const first = await render(files(chart), engines);
    assert.deepEqual(first.told, []);
    assert.equal(value(first), 'of the App');
    assert.deepEqual(asked, ['/charts/index.yaml', '/charts/web-1.2.3.tgz']);
    await render({ ...files(chart), 'other.yaml': namespace('other') }, openEngines(join(folder, 'http')));
    assert.equal(asked.length, 2);
  });

  it('is the one that its digest names, or an error of the commit', async () => {
    const engines = openEngines(join(folder, 'digest'));
    const digest = `sha256:${createHash('sha256').update(archive).digest('hex')}`;
    const chart = { repository: url, name: 'web', version: '1.2.3', digest };
    assert.equal(value(await render(files(chart), engines)), 'of the App');
    const other = await render(files({ ...chart, digest: `sha256:${'0'.repeat(64)}` }), engines);
    assert.match(
      other.told.join('\n'),
      /^apps\.yaml:5:1 RenderFailed App web cannot have its chart: it is another one/,
    );
    assert.equal(value(other), undefined);
  });

  it('that cannot be fetched leaves the commit unjudged', async () => {
    const engines = openEngines(join(folder, 'none'));
    await assert.rejects(render(files({ repository: url, name: 'web', version: '9.9.9' }), engines), {
      code: 'ChartUnavailable',
      message: /web 9\.9\.9 cannot be fetched from http:.*9\.9\.9/,
    });
  });

  it('is fetched from a registry, and is the one of its digest', async () => {
    const registry = await startRegistry(folder);
    try {
      const programs = { dir: join(process.cwd(), '.cache', 'engines'), env: process.env };
      const { path } = await findProgram('helm', programs, new AbortController().signal);
      const repository = `oci://127.0.0.1:${registry.port}/charts`;
      execFileSync(path, ['push', join(folder, 'web-1.2.3.tgz'), repository, '--plain-http'], {
        env: { HOME: folder },
        stdio: 'ignore',
      });
      const engines = openEngines(join(folder, 'oci'));
      const chart = { repository, name: 'web', version: '1.2.3' };
      const found = await render(files(chart), engines);
      assert.deepEqual(found.told, []);
      assert.equal(value(found), 'of the App');
      const other = await render(files({ ...chart, digest: `sha256:${'0'.repeat(64)}` }), engines);
      assert.match(
        other.told.join(''),
        /RenderFailed App web cannot have its chart: it is another one .*digest sha256:/,
      );
      const digest = /it has the digest (sha256:[0-9a-f]{64})/.exec(other.told.join(''))?.[1];
      assert.deepEqual((await render(files({ ...chart, digest }), engines)).told, []);
    } finally {
      await end(registry);
    }
  });

  describe('behind a password', () => {
    const PASSWORD = 'canary-91c';
    const WRONG = 'canary-wrong';
    /** Of the password, by crypt(5). */
    const HTPASSWD = 'ada:$2b$04$abcdefghijklmnopqrstuuZf2tgdviems4hUNai8ZfdxSVfwsoO6q\n';
    let authority: TestAuthority;
    before(() => {
      authority = testAuthority();
    });
    after(() => authority?.remove());

    const behind = (chart: object, password = PASSWORD): Readonly<Record<string, string>> => ({
      ...files({ ...chart, secretRef: { name: 'charts' } }),
      'secret.json': JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'charts', namespace: 'web' },
        stringData: { username: 'ada', password, 'ca.crt': authority.cert },
      }),
    });
    const refused = async (chart: object, home: string): Promise<void> => {
      await assert.rejects(render(behind(chart, WRONG), openEngines(join(folder, home))), (error: Error) => {
        assert.match(error.message, /web 1\.2\.3 cannot be fetched from .*401/);
        assert.doesNotMatch(inspect(error, { depth: 9 }), /canary/);
        return true;
      });
    };
    /** Of a password: itself, and how a request, a login of a registry and a Secret have it. */
    const formsOf = (password: string): readonly string[] => [
      password,
      ...[password, `ada:${password}`].map((text) => Buffer.from(text).toString('base64').replace(/=+$/, '')),
    ];
    /** Files that outlive the fetch and have one of these in them. */
    const filesWith = (home: string, texts: readonly string[]): readonly string[] => {
      const argv = ['-rlaF', ...texts.flatMap((text) => ['-e', text]), join(folder, home)];
      const { status, stdout, stderr } = spawnSync('grep', argv, { encoding: 'utf8' });
      assert.ok(status === 0 || status === 1, stderr);
      return stdout.split('\n').filter(Boolean);
    };
    const nothingLeftIn = (home: string): void => {
      assert.deepEqual(filesWith(home, [PASSWORD, WRONG].flatMap(formsOf)), []);
      // What was fetched is kept there, behind its hash.
      const [kept = ''] = readdirSync(join(folder, home, 'charts'));
      assert.deepEqual(readFileSync(join(folder, home, 'charts', kept)).subarray(32), archive);
    };

    it('is fetched from an HTTPS repository', async () => {
      const tls = authority.issue('DNS:localhost');
      const logins: (string | undefined)[] = [];
      const secure = createTlsServer(tls, (request, response) => {
        const { authorization } = request.headers;
        logins.push(authorization);
        if (authorization === `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}`)
          server.emit('request', request, response);
        else response.writeHead(401, { 'www-authenticate': 'Basic realm="charts"' }).end();
      }).listen(0, '127.0.0.1');
      await once(secure, 'listening');
      try {
        const repository = `https://localhost:${(secure.address() as AddressInfo).port}/charts`;
        const chart = { repository, name: 'web', version: '1.2.3' };
        await refused(chart, 'https');
        const found = await render(behind(chart), openEngines(join(folder, 'https')));
        assert.deepEqual(found.told, []);
        assert.equal(value(found), 'of the App');
        const asked = logins.length;
        // What is kept needs no password.
        assert.deepEqual((await render(behind(chart, 'other'), openEngines(join(folder, 'https')))).told, []);
        assert.equal(logins.length, asked);
        // But it does for another namespace, whose Secret may be another one.
        const others = Object.entries(behind(chart, 'canary-wrong')).map(
          ([path, text]) => [path, text.replaceAll(/(name(?:space)?"?: ?"?)web\b/g, '$1other')] as const,
        );
        const elsewhere = render(Object.fromEntries(others), openEngines(join(folder, 'https')));
        await assert.rejects(elsewhere, /cannot be fetched from .*401/);
        nothingLeftIn('https');
      } finally {
        secure.close();
      }
    });

    it('is fetched from a registry with htpasswd', async () => {
      const { key, cert } = authority.issue('DNS:localhost');
      const place = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const registry = await startRegistry(folder, {
        tls: { tls: { certificate: place('registry.pem', cert), key: place('registry.key', key) } },
        auth: { htpasswd: { realm: 'charts', path: place('htpasswd', HTPASSWD) } },
      });
      try {
        const programs = { dir: join(process.cwd(), '.cache', 'engines'), env: process.env };
        const { path } = await findProgram('helm', programs, new AbortController().signal);
        const repository = `oci://localhost:${registry.port}/charts`;
        const auth = Buffer.from(`ada:${PASSWORD}`).toString('base64');
        const login = place('login.json', JSON.stringify({ auths: { [`localhost:${registry.port}`]: { auth } } }));
        execFileSync(
          path,
          [
            ...['push', join(folder, 'web-1.2.3.tgz'), repository],
            ...['--ca-file', authority.file, '--registry-config', login],
          ],
          { env: { HOME: folder }, stdio: 'ignore' },
        );
        const chart = { repository, name: 'web', version: '1.2.3' };
        await refused(chart, 'locked');
        const found = await render(behind(chart), openEngines(join(folder, 'locked')));
        assert.deepEqual(found.told, []);
        assert.equal(value(found), 'of the App');
        nothingLeftIn('locked');
      } finally {
        await end(registry);
      }
    });
  });
});

async function end(registry: { readonly process: ChildProcess }): Promise<void> {
  const ended = once(registry.process, 'exit');
  registry.process.kill();
  await ended;
}

/** Debian's registry on a free port of loopback, without a certificate and a password unless they are given. */
async function startRegistry(
  folder: string,
  { tls, auth }: { readonly tls?: object; readonly auth?: object } = {},
): Promise<{ readonly process: ChildProcess; readonly port: number }> {
  const port = await freePort();
  const config = join(folder, 'registry.yml');
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
      http: { addr: `127.0.0.1:${port}`, ...tls },
      ...(auth && { auth }),
    }),
  );
  const [program, ...args] = tied('docker-registry', 'serve', config);
  const registry = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    registry.once('exit', () => {
      reject(new Error('the registry ended'));
    });
    registry.stderr.on('data', (chunk) => {
      if (String(chunk).includes('listening on')) resolve();
    });
  });
  return { process: registry, port };
}
