import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { globalAgent } from 'node:https';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { freePort } from '../../support/free-port.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';
import { gitSourceSuite } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

const PASSWORD = 'hunter2 / %40';
const LOGIN = `ada:${PASSWORD}`;
const USERINFO = `ada:${encodeURIComponent(PASSWORD)}`;
/** What must be nowhere. */
const SECRETS = [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(LOGIN).toString('base64')];
const signal = inPatience(600_000);

let authority: TestAuthority;
let plain: GitGateway;
let secure: GitGateway;
before(async () => {
  authority = testAuthority();
  plain = await startGateway({ login: LOGIN });
  secure = await startGateway({ login: LOGIN, tls: authority.issue('DNS:localhost') });
});
after(async () => {
  await Promise.all([plain?.close(), secure?.close()]);
  authority?.remove();
});

gitSourceSuite({
  name: 'over HTTP with a password, isomorphic-git',
  local: false,
  open: (r, branch) => {
    plain.serve(r.root);
    return openGitSource({
      url: `http://${USERINFO}@127.0.0.1:${plain.port}/repo.git`,
      ...(branch === undefined && { branch: 'main' }),
      cacheDir: join(r.root, 'cache'),
    });
  },
});

describe('with an authority that is trusted', () => {
  // What NODE_EXTRA_CA_CERTS does when a process starts; the test of `plumb up` over HTTPS starts one with it.
  before(() => {
    globalAgent.options.ca = authority.cert;
  });
  after(() => {
    globalAgent.destroy();
    delete globalAgent.options.ca;
  });
  for (const engine of ['isomorphic', 'native'] as const) {
    gitSourceSuite({
      name: `over HTTPS with a password, ${engine} git`,
      local: false,
      open: (r, branch) => {
        secure.serve(r.root);
        return openGitSource({
          url: `https://${USERINFO}@localhost:${secure.port}/repo.git`,
          ...(branch === undefined && { branch: 'main' }),
          cacheDir: join(r.root, 'cache'),
          engine,
        });
      },
    });
  }
});

