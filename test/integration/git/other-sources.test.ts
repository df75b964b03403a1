/** Apps whose files are in other repositories, behind real Git servers. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { Nudges } from '../../../reconciler/adapters/git/index.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { makeFolder } from '../../support/folder.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { configMap, namespace } from '../engines/apps.ts';
import { CLUSTER, type SyncBench, syncBench } from './sync-bench.ts';
import { polled } from '../../support/patience.ts';

const PASSWORD = 'canary-3f9a / %41';

describe('an App of another repository', () => {
  let authority: TestAuthority;
  let secure: GitGateway;
  let plain: GitGateway;
  before(async () => {
    authority = testAuthority();
    secure = await startGateway({ login: `ada:${PASSWORD}`, tls: authority.issue('DNS:localhost') });
    plain = await startGateway({});
  });
  after(async () => {
    await Promise.all([secure?.close(), plain?.close()]);
    authority?.remove();
  });
  let shop: ScratchRepository;
  let blog: ScratchRepository;
  let folder: string;
  let nudges: Nudges;
  let bench: SyncBench;
  beforeEach(async () => {
    [shop, blog] = [scratchRepository(), scratchRepository()];
    secure.serve(shop.root);
    plain.serve(blog.root);
    folder = makeFolder('plumb-others-');
    nudges = new Nudges();
    bench = await syncBench({ othersDir: join(folder, 'sources'), nudges });
  });
  afterEach(async () => {
    await bench.close();
    shop.remove();
    blog.remove();
    await removeFolder(folder);
  });

  const app = (name: string, source: object, path = 'deploy'): string =>
    JSON.stringify({
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'App',
      metadata: { name },
      spec: { path, namespace: 'web', source },
    });
  const secret = (): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'git', namespace: 'web' },
      stringData: { username: 'ada', password: PASSWORD, 'ca.crt': authority.cert },
    });
  const shopUrl = (): string => `https://localhost:${secure.port}/repo.git`;
  const blogUrl = (): string => `http://127.0.0.1:${plain.port}/repo.git`;
  const commit = (more: Readonly<Record<string, string>>): string =>
    bench.repository.commit(
      Object.entries({ 'plumbline.yaml': CLUSTER, 'ns.yaml': namespace('web'), 'git.json': secret(), ...more }).map(
        ([path, content]) => ({ path, content }),
      ),
    );
  const put = (repository: ScratchRepository, content: string): string =>
    repository.commit([
      { path: 'deploy/a.yaml', content },
      { path: 'other.yaml', content: 'never: read' },
    ]);
  const value = (name: string): string | undefined => bench.cache.get(`configmaps/web/${name}`)?.data?.['value'];
  const pin = (url: string) => bench.status()?.sources?.find((one) => one.url === url);
  const until = (what: () => boolean, name: string): Promise<void> => bench.until(what, name);

  it('is applied, and follows what is pushed there, with a password of a Secret that is nowhere else', async () => {
    const first = put(shop, configMap('shop', { value: '1' }));
    commit({ 'app.json': app('shop', { url: shopUrl(), secretRef: { name: 'git' } }) });
    await until(() => value('shop') === '1' && pin(shopUrl())?.commit === first, 'applying it');
    const origin = bench.cache.get('configmaps/web/shop')?.metadata.annotations?.['plumbline.dev/origin'];
    assert.equal(origin, `${shopUrl()}//deploy/a.yaml:1`);
    const second = put(shop, configMap('shop', { value: '2' }));
    nudges.notify();
    await until(() => value('shop') === '2' && pin(shopUrl())?.commit === second, 'following it');
    const { status } = bench.cache.get('sources.plumbline.dev//main') ?? {};
    assert.ok(!JSON.stringify([status, bench.cache.list('Event'), bench.cache.list('App')]).includes('canary-3f9a'));
  });

  it('that breaks holds its own objects as they were, and nobody else', async () => {
    const good = put(shop, configMap('shop', { value: '1' }));
    put(blog, configMap('blog', { value: '1' }));
    const apps = {
      'shop.json': app('shop', { url: shopUrl(), secretRef: { name: 'git' } }),
      'blog.json': app('blog', { url: blogUrl() }),
    };
    commit(apps);
    await until(() => value('shop') === '1' && value('blog') === '1', 'applying both');
    put(shop, 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: shop}\ndata: {value: [wrong]}\n');
    put(blog, configMap('blog', { value: '2' }));
    nudges.notify();
    await until(() => value('blog') === '2' && pin(shopUrl())?.problem !== undefined, 'following the other one');
    assert.equal(value('shop'), '1');
    assert.equal(pin(shopUrl())?.commit, good);
    assert.match(pin(shopUrl())?.problem ?? '', /repo\.git\/\/deploy\/a\.yaml:4/);
    // The repository itself goes on too, and so does the blog while the shop's server is away.
    const sha = commit({ ...apps, 'plain.yaml': configMap('plain', { value: '1' }) });
    await until(() => bench.status()?.appliedRevision === sha, 'applying what has nothing to do with it');
    assert.equal(value('shop'), '1');
    const mended = put(shop, configMap('shop', { value: '3' }));
    nudges.notify();
    await until(() => value('shop') === '3' && pin(shopUrl())?.commit === mended, 'going on once it is mended');
    assert.equal(pin(shopUrl())?.problem, undefined);
  });

  it('of one commit is of that, follows no push, and is held where the next one cannot be had', async () => {
    const first = put(blog, configMap('blog', { value: '1' }));
    const at = (sha: string): Readonly<Record<string, string>> => ({
      'blog.json': app('blog', { url: blogUrl(), commit: sha }),
    });
    commit(at(first));
    await until(() => value('blog') === '1' && pin(blogUrl())?.commit === first, 'applying it');
    const second = put(blog, configMap('blog', { value: '2' }));
    nudges.notify();
    // What only a pull request is at, as a forge keeps it beside branches and tags.
    const proposed = blog.commit([{ path: 'deploy/a.yaml', content: configMap('blog', { value: '3' }) }], {
      branch: null,
      parent: second,
    });
    blog.git(['update-ref', 'refs/pull/7/head', proposed]);
    commit(at(proposed));
    await until(() => value('blog') === '3' && pin(blogUrl())?.commit === proposed, 'applying that of the request');
    const gone = '1'.repeat(40);
    const sha = commit({ ...at(gone), 'plain.yaml': configMap('plain', { value: '1' }) });
    await until(() => bench.status()?.appliedRevision === sha, 'applying the rest');
    assert.equal(value('blog'), '3');
    assert.equal(pin(blogUrl())?.commit, proposed);
    assert.match(pin(blogUrl())?.problem ?? '', /no commit, branch or tag "1111/);
    // One that the branch has in its past.
    commit(at(first));
    await until(() => value('blog') === '1' && pin(blogUrl())?.problem === undefined, 'going back');
  });

  it('that cannot be read yet is left out, and comes when it can be', async () => {
    const sha = commit({
      'blog.json': app('blog', { url: `${blogUrl()}x` }),
      'plain.yaml': configMap('plain', { value: '1' }),
    });
    await until(() => bench.status()?.appliedRevision === sha, 'applying the rest');
    assert.equal(pin(`${blogUrl()}x`)?.commit, undefined);
    assert.match(pin(`${blogUrl()}x`)?.problem ?? '', /answered 404/);
    put(blog, configMap('blog', { value: '1' }));
    commit({ 'blog.json': app('blog', { url: blogUrl() }) });
    await until(() => value('blog') === '1', 'applying it');
  });

  it('stays as it is while its server is away, also for a control plane that starts then', async () => {
    put(blog, configMap('blog', { value: '1' }));
    const file = { 'blog.json': app('blog', { url: blogUrl() }) };
    commit(file);
    await until(() => value('blog') === '1' && bench.synced()?.reason === 'Applied', 'applying it');
    await plain.close();
    nudges.notify();
    await until(() => /ECONNREFUSED|cannot reach/.test(pin(blogUrl())?.problem ?? ''), 'telling that it is away');
    assert.equal(value('blog'), '1');
    try {
      const { repository, store } = bench;
      const old = bench;
      bench = await syncBench({ repository, store, othersDir: join(folder, 'sources'), nudges });
      await old.sync.close();
      const sha = commit({ ...file, 'plain.yaml': configMap('plain', { value: '2' }) });
      await until(() => bench.status()?.appliedRevision === sha, 'applying the rest');
      assert.equal(value('blog'), '1');
      await old.close();
    } finally {
      plain = await startGateway({});
    }
  });

  it('goes with its App, and with what was fetched of it', async () => {
    put(blog, configMap('blog', { value: '1' }));
    const sha = commit({ 'blog.json': app('blog', { url: blogUrl() }), 'plain.yaml': configMap('plain') });
    await until(() => bench.status()?.appliedRevision === sha && value('blog') === '1', 'applying it');
    const fetched = (): readonly string[] => readdirSync(join(folder, 'sources'));
    assert.equal(fetched().length, 1);
    commit({ 'plain.yaml': configMap('plain') });
    await until(() => value('blog') === undefined && bench.status()?.sources === undefined, 'taking it away');
    // After that the controller looks what is left.
    await polled('what was fetched is removed', () => fetched().length === 0 || undefined, { timeoutMs: 15_000 });
  });
});
