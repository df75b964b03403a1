/** Apps of other repositories by every way in, rendered by the real engines: SSH with a deploy key, HTTPS with a token. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines } from '../../../reconciler/adapters/engines/index.ts';
import { Nudges } from '../../../reconciler/adapters/git/index.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { makeFolder } from '../../support/folder.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { startSshd, type TestSshd } from '../../support/ssh/sshd.ts';
import { app, configMap, namespace } from '../engines/apps.ts';
import { CLUSTER, type SyncBench, syncBench } from './sync-bench.ts';

const TOKEN = 'canary-7c1d';

describe('an App of another repository', () => {
  let authority: TestAuthority;
  let gateway: GitGateway;
  let sshd: TestSshd;
  before(async () => {
    authority = testAuthority();
    gateway = await startGateway({ token: TOKEN, tls: authority.issue('DNS:localhost') });
    sshd = await startSshd();
  });
  after(async () => {
    await Promise.all([gateway?.close(), sshd?.stop()]);
    authority?.remove();
  });
  let shop: ScratchRepository;
  let folder: string;
  let nudges: Nudges;
  let bench: SyncBench;
  beforeEach(async () => {
    shop = scratchRepository();
    gateway.serve(shop.root);
    folder = makeFolder('plumb-others-');
    nudges = new Nudges();
    bench = await syncBench({
      othersDir: join(folder, 'sources'),
      nudges,
      engines: openEngines(join(folder, 'engines')),
    });
  });
  afterEach(async () => {
    await bench.close();
    shop.remove();
    await removeFolder(folder);
  });

  const httpsUrl = (): string => `https://localhost:${gateway.port}/repo.git`;
  const sshUrl = (): string => `ssh://root@127.0.0.1:${sshd.port}${shop.dir}`;
  const known = (): string => `[127.0.0.1]:${sshd.port} ${sshd.hostKey}`;
  const deployKey = (): Readonly<Record<string, string>> => ({ identity: sshd.privateKey, known_hosts: known() });
  const secret = (stringData: Readonly<Record<string, string>>): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'git', namespace: 'web' }, stringData });
  const sourced = (url: string, spec: object = {}): string =>
    app('shop', { path: 'deploy', namespace: 'web', source: { url, secretRef: { name: 'git' } }, ...spec });
  const commit = (auth: Readonly<Record<string, string>>, appFile: string): string =>
    bench.repository.commit(
      Object.entries({
        'plumbline.yaml': CLUSTER,
        'ns.yaml': namespace('web'),
        'git.json': secret(auth),
        'app.json': appFile,
      }).map(([path, content]) => ({ path, content })),
    );
  const put = (files: Readonly<Record<string, string>>): string =>
    shop.commit(Object.entries(files).map(([path, content]) => ({ path, content })));
  const value = (name = 'shop'): string | undefined => bench.cache.get(`configmaps/web/${name}`)?.data?.['value'];
  const problem = (): string | undefined => bench.status()?.sources?.[0]?.problem;
  const until = (what: () => boolean, name: string): Promise<void> => bench.until(what, name);
  const told = (): string =>
    JSON.stringify([
      bench.cache.get('sources.plumbline.dev//main'),
      bench.cache.list('Event'),
      bench.cache.list('App'),
    ]);

  it('over SSH has the deploy key and the host key of its Secret', async () => {
    put({ 'deploy/a.yaml': configMap('shop', { value: '1' }) });
    commit(deployKey(), sourced(sshUrl()));
    await until(() => value() === '1', 'applying it');
    put({ 'deploy/a.yaml': configMap('shop', { value: '2' }) });
    nudges.notify();
    await until(() => value() === '2', 'following it');
    assert.equal(told().includes('PRIVATE KEY'), false);
  });

  it('over SSH is held when the host has another key, or lets the deploy key in no more, and says what of the Secret', async () => {
    put({ 'deploy/a.yaml': configMap('shop', { value: '1' }) });
    commit({ ...deployKey(), identity: sshd.strangerKey }, sourced(sshUrl()));
    await until(() => problem() !== undefined, 'telling that the key is refused');
    assert.equal(problem(), 'root@127.0.0.1 does not accept identity of the Secret: add its public key there');
    commit({ ...deployKey(), identity: 'canary-no-key' }, sourced(sshUrl()));
    await until(() => problem()?.startsWith('identity of the Secret') === true, 'telling that it is no key');
    commit({ ...deployKey(), known_hosts: '' }, sourced(sshUrl()));
    await until(() => problem()?.includes('is not in known_hosts of the Secret') === true, 'telling of no host key');
    assert.equal(value(), undefined);
    commit(deployKey(), sourced(sshUrl()));
    await until(() => value() === '1', 'applying it once all is right');
    await sshd.changeHostKey();
    put({ 'deploy/a.yaml': configMap('shop', { value: '2' }) });
    nudges.notify();
    await until(() => problem()?.includes('is not the one in known_hosts') === true, 'telling of another host key');
    assert.equal(problem()?.includes(folder) || problem()?.includes('/dev/shm'), false, problem());
    assert.equal(value(), '1');
    commit(deployKey(), sourced(sshUrl()));
    await until(() => value() === '2' && problem() === undefined, 'going on with the new one');
    assert.equal(told().includes('canary-no-key'), false);
  });

  it('over HTTPS has the bearer token of its Secret, and its authority', async () => {
    put({ 'deploy/a.yaml': configMap('shop', { value: '1' }) });
    commit({ bearerToken: TOKEN }, sourced(httpsUrl()));
    await until(() => problem() !== undefined, 'telling that the authority is not known');
    assert.match(problem() ?? '', /authority that is not known .*: put .* into ca\.crt of the Secret$/);
    commit({ bearerToken: `${TOKEN}-old`, 'ca.crt': authority.cert }, sourced(httpsUrl()));
    await until(() => problem()?.includes('answered 401') === true, 'telling that the token is refused');
    commit({ bearerToken: TOKEN, 'ca.crt': authority.cert }, sourced(httpsUrl()));
    await until(() => value() === '1', 'applying it');
    assert.equal(told().includes(TOKEN), false);
  });

  it('is rendered by Kustomize, from bases of that repository', async () => {
    const files = {
      'base/kustomization.yaml': 'resources: [a.yaml]\n',
      'base/a.yaml': configMap('shop', { value: 'of the base' }),
      'deploy/kustomization.yaml': 'resources: [../base]\nnamePrefix: my-\n',
    };
    put(files);
    commit(deployKey(), sourced(sshUrl(), { kustomize: { commonMetadata: { labels: { team: 'web' } } } }));
    await until(() => value('my-shop') === 'of the base', 'rendering it');
    const { metadata } = bench.cache.get('configmaps/web/my-shop') ?? {};
    assert.equal(metadata?.labels?.['team'], 'web');
    assert.equal(metadata?.annotations?.['plumbline.dev/origin'], `${sshUrl()}//base/a.yaml:1`);
    put({ ...files, 'base/a.yaml': configMap('shop', { value: 'another' }) });
    nudges.notify();
    await until(() => value('my-shop') === 'another', 'following a base that changed');
  });

  it('is rendered by Helm, with values of that repository', async () => {
    const files = {
      'deploy/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'deploy/values.yaml': 'value: of the chart\n',
      'deploy/templates/a.yaml': `${configMap('shop').replace(/^data:.*/m, 'data: {value: {{ .Values.value | quote }}}')}`,
      'values/production.yaml': 'value: of production\n',
    };
    put(files);
    commit(deployKey(), sourced(sshUrl(), { helm: { valuesFiles: ['values/production.yaml'] } }));
    await until(() => value() === 'of production', 'rendering it');
    put({ ...files, 'deploy/templates/a.yaml': '{{ fail "no shop today" }}' });
    nudges.notify();
    await until(() => /no shop today/.test(problem() ?? ''), 'telling what Helm says');
    assert.equal(value(), 'of production');
  });
});
