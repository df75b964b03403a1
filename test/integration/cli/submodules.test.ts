/** What `check`, `plan`, `render` and the push hook make of submodules, without a control plane. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { buildCli } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { app, configMap, namespace } from '../engines/apps.ts';
import { git, plumb, run, type Ran } from './cli-bench.ts';

describe('a submodule, on the command line', () => {
  let authority: TestAuthority;
  let gateway: GitGateway;
  let dir: string;
  let shop: string;
  let lib: ScratchRepository;
  before(async () => {
    buildCli();
    authority = testAuthority();
    gateway = await startGateway({ tls: authority.issue('DNS:localhost') });
  });
  after(async () => {
    await gateway?.close();
    authority?.remove();
  });
  beforeEach(async () => {
    dir = makeFolder('plumb cli');
    shop = join(dir, 'shop');
    lib = scratchRepository();
    gateway.serve(lib.root);
    lib.commit([{ path: 'deploy/a.yaml', content: configMap('lib', { value: '1' }) }]);
    assert.equal((await plumb(['init', 'shop'], dir)).code, 0);
    assert.equal((await plumb(['init', '--bare', 'shop.git'], dir)).code, 0);
    await git(['remote', 'add', 'origin', join(dir, 'shop.git')], shop);
    await git(['push', '-q', '-u', 'origin', 'main'], shop);
    const added = await inShop('git', ['submodule', 'add', '-q', url(), 'lib']);
    assert.equal(added.code, 0, added.stderr);
  });
  afterEach(() => {
    lib.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const url = (): string => `https://localhost:${gateway.port}/repo.git`;
  const env = (): NodeJS.ProcessEnv => ({ NODE_EXTRA_CA_CERTS: authority.file, GIT_SSL_CAINFO: authority.file });
  const inShop = (command: string, args: readonly string[]): Promise<Ran> => run(command, args, shop, env());
  const plumbing = (...args: readonly string[]): Promise<Ran> => plumb(args, shop, env());
  async function push(message: string): Promise<Ran> {
    await git(['add', '.'], shop);
    await git(['commit', '-qm', message], shop);
    return inShop('git', ['push', '-q']);
  }

  it('is checked and planned as it is checked out, and as it is committed', async () => {
    const checked = await plumbing('check');
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    assert.match((await plumbing('plan')).stdout, /configmap.*lib/i);
    const pushed = await push('A library');
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /Plan: 1 to create/);
    assert.equal((await plumbing('check', '--rev', 'HEAD')).code, 0);
    writeFileSync(
      join(shop, 'lib', 'deploy', 'a.yaml'),
      'kind: ConfigMap\napiVersion: v1\nmetadata: {name: lib}\ndata: [1]\n',
    );
    const broken = await plumbing('check');
    assert.equal(broken.code, 1);
    assert.match(broken.stdout, /^lib\/deploy\/a\.yaml:4:\d+ /m);
    const again = await plumbing('plan', '--from', 'HEAD~1', '--to', 'HEAD');
    assert.match(again.stdout, /configmap.*lib/i, again.stderr);
  });

  it('is rendered where an App reads it', async () => {
    writeFileSync(join(shop, 'app.json'), app('web', { path: 'lib/deploy', namespace: 'web' }));
    writeFileSync(join(shop, 'ns.yaml'), namespace('web'));
    const checked = await plumbing('check');
    assert.equal(checked.code, 0, checked.stdout);
    const rendered = await plumbing('render', 'web', '-o', 'json');
    assert.match(rendered.stdout, /"objects": 1/);
  });

  it('that is not checked out is told of, with what to do', async () => {
    await push('A library');
    const clone = await run('git', ['clone', '-q', join(dir, 'shop.git'), 'clone'], dir);
    assert.equal(clone.code, 0, clone.stderr);
    const { code, stdout } = await plumb(['check', 'clone'], dir);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^lib:1:1 SubmoduleUnread lib is a Git submodule, and this checkout cannot be had: it is not checked out: git submodule update --init --recursive lib/m,
    );
    const done = await run('git', ['submodule', 'update', '-q', '--init'], join(dir, 'clone'), env());
    assert.equal(done.code, 0, done.stderr);
    assert.equal((await plumb(['check', 'clone'], dir)).code, 0);
  });

  it('whose commit nobody has is refused at the hook, and so is one that .gitmodules does not name', async () => {
    writeFileSync(join(shop, 'lib', 'deploy', 'b.yaml'), configMap('b'));
    await git(['add', '.'], join(shop, 'lib'));
    await git(['commit', '-qm', 'Not pushed'], join(shop, 'lib'));
    const refused = await push('A library with more');
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      new RegExp(`lib:1:1 SubmoduleUnread lib is a Git submodule, and commit [0-9a-f]{12} of ${url()} cannot be had`),
    );
    lib.git(['fetch', '-q', join(shop, 'lib'), 'HEAD:refs/heads/main']);
    const pushed = await inShop('git', ['push', '-q']);
    assert.equal(pushed.code, 0, pushed.stderr);
    // What was there before is gone there now.
    lib.commit([{ path: 'deploy/a.yaml', content: configMap('lib', { value: '2' }) }], { branch: 'other' });
    lib.git(['update-ref', 'refs/heads/main', 'refs/heads/other']);
    const blind = await plumbing('plan', '--from', 'HEAD', '--to', 'HEAD~1');
    assert.match(
      blind.stderr,
      /^warning: the plan may show as new what runs already: before, lib is a Git submodule, and commit/m,
    );
    const modules = readFileSync(join(shop, '.gitmodules'), 'utf8');
    writeFileSync(join(shop, '.gitmodules'), modules.replace('path = lib', 'path = other'));
    const nameless = await push('No entry');
    assert.equal(nameless.code, 1);
    assert.match(nameless.stderr, /lib:1:1 SubmoduleRefused lib is a Git submodule that \.gitmodules does not name/);
  });
});
