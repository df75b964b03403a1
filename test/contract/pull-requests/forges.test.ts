/** The three APIs over TLS, and what a forge may do that is no list. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { HttpPullRequests } from '../../../reconciler/adapters/forges/index.ts';
import { SourceAuth } from '../../../reconciler/core/apps/other-sources.ts';
import type { AskedForge } from '../../../reconciler/ports/pull-requests.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { startForge, type TestForge } from '../../support/git/forge.ts';
import { VirtualClock } from '../../unit/metrics/virtual-clock.ts';
import { pull, pullRequestsSuite } from './suite.ts';

const TOKEN = 'canary-91b3';
const KINDS = ['github', 'gitlab', 'gitea'] as const;

for (const kind of KINDS)
  pullRequestsSuite(kind, async () => {
    const authority = testAuthority();
    const forge = await startForge({ kind, tls: authority.issue('DNS:localhost'), token: TOKEN });
    const auth = new SourceAuth(new Map(Object.entries({ bearerToken: TOKEN, 'ca.crt': authority.cert })));
    return {
      forges: new HttpPullRequests({ clock: new VirtualClock() }),
      asked: { forge: kind, url: forge.url, repository: 'shop/web', auth },
      put: (pulls) => {
        forge.pulls = pulls.map(({ isForeign, ...one }) => ({ ...one, ...(isForeign && { from: 'fork' as const }) }));
      },
      close: async () => {
        await forge.close();
        authority.remove();
      },
    };
  });

describe('a forge', () => {
  const { signal } = new AbortController();
  let authority: TestAuthority;
  let forge: TestForge;
  let clock: VirtualClock;
  let forges: HttpPullRequests;
  before(() => {
    authority = testAuthority();
  });
  after(() => authority?.remove());
  const start = async (kind: (typeof KINDS)[number]): Promise<void> => {
    await forge?.close();
    forge = await startForge({ kind, tls: authority.issue('DNS:localhost') });
    clock = new VirtualClock();
    forges = new HttpPullRequests({ clock });
  };
  beforeEach(() => start('github'));
  afterEach(() => forge?.close());
  const auth = (values: Readonly<Record<string, string>> = {}): SourceAuth =>
    new SourceAuth(new Map(Object.entries({ 'ca.crt': authority.cert, ...values })));
  const asked = (more: Partial<AskedForge> = {}): AskedForge => ({
    forge: 'github',
    url: forge.url,
    repository: 'shop/web',
    auth: auth(),
    ...more,
  });
  const statuses = (): readonly number[] => forge.asked.map(({ status }) => status);

  for (const kind of KINDS)
    it(`has strangers’ requests of repositories that are gone (${kind})`, async () => {
      await start(kind);
      forge.pulls = [
        { ...pull(7), from: 'gone' },
        { ...pull(8), ...(kind === 'gitea' && { from: 'pushed' as const }) },
      ];
      const found = await forges.open(asked({ forge: kind }), signal);
      assert.deepEqual(
        found.map(({ isForeign }) => isForeign),
        [true, kind === 'gitea'],
      );
    });

  it('is asked for what has changed alone', async () => {
    forge.pulls = [pull(7)];
    await forges.open(asked(), signal);
    await forges.open(asked(), signal);
    assert.deepEqual(statuses(), [200, 304]);
    // Whose token it is matters: another one may see less.
    await forges.open(asked({ auth: auth({ bearerToken: 'other' }) }), signal);
    assert.deepEqual(statuses(), [200, 304, 200]);
  });

  it('gets no token anywhere else, and is not followed there', async () => {
    forge.answerBy((request, response) => {
      if (request.url?.startsWith('/elsewhere') === true) assert.fail('it was followed');
      response.writeHead(301, { location: '/elsewhere' }).end();
      return true;
    });
    await assert.rejects(forges.open(asked({ auth: auth({ password: TOKEN }) }), signal), (error: Error) => {
      assert.equal((error as unknown as { code: string }).code, 'ForgeRefused');
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
    await assert.rejects(forges.open(asked({ url: forge.url.replace('https', 'http') }), signal), /without TLS/);
  });

  it('that lets one ask seldom is left alone until it says', async () => {
    forge.answerBy((_request, response) => {
      response.writeHead(403, { 'retry-after': '90', 'x-ratelimit-remaining': '0' }).end();
      return true;
    });
    await assert.rejects(forges.open(asked(), signal), { code: 'ForgeUnreachable', message: /left alone for 90 s/ });
    forge.answerBy(undefined);
    await assert.rejects(forges.open(asked(), signal), /lets nobody ask again for 90 s/);
    assert.equal(forge.asked.length, 1);
    await clock.pass(90_000);
    assert.deepEqual(await forges.open(asked(), signal), []);
  });

  it('whose list changes between two pages is asked again another time: none is taken for closed', async () => {
    forge.pulls = Array.from({ length: 60 }, (_, i) => pull(i + 1));
    let pages = 0;
    forge.answerBy(() => {
      // The first of page one goes as page two is asked for: what began page two is on page one now.
      if (++pages === 2) forge.pulls = forge.pulls.slice(1);
      return false;
    });
    await assert.rejects(forges.open(asked(), signal), { code: 'ForgeUnreachable', message: /changed while/ });
    assert.equal((await forges.open(asked(), signal)).length, 59);
  });

  const wrong: readonly (readonly [string, number, string, string])[] = [
    ['what is no JSON', 200, '<html>', 'ForgeRefused'],
    ['another shape', 200, '[{"number": "7"}]', 'ForgeRefused'],
    ['a map', 200, '{}', 'ForgeRefused'],
    ['that it may not be read', 403, '', 'ForgeRefused'],
    ['that it is not well', 503, '', 'ForgeUnreachable'],
    ['more than is read', 200, `[${' '.repeat(65 * 1024 * 1024)}]`, 'ForgeUnreachable'],
  ];
  for (const [what, status, body, code] of wrong)
    it(`that answers ${what} has said nothing`, async () => {
      forge.answerBy((_request, response) => {
        response.on('error', () => undefined);
        response.writeHead(status).end(body);
        return true;
      });
      await assert.rejects(forges.open(asked(), signal), { code });
    });

  it('without an end of pages is not read to it', async () => {
    forge.pulls = Array.from({ length: 1001 }, (_, i) => pull(i + 1));
    await assert.rejects(forges.open(asked(), signal), { code: 'ForgeRefused', message: /more than 1000 open/ });
  });

  it('with another certificate is not asked', async () => {
    await assert.rejects(forges.open(asked({ auth: undefined }), signal), { code: 'ForgeUnreachable' });
    assert.deepEqual(forge.asked, []);
  });
});
