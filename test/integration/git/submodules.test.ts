/** Submodules behind real Git servers: of the repository that is followed, and of one that an App has its files from. */
import assert from 'node:assert/strict';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines } from '../../../reconciler/adapters/engines/index.ts';
import { Nudges, openGitSource, splitCredentials, type OwnRepository } from '../../../reconciler/adapters/git/index.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { makeFolder } from '../../support/folder.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { polled } from '../../support/patience.ts';
import { startSshd, type TestSshd } from '../../support/ssh/sshd.ts';
import { app, configMap, namespace } from '../engines/apps.ts';
import { CLUSTER, type SyncBench, syncBench } from './sync-bench.ts';

const PASSWORD = 'canary-3f9a / %41';
const BROKEN = 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: lib}\ndata: {value: [wrong]}\n';
type Files = Readonly<Record<string, string>>;

describe('a submodule', () => {
  let authority: TestAuthority;
  /** Lets in who has the password; what it is asked is told. */
  let guarded: GitGateway;
  let front: GitGateway;
  let secure: GitGateway;
  let sshd: TestSshd;
  before(async () => {
    authority = testAuthority();
    guarded = await startGateway({ login: `ada:${PASSWORD}` });
    front = await startGateway({});
    secure = await startGateway({ login: `ada:${PASSWORD}`, tls: authority.issue('DNS:localhost') });
    sshd = await startSshd();
  });
  after(async () => {
    await Promise.all([guarded?.close(), front?.close(), secure?.close(), sshd?.stop()]);
    authority?.remove();
  });
  let lib: ScratchRepository;
  let repository: ScratchRepository;
  let folder: string;
  let nudges: Nudges;
  let bench: SyncBench;
  let own: OwnRepository;
  let asked: string[];
  let isAway: (path: string) => boolean;
  beforeEach(() => {
    [lib, repository] = [scratchRepository(), scratchRepository()];
    symlinkSync(lib.dir, join(repository.root, 'lib.git'));
    guarded.serve(repository.root);
    secure.serve(repository.root);
    asked = [];
    isAway = () => false;
    front.answerBy((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      if (isAway(path)) response.writeHead(503).end();
      else guarded.answer(request, response);
    });
    folder = makeFolder('plumb-submodules-');
    nudges = new Nudges();
    own = overHttp();
  });
  afterEach(async () => {
    await bench.close();
    repository.remove();
    lib.remove();
    await removeFolder(folder);
  });

  const url = (name: string): string => `http://127.0.0.1:${front.port}/${name}.git`;
  function overHttp(): OwnRepository {
    const { credentials } = splitCredentials(`http://ada@127.0.0.1:${front.port}/repo.git`, PASSWORD);
    assert.ok(credentials);
    return { url: url('repo'), credentials };
  }
  /** A control plane, with what an earlier one has fetched. */
  async function started(store?: SyncBench['store']): Promise<SyncBench> {
    const git = await openGitSource({ ...own, branch: 'main', cacheDir: join(folder, 'git'), nudges });
    return syncBench({
      repository,
      git,
      own,
      othersDir: join(folder, 'sources'),
      nudges,
      engines: openEngines(join(folder, 'engines')),
      ...(store && { store }),
    });
  }
  const modules = (urls: Files): string =>
    Object.entries(urls)
      .map(([path, to]) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${to}\n`)
      .join('');
  const put = (value: string): string => lib.commit([{ path: 'a.yaml', content: configMap('lib', { value }) }]);
  function commit(submodules: Files, more: Files = {}, urls: Files = { lib: '../lib.git' }): string {
    const files = { 'plumbline.yaml': CLUSTER, 'ns.yaml': namespace('web'), '.gitmodules': modules(urls), ...more };
    const sha = repository.commit(
      Object.entries(files).map(([path, content]) => ({ path, content })),
      { submodules },
    );
    nudges.notify();
    return sha;
  }
  const value = (key: `${string}/${string}` = 'default/lib'): string | undefined =>
    bench.cache.get(`configmaps/${key}`)?.data?.['value'];
  const until = (what: () => boolean, name: string): Promise<void> => bench.until(what, name);
  const applied = (sha: string): boolean => bench.status()?.appliedRevision === sha;
  const told = (): string => JSON.stringify([bench.status(), bench.cache.list('Event'), bench.cache.list('App')]);
  const looksAtLib = (): number => asked.filter((path) => path.startsWith('/lib.git')).length;

  it('of the repository is read with its login, at the commit that it is pinned to, and is fetched when that changes', async () => {
    const first = put('1');
    bench = await started();
    commit({ lib: first });
    await until(() => value() === '1', 'applying it');
    const origin = bench.cache.get('configmaps/default/lib')?.metadata.annotations?.['plumbline.dev/origin'];
    assert.match(origin ?? '', /\/\/lib\/a\.yaml:1$|^lib\/a\.yaml:1$/);
    const looks = looksAtLib();
    assert.ok(looks > 0);
    // What is pushed there is nothing to us, and neither is a commit that leaves the submodule where it is.
    const second = put('2');
    const same = commit({ lib: first }, { 'z.yaml': configMap('z') });
    await until(() => applied(same), 'applying a commit of its own');
    assert.equal(value(), '1');
    assert.equal(looksAtLib(), looks);
    commit({ lib: second });
    await until(() => value() === '2', 'following the commit that is pinned');
    assert.ok(looksAtLib() > looks);
    const after = looksAtLib();
    const back = commit({ lib: first });
    await until(() => applied(back) && value() === '1', 'going back');
    assert.equal(looksAtLib(), after);
    const gone = commit({}, { '.gitmodules': '' });
    await until(() => applied(gone) && value() === undefined, 'taking it away');
    assert.doesNotMatch(told(), /canary-3f9a/);
  });

  it('whose commit is not there yet holds the whole commit, changes and deletions, and goes on by itself', async () => {
    const first = put('1');
    bench = await started();
    const good = commit({ lib: first }, { 'z.yaml': configMap('z', { value: '1' }) });
    await until(() => applied(good), 'applying it');
    const missing = lib.commit([{ path: 'a.yaml', content: configMap('lib', { value: '2' }) }], { branch: null });
    const held = commit({ lib: missing }, { 'more.yaml': configMap('more') });
    await until(() => bench.synced()?.message?.includes('cannot be had') === true, 'telling of it');
    const message = bench.synced()?.message ?? '';
    assert.match(
      message,
      new RegExp(`^lib is a Git submodule, and commit ${missing.slice(0, 12)} of ${url('lib')} cannot be had: `),
    );
    assert.match(message, /push that commit there, or commit one that is there/);
    assert.deepEqual([value(), value('default/z'), value('default/more')], ['1', '1', undefined]);
    assert.ok(applied(good));
    lib.git(['update-ref', 'refs/heads/main', missing]);
    await until(() => applied(held) && value() === '2' && value('default/z') === undefined, 'going on');
    assert.doesNotMatch(told(), /canary-3f9a/);
  });

  it('is there while its server is away, also for a control plane that starts then', async () => {
    bench = await started();
    const pinned = put('1');
    await until(() => bench.status() !== undefined, 'starting');
    const before = commit({ lib: pinned });
    await until(() => applied(before) && value() === '1', 'applying it');
    isAway = (path) => path.startsWith('/lib.git');
    const { store } = bench;
    await bench.close();
    bench = await started(store);
    const next = commit({ lib: pinned }, { 'z.yaml': configMap('z', { value: '1' }) });
    await until(() => applied(next) && value('default/z') === '1', 'applying the next commit');
    assert.equal(value(), '1');
  });

  it('of the repository over SSH is read with its key', async () => {
    const [sshKey, knownHosts] = [join(folder, 'key'), join(folder, 'known_hosts')];
    writeFileSync(sshKey, sshd.privateKey, { mode: 0o600 });
    writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
    own = { url: `ssh://root@127.0.0.1:${sshd.port}${repository.dir}`, sshKey, knownHosts };
    const pinned = put('1');
    bench = await started();
    commit({ lib: pinned });
    await until(() => value() === '1', 'applying it');
  });

  it('of the repository is refused where its URL is not ours to read, and nothing goes there', async () => {
    bench = await started();
    const pinned = put('1');
    for (const [to, why] of [
      [`http://localhost:${front.port}/lib.git`, /at another server/],
      [repository.dir, /at another server/],
      [`ssh://root@127.0.0.1:${sshd.port}${lib.dir}`, /at another server/],
      ['../../lib.git', /leads out of the server/],
    ] as const) {
      const sha = commit({ lib: pinned }, {}, { lib: to });
      await until(() => bench.record(sha)?.outcome === 'Refused', `refusing ${to}`);
      assert.match(bench.record(sha)?.message ?? '', /^lib:1:1 SubmoduleRefused/);
      assert.match(bench.record(sha)?.message ?? '', why);
    }
    assert.equal(looksAtLib(), 0);
  });

  it('that an App renders with Kustomize is opened for it, and another one is not', async () => {
    const kustomization = (value: string): string =>
      `resources: [../base]\nconfigMapGenerator:\n- name: made\n  literals: [value=${value}]\n  options: {disableNameSuffixHash: true}\n`;
    const pinned = lib.commit([
      { path: 'web/kustomization.yaml', content: kustomization('7') },
      { path: 'base/kustomization.yaml', content: 'resources: [a.yaml]\n' },
      { path: 'base/a.yaml', content: configMap('lib', { value: '1' }) },
      { path: 'examples/never.yaml', content: configMap('never') },
    ]);
    bench = await started();
    const sha = commit(
      { 'vendor/lib': pinned, other: '1'.repeat(40) },
      { 'app.json': app('web', { path: 'vendor/lib/web', namespace: 'web' }) },
      { 'vendor/lib': '../lib.git', other: '../nowhere.git' },
    );
    await until(() => applied(sha), 'applying it');
    assert.deepEqual([value('web/lib'), value('web/made'), value('default/never')], ['1', '7', undefined]);
    assert.equal(
      asked.some((path) => path.startsWith('/nowhere')),
      false,
    );
  });

  it('of an App’s repository is read with its Secret, and holds its Apps alone where it cannot be had or is wrong', async () => {
    const shop = scratchRepository();
    symlinkSync(shop.dir, join(repository.root, 'shop.git'));
    try {
      const secret = JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'git', namespace: 'web' },
        stringData: { username: 'ada', password: PASSWORD, 'ca.crt': authority.cert },
      });
      const shopUrl = `https://localhost:${secure.port}/shop.git`;
      const source = { url: shopUrl, secretRef: { name: 'git' } };
      const files = { 'git.json': secret, 'app.json': app('shop', { path: 'deploy', namespace: 'web', source }) };
      const pin = () => bench.status()?.sources?.find((one) => one.url === shopUrl);
      const release = (at: string): string => {
        const sha = shop.commit(
          [
            { path: 'deploy/b.yaml', content: configMap('shop', { value: at.slice(0, 7) }) },
            { path: '.gitmodules', content: modules({ 'deploy/lib': '../lib.git' }) },
          ],
          { submodules: { 'deploy/lib': at } },
        );
        nudges.notify();
        return sha;
      };
      const first = put('1');
      const good = release(first);
      bench = await started();
      commit({}, files, {});
      await until(() => value('web/lib') === '1' && pin()?.commit === good, 'applying it');
      const missing = lib.commit([{ path: 'a.yaml', content: configMap('lib', { value: '2' }) }], { branch: null });
      const next = release(missing);
      await until(() => pin()?.problem !== undefined, 'telling that it cannot be had');
      assert.match(
        pin()?.problem ?? '',
        new RegExp(
          `^deploy/lib is a Git submodule, and commit ${missing.slice(0, 12)} of https://localhost:${secure.port}/lib.git cannot be had`,
        ),
      );
      const plain = commit({}, { ...files, 'z.yaml': configMap('z') }, {});
      await until(() => applied(plain), 'applying what has nothing to do with it');
      assert.deepEqual([value('web/lib'), value('web/shop'), pin()?.commit], ['1', first.slice(0, 7), good]);
      lib.git(['update-ref', 'refs/heads/main', missing]);
      nudges.notify();
      await until(() => value('web/lib') === '2' && pin()?.commit === next, 'going on');
      release(lib.commit([{ path: 'a.yaml', content: BROKEN }]));
      await until(() => pin()?.problem !== undefined, 'telling that it is wrong');
      assert.match(pin()?.problem ?? '', /shop\.git\/\/deploy\/lib\/a\.yaml:4/);
      assert.equal(value('web/lib'), '2');
      assert.doesNotMatch(told(), /canary-3f9a/);
      const gone = commit({}, {}, {});
      await until(() => applied(gone) && value('web/lib') === undefined, 'taking it away');
      const fetched = async (): Promise<boolean> => readdirSync(join(folder, 'sources')).length === 0;
      await polled('what was fetched is removed', async () => (await fetched()) || undefined, { timeoutMs: 15_000 });
    } finally {
      shop.remove();
    }
  });
});
