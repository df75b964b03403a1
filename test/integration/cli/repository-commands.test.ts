import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { buildCli } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { git, plumb, run } from './cli-bench.ts';

const APP_SET = `apiVersion: plumbline.dev/v1alpha1
kind: AppSet
metadata: { name: sites }
spec:
  generators:
  - files: { include: [sites/*/site.yaml] }
  template:
    metadata: { name: "site-\${name}" }
    spec:
      path: "\${path}"
      substitute: { values: { DOMAIN: "\${domain}" } }
`;

describe('init, check, plan and the push hooks', () => {
  let dir: string;
  let shop: string;
  let bare: string;
  before(buildCli);
  beforeEach(async () => {
    dir = makeFolder("plumb cli '$");
    shop = join(dir, 'shop');
    bare = join(dir, 'shop.git');
    assert.equal((await plumb(['init', 'shop'], dir)).code, 0);
    assert.equal((await plumb(['init', '--bare', 'shop.git'], dir)).code, 0);
    await git(['remote', 'add', 'origin', bare], shop);
    const first = await run('git', ['push', '-q', '-u', 'origin', 'main'], shop);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /Plan: 4 to create/);
    assert.match(first.stderr, /follow it with: plumb status --wait/);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const app = (): string => join(shop, 'apps', 'hello.yaml');
  const edit = (from: string, to: string): void => writeFileSync(app(), readFileSync(app(), 'utf8').replace(from, to));
  const head = async (): Promise<string> =>
    (await git(['--git-dir', bare, 'rev-parse', 'refs/heads/main'], dir)).stdout.trim();

  it('touches the hint file with the pushed commit', async () => {
    assert.equal(readFileSync(join(bare, 'plumbline', 'pushed'), 'utf8').trim(), await head());
  });

  it('shows the rollout after a push where that was asked for, and holds up nobody without a control plane', async () => {
    assert.equal((await plumb(['init', '--follow', 'other'], dir)).code, 2);
    assert.equal((await plumb(['init', '--bare', '--follow', 'shop.git'], dir)).code, 0);
    await git(['commit', '-q', '--allow-empty', '-m', 'more'], shop);
    const pushed = await run('git', ['push'], shop);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /is on main and is applied now; Ctrl-C leaves it to go on/);
    assert.match(pushed.stderr, /plumb: the control plane is not running: nothing answers at/);
  });

  it('refuses a push that does not validate, with file, line and column, and takes the next good one', async () => {
    const before = await head();
    edit('replicas: 2', 'replica: 2');
    await git(['commit', '-qam', 'bad'], shop);
    const refused = await run('git', ['push'], shop);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /remote: apps\/hello\.yaml:12:3 UnknownField unknown field spec\.replica; did you mean replicas\?/,
    );
    assert.equal(await head(), before);
    edit('replica: 2', 'replicas: 3');
    await git(['commit', '-qam', 'good'], shop);
    const taken = await run('git', ['push'], shop);
    assert.equal(taken.code, 0, taken.stderr);
    assert.match(taken.stderr, /spec\.replicas: 2 -> 3/);
  });

  it('expands an AppSet in check, render, plan and at the hook, each telling of it at its place', async () => {
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(join(shop, path)), { recursive: true });
      writeFileSync(join(shop, path), text);
    };
    write('set.yaml', APP_SET);
    for (const name of ['a', 'b']) {
      write(`sites/${name}/site.yaml`, `name: ${name}\ndomain: ${name}.example.com\n`);
      write(
        `sites/${name}/map.yaml`,
        `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { at: "\${DOMAIN}" }\n`,
      );
    }
    const checked = await plumb(['check'], shop);
    assert.equal(checked.code, 0, checked.stderr);
    const rendered = await plumb(['render', 'site-b', '-o', 'json'], shop);
    assert.equal(rendered.code, 0, rendered.stderr);
    assert.deepEqual(JSON.parse(rendered.stdout), [{ app: 'site-b', engine: 'yaml', documents: [], objects: 1 }]);
    const planned = await plumb(['plan'], shop);
    assert.equal(planned.code, 0, planned.stderr);
    for (const created of [/AppSet\/sites/, /App\/site-a/, /App\/site-b/, /ConfigMap\/default\/a/, /5 to create/])
      assert.match(planned.stdout, created);
    await git(['add', '.'], shop);
    await git(['commit', '-qm', 'sites'], shop);
    const pushed = await run('git', ['push'], shop);
    assert.equal(pushed.code, 0, pushed.stderr);

    write('sites/b/site.yaml', 'name: b\n');
    const wrong =
      /set\.yaml:11:\d+ AppSetFailed AppSet sites, element b of spec\.generators\[0\]\.files: spec\.substitute\.values\.DOMAIN: \$\{domain\} is not set/;
    for (const command of [['check'], ['render'], ['render', 'site-b']]) {
      const told = await plumb(command, shop);
      assert.equal(told.code, 1);
      assert.match(told.stdout + told.stderr, wrong);
    }
    await git(['commit', '-qam', 'bad'], shop);
    const refused = await run('git', ['push'], shop);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, wrong);
    await git(['reset', '-q', '--hard', 'HEAD^'], shop);
    await git(['rm', '-rq', 'sites/b'], shop);
    const removed = await plumb(['plan'], shop);
    assert.equal(removed.code, 0, removed.stderr);
    assert.match(removed.stdout, /2 to delete/);
  });

  it('lets other branches pass, warns of a force-push and of a deletion', async () => {
    await git(['checkout', '-qb', 'draft'], shop);
    appendFileSync(app(), 'nonsense\n');
    await git(['commit', '-qam', 'draft'], shop);
    assert.equal((await run('git', ['push', '-q', 'origin', 'draft'], shop)).code, 0);
    await git(['checkout', '-q', 'main'], shop);
    await git(['commit', '-q', '--amend', '-m', 'again'], shop);
    const forced = await run('git', ['push', '-f'], shop);
    assert.equal(forced.code, 0, forced.stderr);
    assert.match(forced.stderr, /warning: this is a force-push/);
    const deleted = await run('git', ['push', 'origin', ':main'], shop);
    assert.equal(deleted.code, 0, deleted.stderr);
    assert.match(deleted.stderr, /warning: this deletes main/);
    const again = await run('git', ['push', 'origin', 'main'], shop);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /main was deleted when it was at [0-9a-f]{12}; what was applied then is still in force/);
    assert.match(again.stderr, /remote: no changes/);
  });

  it('refuses a push that leaves nothing, and takes back what came since an earlier commit', async () => {
    const good = await head();
    await git(['rm', '-rq', '.'], shop);
    await git(['commit', '-qm', 'oops'], shop);
    const emptied = await run('git', ['push'], shop);
    assert.equal(emptied.code, 1);
    assert.match(
      emptied.stderr,
      /PruneLimit this would delete all \d+ objects and leave nothing.*Plumbline-Allow-Prune: \d+/,
    );
    assert.equal(await head(), good);
    await git(['reset', '-q', '--hard', 'HEAD~1'], shop);
    const many = Array.from(
      { length: 400 },
      (_, i) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c${i}\n  namespace: default\n`,
    ).join('---\n');
    writeFileSync(join(shop, 'many.yaml'), many);
    await git(['add', 'many.yaml'], shop);
    await git(['commit', '-qm', 'many'], shop);
    const pushed = await run('git', ['push'], shop);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.ok(pushed.stderr.split('\n').length < 100, pushed.stderr);
    assert.match(pushed.stderr, /\d+ more lines[^]*Plan: 400 to create/);
    await git(['rm', '-q', 'many.yaml'], shop);
    writeFileSync(join(shop, 'NOTES'), 'not the files of an earlier commit\n');
    await git(['add', 'NOTES'], shop);
    await git(['commit', '-qm', 'away'], shop);
    assert.match(
      (await run('git', ['push'], shop)).stderr,
      /PruneLimit this would delete 400 of \d+ objects, more than 50 %/,
    );
    await git(['commit', '-q', '--amend', '-m', 'away', '--trailer', 'Plumbline-Allow-Prune: 400'], shop);
    const acknowledged = await plumb(['plan'], shop);
    assert.deepEqual([acknowledged.code, acknowledged.stderr], [0, '']);
    const taken = await run('git', ['push'], shop);
    assert.equal(taken.code, 0, taken.stderr);
    await git(['revert', '--no-edit', 'HEAD'], shop);
    await git(['push', '-q'], shop);
    await git(['revert', '--no-edit', 'HEAD~2'], shop);
    const reverted = await run('git', ['push'], shop);
    assert.equal(reverted.code, 0, reverted.stderr);
  });

  it('refuses hostile files in the push itself', async () => {
    const before = await head();
    for (const [name, make] of [
      [
        'bomb.yaml',
        (path: string) =>
          writeFileSync(
            path,
            `a: &a [${'x,'.repeat(20)}]\n${Array.from({ length: 12 }, (_, i) => `k${i}: &b${i} [${`*${i === 0 ? 'a' : `b${i - 1}`},`.repeat(20)}]`).join('\n')}\n`,
          ),
      ],
      ['big.yaml', (path: string) => writeFileSync(path, Buffer.alloc(50 * 1024 * 1024, 'a: b\n'))],
      ['link.yaml', (path: string) => symlinkSync('/etc/passwd', path)],
      ['latin.yaml', (path: string) => writeFileSync(path, Buffer.from([0x61, 0x3a, 0x20, 0xe9]))],
    ] as const) {
      make(join(shop, name));
      await git(['add', name], shop);
      await git(['commit', '-qm', name], shop);
      const ran = await run('git', ['push'], shop);
      assert.equal(ran.code, 1, name);
      assert.match(ran.stderr, new RegExp(`remote: ${name}:\\d+:\\d+ \\w+ `), name);
      assert.equal(ran.stderr.includes('root:'), false);
      await git(['reset', '-q', '--hard', 'HEAD~1'], shop);
      if (existsSync(join(shop, name))) unlinkSync(join(shop, name));
    }
    assert.equal(await head(), before);
  });

  it('takes a push when the CLI has gone, and says that nothing was checked', async () => {
    const hook = join(bare, 'hooks', 'pre-receive');
    writeFileSync(hook, readFileSync(hook, 'utf8').replace(/^cli=.*$/m, "cli='/nowhere/plumb.mjs'"));
    await git(['commit', '-q', '--allow-empty', '-m', 'x'], shop);
    const ran = await run('git', ['push'], shop, { PATH: '/usr/bin:/bin' });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /not checked/);
  });

  it('checks a folder, a commit and a bare repository', async () => {
    assert.deepEqual(JSON.parse((await plumb(['check', '-o', 'json'], shop)).stdout), {
      ok: true,
      objects: 4,
      diagnostics: [],
    });
    edit('replicas: 2', 'replicas: two');
    const bad = await plumb(['check'], shop);
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /^apps\/hello\.yaml:12:13 \w+ /m);
    assert.equal((await plumb(['check', '--rev', 'HEAD'], shop)).code, 0);
    assert.equal((await plumb(['check', bare], dir)).code, 0);
    assert.equal((await plumb(['check', '--rev', 'nothing'], shop)).code, 1);
    assert.equal((await plumb(['check', 'no-such-folder'], dir)).code, 2);
    await git(['worktree', 'add', '-q', '-b', 'draft', join(dir, 'draft')], shop);
    assert.equal((await plumb(['check'], join(dir, 'draft'))).code, 0);
  });

  it('reads JSON as well, and says where there is no manifest at all', async () => {
    const empty = makeFolder('plumb empty');
    try {
      writeFileSync(join(empty, 'package.json'), '{"name": "shop"}');
      const nothing = await plumb(['check', empty], dir);
      assert.deepEqual([nothing.code, nothing.stdout], [1, '']);
      assert.match(
        nothing.stderr,
        /plumb empty\S* has no manifest\n {2}looked for \.yaml, \.yml and \.json files outside hidden folders/,
      );
      assert.deepEqual(JSON.parse((await plumb(['check', empty, '-o', 'json'], dir)).stdout), {
        ok: false,
        objects: 0,
        diagnostics: [],
      });
      writeFileSync(
        join(empty, 'app.json'),
        '{"apiVersion": "v1", "kind": "ConfigMap",\n "metadata": {"name": "a"}, "data": {"port": 80}}',
      );
      assert.match((await plumb(['check', empty], dir)).stdout, /^app\.json:2:46 WrongType data\.port must be text/);
    } finally {
      rmSync(empty, { recursive: true, force: true });
    }
  });

  it('plans the files in the folder against what was pushed, and one commit against another', async () => {
    assert.match((await plumb(['plan'], shop)).stdout, /no changes/);
    edit('replicas: 2', 'replicas: 4');
    assert.match((await plumb(['plan'], shop)).stdout, /spec\.replicas: 2 -> 4/);
    await git(['commit', '-qam', 'four'], shop);
    assert.match((await plumb(['plan'], shop)).stdout, /spec\.replicas: 2 -> 4/);
    const json = JSON.parse((await plumb(['plan', '--from', 'HEAD', '--to', 'HEAD~1', '-o', 'json'], shop)).stdout) as {
      counts: unknown;
    };
    assert.deepEqual(json.counts, { create: 0, update: 1, delete: 0 });
    assert.match((await plumb(['plan', '-o', 'markdown'], shop)).stdout, /```diff/);
  });

  it('plans in a linked work tree, and where a commit is checked out without a branch', async () => {
    const tree = join(dir, 'tree');
    await git(['worktree', 'add', '-q', '-b', 'side', tree], shop);
    const file = join(tree, 'apps', 'hello.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('replicas: 2', 'replicas: 7'));
    const ran = await plumb(['plan'], join(tree, 'apps'));
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.match(ran.stdout, /spec\.replicas: 2 -> 7/);
    await git(['commit', '-qam', 'seven'], tree);
    for (const args of [[], ['--detach']]) {
      await git(['checkout', '-q', ...args], tree);
      assert.match((await plumb(['plan', '--from', 'main', '--to', 'HEAD'], tree)).stdout, /spec\.replicas: 2 -> 7/);
      assert.equal((await plumb(['check', '--rev', 'HEAD~1'], tree)).code, 0);
    }
    assert.match((await plumb(['plan', '--from', 'HEAD', '--to', 'side'], shop)).stdout, /spec\.replicas: 2 -> 7/);
  });

  it('prints nothing but the plan for a commit with many files', async () => {
    for (let i = 0; i < 40; i++)
      writeFileSync(
        join(shop, `c${i}.yaml`),
        `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c${i}\n  namespace: default\n`,
      );
    await git(['add', '.'], shop);
    await git(['commit', '-qm', 'many'], shop);
    const planned = await plumb(['plan', '--to', 'HEAD'], shop);
    assert.deepEqual([planned.code, planned.stderr], [0, '']);
    const pushed = await run('git', ['push'], shop);
    assert.equal(pushed.code, 0);
    assert.doesNotMatch(pushed.stderr, /Warning/);
  });

  it('knows in a plan that a commit may take back what came since an earlier one', async () => {
    writeFileSync(
      join(shop, 'many.yaml'),
      Array.from(
        { length: 40 },
        (_, i) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c${i}\n  namespace: default\n`,
      ).join('---\n'),
    );
    await git(['add', '.'], shop);
    await git(['commit', '-qm', 'many'], shop);
    await git(['push', '-q'], shop);
    unlinkSync(join(shop, 'many.yaml'));
    const before = await plumb(['plan'], shop);
    assert.equal(before.code, 1);
    assert.match(
      before.stderr,
      /^note: the prune limit does not hold for a commit with exactly the files of an earlier one, .*\n.*PruneLimit this would delete 40 of 44 objects/,
    );
    await git(['commit', '-qam', 'back to how it was'], shop);
    for (const args of [[], ['--to', 'HEAD']]) {
      const after = await plumb(['plan', ...args], shop);
      assert.deepEqual([after.code, after.stderr], [0, ''], args.join(' '));
      assert.match(after.stdout, /Plan: 0 to create, 0 to update, 40 to delete\./);
    }
    writeFileSync(join(shop, 'NOTES'), 'other files than before\n');
    await git(['add', '.'], shop);
    await git(['commit', '-q', '--amend', '-m', 'away'], shop);
    const other = await plumb(['plan'], shop);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /PruneLimit this would delete 40 of 44 objects/);
  });

  it('writes a machine out of service, into a drain and away, keeping comments', async () => {
    const path = join(shop, 'machine.yaml');
    const text =
      '# rack 3\napiVersion: plumbline.dev/v1alpha1\nkind: Machine\nmetadata:\n  name: node-1 # the old one\nspec:\n  address: 198.18.0.1\n  hostKey: ssh-ed25519 AAAA\n';
    writeFileSync(path, text);
    assert.equal((await plumb(['node', 'cordon', 'node-1'], shop)).code, 0);
    assert.match(readFileSync(path, 'utf8'), /# the old one[\s\S]*unschedulable: true/);
    await plumb(['node', 'drain', 'node-1'], shop);
    await plumb(['node', 'drain', 'node-1'], shop);
    assert.equal(readFileSync(path, 'utf8').match(/plumbline\.dev\/drain/g)?.length, 1);
    await plumb(['node', 'uncordon', 'node-1', '--commit'], shop);
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.match((await git(['log', '-1', '--format=%s'], shop)).stdout, /Uncordon node-1/);
    assert.equal((await plumb(['node', 'rm', 'node-1', '--commit'], shop)).code, 0);
    assert.equal(existsSync(path), false);
    assert.equal((await plumb(['node', 'cordon', 'node-1'], shop)).code, 1);
  });

  it('says what is wrong and ends with the right code', async () => {
    const missing = await plumb(['status', '--home', join(dir, 'home')], dir);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /control plane is not running[\s\S]*plumb up --repo/);
    for (const args of [
      ['frobnicate'],
      ['get'],
      ['get', 'gizmos'],
      ['status', '--timeout', 'soon'],
      ['check', '-o', 'xml'],
      ['node', 'add', '-oProxyCommand=x'],
    ])
      assert.equal((await plumb(args, shop)).code, 2, args.join(' '));
    for (const [args, says] of [
      [
        ['status', '--timeout', '-5'],
        /^error: option '--timeout <seconds>' argument '-5' is invalid\. It is no whole number of 0 or more\.\n/,
      ],
      [
        ['explain', 'web'],
        /^error: "web" does not say of which kind: write KIND\/NAME\n {2}for example: plumb explain deploy\/web\n$/,
      ],
      [['explain', 'pod/'], /^error: "pod\/" has no name\n/],
      [['delete', 'web-1'], /^error: "web-1" does not say of which kind/],
      [['stats'], /Did you mean status\?/],
    ] as const) {
      const ran = await plumb(args, shop);
      assert.equal(ran.code, 2, args.join(' '));
      assert.match(ran.stderr, says);
    }
    assert.equal((await plumb(['--help'], dir)).code, 0);
    for (const command of [
      'init',
      'check',
      'plan',
      'up',
      'status',
      'get',
      'history',
      'rollback',
      'explain',
      'logs',
      'exec',
    ]) {
      const help = await plumb([command, '--help'], dir);
      assert.equal(help.code, 0);
      assert.match(help.stdout, /Examples?:/, command);
    }
    const inside = makeFolder('plumb inside');
    assert.doesNotMatch((await plumb(['init'], inside)).stdout, /cd \./);
    rmSync(inside, { recursive: true });
    const again = await plumb(['init', 'shop'], dir);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /already/);
  });
});
