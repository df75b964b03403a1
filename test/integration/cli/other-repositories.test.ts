/** What `check`, `render`, `plan` and the push hook know of Apps of other repositories, without a control plane. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { CommandSources } from '../../../cli/other-repositories.ts';
import type { App } from '../../../contracts/objects/index.ts';
import { otherRepositories } from '../../../reconciler/adapters/git/index.ts';
import { keptListings } from '../../../reconciler/adapters/forges/index.ts';
import { MemoryPullRequests } from '../../../reconciler/adapters/memory/pull-requests.ts';
import {
  SourceAuth,
  UNOPENED_AUTH,
  wantedSource,
  type WantedSource,
} from '../../../reconciler/core/apps/other-sources.ts';
import { readListing } from '../../../reconciler/core/apps/pull-requests.ts';
import { isNoValue } from '../../../reconciler/core/apps/object-values.ts';
import type { Position } from '../../../reconciler/core/manifests/types.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { buildCli } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { inPatience } from '../../support/patience.ts';
import { app, configMap, namespace } from '../engines/apps.ts';
import { git, plumb, run, type Ran } from './cli-bench.ts';

const PASSWORD = 'canary-51';

describe('an App of another repository, on the command line', () => {
  let authority: TestAuthority;
  let gateway: GitGateway;
  let dir: string;
  let shop: string;
  let other: ScratchRepository;
  before(async () => {
    buildCli();
    authority = testAuthority();
    gateway = await startGateway({ login: `ada:${PASSWORD}`, tls: authority.issue('DNS:localhost') });
  });
  after(async () => {
    await gateway?.close();
    authority?.remove();
  });
  beforeEach(async () => {
    dir = makeFolder('plumb cli');
    shop = join(dir, 'shop');
    other = scratchRepository();
    gateway.serve(other.root);
    assert.equal((await plumb(['init', 'shop'], dir)).code, 0);
    assert.equal((await plumb(['init', '--bare', 'shop.git'], dir)).code, 0);
    await git(['remote', 'add', 'origin', join(dir, 'shop.git')], shop);
    await git(['push', '-q', '-u', 'origin', 'main'], shop);
  });
  afterEach(() => {
    other.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const url = (): string => `https://localhost:${gateway.port}/repo.git`;
  const source = (more: object = {}): object => ({ url: url(), secretRef: { name: 'git' }, ...more });
  const put = (content: string): string => other.commit([{ path: 'deploy/a.yaml', content }]);
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [path, content] of Object.entries(files)) writeFileSync(join(shop, path), content);
  };
  const blog = (from: object = source()): string => app('blog', { path: 'deploy', namespace: 'web', source: from });
  const secret = (password = PASSWORD): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'git', namespace: 'web' },
      stringData: { username: 'ada', password, 'ca.crt': authority.cert },
    });
  const push = async (message: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> => {
    await git(['add', '.'], shop);
    await git(['commit', '-qm', message], shop);
    return run('git', ['push'], shop, env);
  };

  it('is checked, rendered and planned with what the other repository has', async () => {
    put(configMap('blog', { value: '1' }));
    write({ 'ns.yaml': namespace('web'), 'git.json': secret(), 'blog.json': blog() });
    const env = { TMPDIR: join(dir, 'tmp') };
    mkdirSync(env.TMPDIR);
    const checked = await plumb(['check'], shop, env);
    assert.equal(checked.code, 0, checked.stdout);
    assert.match(checked.stderr, /^ok: 8 objects, 0 warnings/);
    const planned = await plumb(['plan'], shop, env);
    assert.match(planned.stdout, /configmap.*blog/i);
    const pushed = await push('a blog', env);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /Plan: 4 to create/);
    assert.doesNotMatch(checked.stdout + checked.stderr + planned.stdout + pushed.stderr, /canary/);
    assert.deepEqual(readdirSync(env.TMPDIR), []);
  });

  it('that does not validate there fails a check, and holds up no push', async () => {
    put('kind: ConfigMap\napiVersion: v1\nmetadata: {name: blog}\ndata: {value: [wrong]}\n');
    write({ 'ns.yaml': namespace('web'), 'git.json': secret(), 'blog.json': blog() });
    const checked = await plumb(['check'], shop);
    assert.equal(checked.code, 1);
    assert.match(checked.stdout, /repo\.git\/\/deploy\/a\.yaml:4:\d+ /);
    const pushed = await push('a blog');
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /SourceUnread warning: App blog is left out: what is at .* does not validate/);
    assert.match(pushed.stderr, /repo\.git\/\/deploy\/a\.yaml:4:\d+ \w+ warning: /);
    assert.match(pushed.stderr, /Plan: 3 to create/);
  });

  it('that cannot be read is left out of both sides of a plan, and the reason is told', async () => {
    put(configMap('blog', { value: '1' }));
    write({ 'ns.yaml': namespace('web'), 'git.json': secret(), 'blog.json': blog() });
    assert.equal((await push('a blog')).code, 0);
    write({ 'git.json': secret('wrong') });
    const planned = await plumb(['plan'], shop);
    assert.equal(planned.code, 0, planned.stderr);
    assert.match(planned.stderr, /blog\.json:1:\d+ SourceUnread warning: App blog is left out: .* answered 401/);
    assert.doesNotMatch(planned.stdout, /configmap/i);
    const refused = await push('another password');
    assert.equal(refused.code, 0, refused.stderr);
    assert.match(refused.stderr, /SourceUnread/);
    assert.doesNotMatch(refused.stderr, /1 to delete/);
  });

  it('is read as the control plane on this machine has fetched it, where nobody here has the password', async () => {
    put(configMap('blog', { value: '1' }));
    write({ 'ns.yaml': namespace('web'), 'blog.json': blog({ url: url() }) });
    const none = await plumb(['check'], shop);
    assert.match(none.stdout, /SourceUnread warning: App blog is left out: .* authority that is not known/);
    const at = (): Position => ({ file: 'blog.json', line: 1, column: 1 });
    const wanted = wantedSource(JSON.parse(blog({ url: url() })) as App, { url: url() }, new Map(), at);
    assert.ok(!isNoValue(wanted));
    const auth = new SourceAuth(
      new Map(Object.entries({ username: 'ada', password: PASSWORD, 'ca.crt': authority.cert })),
    );
    const signal = inPatience(60_000);
    const env = { PLUMB_HOME: join(dir, 'home') };
    const fetched = await otherRepositories(join(dir, 'home', 'sources')).open({ ...wanted, auth });
    try {
      await fetched.newest(signal);
      const first = await plumb(['render', 'blog', '-o', 'json'], shop, env);
      assert.equal(first.code, 0, first.stderr);
      assert.match((await plumb(['check'], shop, env)).stderr, /^ok: 7 objects, 0 warnings/);
      // Back to a commit that is there: nothing is fetched for it.
      const before = other.git(['rev-parse', 'main']);
      put('never: read');
      await fetched.newest(signal);
      assert.equal((await plumb(['check'], shop, env)).code, 1);
      other.git(['update-ref', 'refs/heads/main', before]);
      await fetched.newest(signal);
      assert.equal((await plumb(['check'], shop, env)).code, 0);
      assert.match((await push('a blog', env)).stderr, /Plan: 3 to create/);
    } finally {
      await fetched.close();
    }
  });

  it('of a list of pull requests takes the one that the control plane here saw last, and asks nobody', async () => {
    const home = join(dir, 'home');
    const wanted: WantedSource = {
      id: '0123456789abcdef',
      url: 'https://localhost:1',
      follows: { pullRequests: { forge: 'gitea', repository: 'shop/web' } },
      auth: undefined,
    };
    const answer = async (): Promise<readonly [string, string]> => {
      const sources = new CommandSources(inPatience(60_000), home);
      const found = await sources.open(wanted);
      const listed = found.ok ? await readListing(found) : [];
      await sources.close();
      return [found.ok ? found.commit : found.message, JSON.stringify(listed)];
    };
    assert.deepEqual(await answer(), [
      `open pull requests of shop/web are known to the control plane alone, and none has kept them in ${home}`,
      '[]',
    ]);
    const forges = new MemoryPullRequests();
    const number = 7;
    const found = {
      number,
      title: '',
      branch: 'b',
      targetBranch: 'main',
      headSha: '7'.repeat(40),
      labels: [],
      author: '',
    };
    forges.repositories.set('shop/web', [{ ...found, isForeign: false }]);
    const hints = (): AsyncIterable<never> => assert.fail('nobody waits here');
    const listings = keptListings({ dir: join(home, 'pull-requests'), forges, hints });
    const known = await (await listings.open(wanted)).newest(inPatience(60_000));
    assert.deepEqual(await answer(), [known, JSON.stringify([found])]);
    // What is in force and what was seen last stays, and the rest goes.
    forges.repositories.set('shop/web', []);
    const later = await (await listings.open(wanted)).newest(inPatience(60_000));
    await listings.forgetAllBut(new Map([[wanted.id, known]]));
    assert.deepEqual(
      readdirSync(join(home, 'pull-requests', wanted.id)).sort(),
      [`${known}.json`, `${later}.json`].sort(),
    );
    await listings.forgetAllBut(new Map([[wanted.id, later]]));
    assert.deepEqual(await answer(), [later, '[]']);
    await listings.forgetAllBut(new Map());
    assert.deepEqual(readdirSync(join(home, 'pull-requests')), []);
  });

  it('whose Secret is encrypted is left out where nobody has fetched it, and that is said', async () => {
    const sources = new CommandSources(inPatience(60_000), join(dir, 'home'));
    const wanted = { id: '0123456789abcdef', url: url(), follows: { branch: 'main' }, auth: UNOPENED_AUTH };
    const [answer, again] = await Promise.all([sources.open(wanted), sources.open(wanted)]);
    assert.equal(answer, again);
    assert.equal(
      answer.ok ? undefined : answer.message,
      `its Secret for ${url()} is encrypted, and no control plane that could open it has fetched that to ${dir}/home`,
    );
    await sources.close();
  });
});