describe('GitSource over HTTPS, when it does not work', { timeout: 600_000 }, () => {
  let repository: ScratchRepository;
  let source: GitSource | undefined;
  let other: GitGateway | undefined;
  beforeEach(() => {
    repository = scratchRepository();
    repository.commit([{ path: 'a', content: '1' }]);
    secure.serve(repository.root);
  });
  afterEach(async () => {
    await source?.close();
    await other?.close();
    source = other = undefined;
    globalAgent.destroy();
    delete globalAgent.options.ca;
    secure.answerBy(undefined);
    repository.remove();
  });

  /** What `head` throws; its words, its cause and the fetched copy hold no password. */
  async function failure(
    url: string,
    options: { readonly httpSilenceMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<PlumbError> {
    const cacheDir = join(repository.root, 'cache');
    source = await openGitSource({
      url,
      branch: 'main',
      cacheDir,
      ...(options.httpSilenceMs !== undefined && { httpSilenceMs: options.httpSilenceMs }),
    });
    const error: unknown = await source.head(options.signal ?? signal).then(
      (head) => assert.fail(`it answered ${head.state}`),
      (e: unknown) => e,
    );
    assert.ok(error instanceof PlumbError, inspect(error));
    const shown = [
      error.message,
      inspect(error, { depth: 9, showHidden: true }),
      inspect(source, { depth: 9 }),
      JSON.stringify(source),
    ].join('\n');
    for (const secret of SECRETS) assert.ok(!shown.includes(secret), shown);
    assert.equal(error.message.includes('\n'), false, error.message);
    return error;
  }

  it('refuses a certificate of an unknown authority, and says how to make it known', async () => {
    const error = await failure(`https://${USERINFO}@localhost:${secure.port}/repo.git`);
    assert.deepEqual([error.code, error.retry], ['GitCertificateRefused', 'never']);
    assert.equal(
      error.message,
      `the certificate of localhost:${secure.port} is from an authority that is not known (unable to verify the first certificate): write that authority's certificate to a PEM file and start again with NODE_EXTRA_CA_CERTS=FILE`,
    );
  });

  it('refuses a certificate for another host', async () => {
    globalAgent.options.ca = authority.cert;
    const error = await failure(`https://${USERINFO}@127.0.0.1:${secure.port}/repo.git`);
    assert.equal(error.code, 'GitCertificateRefused');
    assert.match(
      error.message,
      /^the certificate of 127\.0\.0\.1:\d+ is for another host \(.*\): use the name that the certificate has$/,
    );
  });

  it('refuses a certificate that has expired', async () => {
    globalAgent.options.ca = authority.cert;
    other = await startGateway({ tls: authority.issue('DNS:localhost', -1) });
    const error = await failure(`https://localhost:${other.port}/repo.git`);
    assert.equal(error.code, 'GitCertificateRefused');
    assert.match(
      error.message,
      /^the certificate of localhost:\d+ is not valid \(certificate has expired\): have it renewed/,
    );
  });

  it('says that a password is wrong without saying it', async () => {
    globalAgent.options.ca = authority.cert;
    const error = await failure(`https://ada:${encodeURIComponent('not that')}@localhost:${secure.port}/repo.git`);
    assert.deepEqual(
      [error.code, error.message],
      [
        'GitAccessDenied',
        `https://localhost:${secure.port}/repo.git answered 401: check the URL, and that the credentials may read it`,
      ],
    );
  });

  it('does not carry a password to where a server points, and names that place', async () => {
    globalAgent.options.ca = authority.cert;
    const asked: (string | undefined)[] = [];
    other = await startGateway();
    other.answerBy((request, response) => {
      asked.push(request.headers.authorization);
      response.end();
    });
    const there = `http://localhost:${other.port}/moved.git`;
    secure.answerBy((_request, response) =>
      response.writeHead(301, { location: `${there}/info/refs?service=git-upload-pack` }).end(),
    );
    const error = await failure(`https://${USERINFO}@localhost:${secure.port}/repo.git`);
    assert.deepEqual(
      [error.code, error.message],
      [
        'GitUrlInvalid',
        `https://localhost:${secure.port}/repo.git answered 301 and points at ${there}: if the repository is there, give that URL`,
      ],
    );
    assert.deepEqual(asked, []);
  });

  it('says that a web page is no repository', async () => {
    globalAgent.options.ca = authority.cert;
    secure.answerBy((_request, response) => response.end('<html>Sign in</html>'));
    const error = await failure(`https://localhost:${secure.port}/repo.git`);
    assert.deepEqual(
      [error.code, error.message],
      ['GitUrlInvalid', `https://localhost:${secure.port}/repo.git answers, but not as a Git server: check the URL`],
    );
  });

  it('gives up on a server that says nothing, before its answer or within', async () => {
    globalAgent.options.ca = authority.cert;
    for (const handler of [
      (): void => undefined,
      (_request: unknown, response: { write(text: string): unknown }): void => void response.write('001e'),
    ]) {
      secure.answerBy(handler);
      const error = await failure(`https://localhost:${secure.port}/repo.git`, { httpSilenceMs: 200 });
      assert.deepEqual(
        [error.code, error.message],
        ['GitUnreachable', `cannot reach https://localhost:${secure.port}/repo.git: no answer for 0.2 s`],
      );
      await source?.close();
    }
  });

  it('waits longer for an answer than Node does by itself, which is five seconds', async () => {
    globalAgent.options.ca = authority.cert;
    secure.answerBy(
      (request, response) =>
        void setTimeout(() => {
          secure.answerBy(undefined);
          secure.answer(request, response);
        }, 5500),
    );
    source = await openGitSource({
      url: `https://${USERINFO}@localhost:${secure.port}/repo.git`,
      branch: 'main',
      cacheDir: join(repository.root, 'cache'),
    });
    assert.equal((await source.head(signal)).state, 'at');
  });

  it('stops waiting for a server when it is told to', async () => {
    globalAgent.options.ca = authority.cert;
    const stop = new AbortController();
    secure.answerBy(() => stop.abort(new Error('enough')));
    source = await openGitSource({
      url: `https://localhost:${secure.port}/repo.git`,
      branch: 'main',
      cacheDir: join(repository.root, 'cache'),
    });
    await assert.rejects(source.head(stop.signal), /enough/);
  });

  it('says what is wrong where nobody listens, or not with TLS', async () => {
    const closed = await freePort();
    assert.match(
      (await failure(`https://localhost:${closed}/repo.git`)).message,
      /^cannot reach https:\/\/localhost:\d+\/repo\.git: .*ECONNREFUSED/,
    );
    await source?.close();
    const error = await failure(`https://localhost:${plain.port}/repo.git`);
    assert.deepEqual(
      [error.code, error.message],
      [
        'GitUnreachable',
        `cannot reach https://localhost:${plain.port}/repo.git: no TLS connection: wrong version number`,
      ],
    );
  });

  it('writes no password to the fetched copy', async () => {
    globalAgent.options.ca = authority.cert;
    source = await openGitSource({
      url: `https://${USERINFO}@localhost:${secure.port}/repo.git`,
      branch: 'main',
      cacheDir: join(repository.root, 'cache'),
    });
    assert.equal((await source.head(signal)).state, 'at');
    assert.equal(source.url, `https://localhost:${secure.port}/repo.git`);
    const fetched = readdirSync(join(repository.root, 'cache'), { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile(),
    );
    assert.ok(fetched.some((entry) => entry.name.endsWith('.pack')));
    const files = fetched.map((entry) => readFileSync(join(entry.path, entry.name), 'latin1'));
    assert.deepEqual(
      files.filter((text) => text.includes('localhost') || SECRETS.some((secret) => text.includes(secret))),
      [],
    );
  });
});
