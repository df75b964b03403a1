/** Apps of open pull requests: a real Git server, and a forge behind TLS that asks for a token. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { Nudges } from '../../../reconciler/adapters/git/index.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { startForge, type ForgePull, type TestForge } from '../../support/git/forge.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { makeFolder } from '../../support/folder.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { configMap, namespace } from '../engines/apps.ts';
import { CLUSTER, type SyncBench, syncBench } from './sync-bench.ts';

const TOKEN = 'canary-7e21';

describe('an App of each open pull request', () => {
  let authority: TestAuthority;
  let server: GitGateway;
  before(async () => {
    authority = testAuthority();
    server = await startGateway({ login: `ada:${TOKEN}`, tls: authority.issue('DNS:localhost') });
  });
  after(async () => {
    await server?.close();
    authority?.remove();
  });
  let web: ScratchRepository;
  let forge: TestForge;
  let folder: string;
  let nudges: Nudges;
  let repository: ScratchRepository;
  let bench: SyncBench;
  const again = (store?: SyncBench['store']): Promise<SyncBench> =>
    syncBench({ repository, othersDir: join(folder, 'sources'), nudges, ...(store && { store }) });
  beforeEach(async () => {
    web = scratchRepository();
    web.commit([{ path: 'deploy/a.yaml', content: configMap('web', { value: 'main' }) }]);
    server.serve(web.root);
    forge = await startForge({ kind: 'gitea', tls: authority.issue('DNS:localhost'), token: TOKEN });
    folder = makeFolder('plumb-pulls-');
    nudges = new Nudges();
    repository = scratchRepository();
    bench = await again();
  });
  afterEach(async () => {
    await bench?.close();
    await forge?.close();
    repository?.remove();
    web?.remove();
    await removeFolder(folder);
  });

  const set = (): string =>
    JSON.stringify({
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'AppSet',
      metadata: { name: 'previews' },
      spec: {
        generators: [
          {
            pullRequests: {
              gitea: { url: forge.url, repository: 'shop/web', secretRef: { name: 'git', namespace: 'web' } },
              branches: ['main'],
            },
          },
        ],
        template: {
          metadata: { name: 'preview-${name}', annotations: { title: '${title}' } },
          spec: {
            path: 'deploy',
            namespace: 'web',
            source: {
              url: `https://localhost:${server.port}/repo.git`,
              commit: '${headSha}',
              secretRef: { name: 'git' },
            },
          },
        },
      },
    });
  const secret = (): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'git', namespace: 'web' },
      stringData: { username: 'ada', password: TOKEN, 'ca.crt': authority.cert },
    });
  const commit = (more: Readonly<Record<string, string>> = {}): string =>
    repository.commit(
      Object.entries({
        'plumbline.yaml': CLUSTER,
        'ns.yaml': namespace('web'),
        'git.json': secret(),
        'set.json': set(),
        ...more,
      }).map(([path, content]) => ({ path, content })),
    );
  /** A commit that the pull request alone is at; its objects have the number in their names. */
  const push = (number: number, content: string): string => {
    const sha = web.commit(
      [
        { path: 'deploy/a.yaml', content },
        { path: 'deploy/ns.yaml', content: namespace(`preview-${number}`) },
      ],
      { branch: null, message: `a change of ${number}`, parent: web.git(['rev-parse', 'main']) },
    );
    web.git(['update-ref', `refs/pull/${number}/head`, sha]);
    return sha;
  };
  const pull = (number: number, headSha: string, more: Partial<ForgePull> = {}): ForgePull => ({
    number,
    title: `title: "${number}"\n- evil: {`,
    branch: `Feature/${number}`,
    targetBranch: 'main',
    headSha,
    labels: [],
    author: 'ada',
    ...more,
  });
  const opened = (...pulls: readonly ForgePull[]): void => {
    forge.pulls = pulls;
    nudges.notify();
  };
  const apps = (): string =>
    bench.cache
      .list('App')
      .map(({ metadata }) => metadata.name)
      .sort()
      .join(' ');
  const value = (number: number): string | undefined =>
    bench.cache.get(`configmaps/web/web-${number}`)?.data?.['value'];
  const change = (number: number, text: string): string => push(number, configMap(`web-${number}`, { value: text }));
  const pin = (): { readonly commit?: string; readonly problem?: string } | undefined =>
    bench.status()?.sources?.find(({ sets }) => sets?.includes('previews') ?? false);
  const until = (what: () => boolean, name: string): Promise<void> => bench.until(what, name);

  it('comes with it, follows what is pushed, and goes when it is closed, with its Namespace', async () => {
    const first = change(7, '1');
    forge.pulls = [pull(7, first)];
    commit();
    await until(() => value(7) === '1', 'applying it');
    assert.equal(apps(), 'preview-web-7');
    assert.equal(bench.cache.list('App')[0]?.metadata.annotations?.['title'], 'title: "7" - evil: {');
    opened(pull(7, change(7, '2')), pull(8, change(8, '1')), pull(9, change(9, '1'), { targetBranch: 'old' }));
    await until(() => value(7) === '2' && value(8) === '1', 'following the push, and another one');
    assert.equal(apps(), 'preview-web-7 preview-web-8');
    opened(pull(8, web.git(['rev-parse', 'refs/pull/8/head'])));
    await until(() => value(7) === undefined && apps() === 'preview-web-8', 'taking away what was closed');
    const gone = bench.cache.get('namespaces//preview-7');
    assert.ok(!gone || gone.metadata.deletionTimestamp !== undefined);
    assert.equal(value(8), '1');
    const { status } = bench.cache.get('sources.plumbline.dev//main') ?? {};
    assert.ok(!JSON.stringify([status, bench.cache.list('Event'), bench.cache.list('App')]).includes(TOKEN));
  });

  it('that does not validate is held as it was, and holds no other one', async () => {
    opened(pull(7, change(7, '1')), pull(8, change(8, '1')));
    commit();
    await until(() => value(7) === '1' && value(8) === '1', 'applying both');
    const wrong = push(7, 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web-7 }\ndata: { value: [wrong] }\n');
    opened(pull(7, wrong), pull(8, change(8, '2')), pull(9, change(9, '1')));
    await until(() => value(8) === '2' && value(9) === '1', 'following the others');
    assert.equal(value(7), '1');
    const held = (): string =>
      bench.status()?.sources?.find(({ apps: of }) => of.includes('preview-web-7'))?.problem ?? '';
    await until(() => held().startsWith(`commit ${wrong.slice(0, 12)}: `), 'telling what is wrong with it');
    opened(pull(7, change(7, '3')), pull(9, web.git(['rev-parse', 'refs/pull/9/head'])));
    await until(() => value(7) === '3' && value(8) === undefined && value(9) === '1', 'going on once it is mended');
  });

  it('is a stranger’s only where a maintainer has named the commit', async () => {
    const seen = change(7, '1');
    opened(pull(7, seen, { from: 'fork' }), pull(8, change(8, '1')));
    commit();
    await until(() => value(8) === '1', 'applying the other one');
    assert.equal(apps(), 'preview-web-8');
    opened(pull(7, seen, { from: 'fork', labels: [`approved-${seen}`] }));
    await until(() => value(7) === '1', 'applying what was named');
    opened(pull(7, change(7, 'evil'), { from: 'fork', labels: [`approved-${seen}`] }));
    await until(() => apps() === '', 'taking it away with a push that nobody has seen');
  });

  it('stays while nobody can list them, also for a control plane that starts then, and one that has lost the list', async () => {
    const first = change(7, '1');
    opened(pull(7, first));
    commit();
    await until(() => value(7) === '1' && bench.synced()?.reason === 'Applied', 'applying it');
    forge.answerBy((_request, response) => {
      response.writeHead(502).end();
      return true;
    });
    nudges.notify();
    await until(() => /answers 502/.test(pin()?.problem ?? ''), 'telling that it cannot be listed');
    assert.equal(value(7), '1');
    const sources = bench.status()?.sources;
    const { store } = bench;
    await bench.close();
    bench = await again(store);
    const sha = commit({ 'plain.yaml': configMap('plain', { value: '2' }) });
    await until(() => bench.status()?.appliedRevision === sha, 'applying the rest');
    assert.equal(value(7), '1');
    assert.deepEqual(
      bench.status()?.sources?.map(({ commit: at }) => at),
      sources?.map(({ commit: at }) => at),
    );
    // What was kept of the list is lost too: nothing is done until it can be read.
    await bench.close();
    rmSync(join(folder, 'sources.listings'), { recursive: true });
    const asked = forge.asked.length;
    bench = await again(store);
    const later = commit({ 'plain.yaml': configMap('plain', { value: '3' }) });
    await until(() => bench.record(later)?.outcome === 'Syncing', 'seeing it');
    await until(() => forge.asked.length > asked, 'asking for the list');
    assert.equal(value(7), '1');
    forge.answerBy(undefined);
    nudges.notify();
    await until(() => bench.status()?.appliedRevision === later, 'going on');
    assert.equal(value(7), '1');
  });

  it('is none where the forge has too many, and what was listed last stays', async () => {
    opened(pull(7, change(7, '1')));
    commit();
    await until(() => value(7) === '1', 'applying it');
    opened(...Array.from({ length: 201 }, (_, i) => pull(i + 100, '1'.repeat(40))));
    await until(() => /more than 200 open pull requests/.test(pin()?.problem ?? ''), 'telling that there are too many');
    assert.equal(value(7), '1');
  });
});
