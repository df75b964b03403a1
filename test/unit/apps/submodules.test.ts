/** Submodules: their files at their place, each opened when something is read of it, by whom and with which credentials. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  OWN_AUTH,
  type AppSources,
  type SourceAnswer,
  type WantedSource,
} from '../../../reconciler/core/apps/other-sources.ts';
import { formatDiagnostic, ManifestCache, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import { renderFiles, type RenderOptions } from '../../../reconciler/core/revisions/render.ts';
import { app, configMap, namespace } from '../../integration/engines/apps.ts';

const OWN = 'https://git.example/shop/web.git';
const LIB = 'https://git.example/shop/lib.git';
const ELSEWHERE = 'https://forge.example/lib.git';
/** By path; `@` and a digit: a submodule at that commit. */
type Files = Readonly<Record<string, string>>;

const sha = (digit: string): string => digit.repeat(40);
const treeOf = (files: Files) =>
  Object.entries(files)
    .map(([path, text]) =>
      text.startsWith('@')
        ? { path, mode: '160000', oid: sha(text.slice(1)) }
        : { path, mode: text.startsWith('->') ? '120000' : '100644', oid: `${path} ${text}` },
    )
    .sort((a, b) => (a.path < b.path ? -1 : 1));
const readerOf =
  (files: Files) =>
  ({ path }: { readonly path: string }): Promise<Uint8Array> =>
    Promise.resolve(new TextEncoder().encode(files[path]));
const modules = (urls: Files, more = ''): string =>
  Object.entries(urls)
    .map(([path, url]) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n${more}`)
    .join('');

/** Repositories by URL, and their trees by the digit of the commit. */
function world(repositories: Readonly<Record<string, Readonly<Record<string, Files>>>>) {
  const asked: WantedSource[] = [];
  const sources: AppSources = {
    open(wanted): Promise<SourceAnswer> {
      asked.push(wanted);
      const { url, follows } = wanted;
      const digit = 'commit' in follows ? follows.commit.charAt(0) : 'main';
      const files = repositories[url]?.[digit];
      return Promise.resolve(
        files
          ? { ok: true, commit: sha(digit), files: treeOf(files), read: readerOf(files) }
          : { ok: false, message: 'there is none' },
      );
    },
  };
  const render = async (
    files: Files,
    options: RenderOptions = {},
  ): Promise<Rendering & { readonly told: readonly string[]; readonly values: Files }> => {
    const rendering = await renderFiles(treeOf(files), readerOf(files), new ManifestCache(), {
      sources,
      origin: OWN,
      ...options,
    });
    const values = [...rendering.state.values()].flatMap(({ object, position }) =>
      object.kind === 'ConfigMap'
        ? [[`${object.metadata.namespace}/${object.metadata.name}`, `${position.file}:${position.line}`] as const]
        : [],
    );
    return { ...rendering, told: rendering.diagnostics.map(formatDiagnostic), values: Object.fromEntries(values) };
  };
  return { asked, render };
}

const PLAIN = { 'ns.yaml': namespace('web') };
const inWeb = (spec: object): string => app('web', { path: 'deploy', namespace: 'web', ...spec });

describe('submodules of a repository of plain YAML', () => {
  it('are read as if their files lay there, at the commit that the tree has', async () => {
    const { asked, render } = world({ [LIB]: { '2': { 'a.yaml': configMap('a'), 'deep/b.yaml': configMap('b') } } });
    const { told, values, submodules } = await render({
      ...PLAIN,
      '.gitmodules': modules({ 'libs/lib': '../lib.git' }),
      'libs/lib': '@2',
      'z.yaml': configMap('z'),
    });
    assert.deepEqual(told, []);
    assert.deepEqual(values, {
      'default/a': 'libs/lib/a.yaml:1',
      'default/b': 'libs/lib/deep/b.yaml:1',
      'default/z': 'z.yaml:1',
    });
    assert.deepEqual(
      asked.map(({ url, follows, auth, isPart }) => ({ url, follows, own: auth === OWN_AUTH, isPart })),
      [{ url: LIB, follows: { commit: sha('2') }, own: true, isPart: true }],
    );
    assert.deepEqual(submodules, [asked[0]?.id]);
  });

  it('may be in one another, each with its own .gitmodules, whose URLs start from itself', async () => {
    const { asked, render } = world({
      [ELSEWHERE]: { '2': { '.gitmodules': modules({ in: '../inner.git', own: LIB }), in: '@3', own: '@4' } },
      'https://forge.example/inner.git': { '3': { 'a.yaml': configMap('a') } },
      [LIB]: { '4': { 'b.yaml': configMap('b') }, '5': { 'c.yaml': configMap('c') } },
    });
    const { told, values } = await render({
      '.gitmodules': modules({ lib: ELSEWHERE, near: LIB }),
      lib: '@2',
      near: '@5',
    });
    assert.deepEqual(told, []);
    assert.deepEqual(values, {
      'default/a': 'lib/in/a.yaml:1',
      'default/b': 'lib/own/b.yaml:1',
      'default/c': 'near/c.yaml:1',
    });
    // Who is at another server gets nobody's login, and cannot have what our own server gives us with it.
    const own = asked.filter(({ url }) => url === LIB);
    assert.deepEqual(new Set(own.map(({ auth }) => auth)), new Set([OWN_AUTH, undefined]));
    assert.equal(new Set(own.map(({ id }) => id)).size, 2);
    assert.ok(asked.every(({ url, auth }) => url === LIB || auth === undefined));
  });

  it('are one copy for one URL, at whichever paths and commits', async () => {
    const { asked, render } = world({
      [LIB]: { '2': { 'a.yaml': configMap('a') }, '3': { 'b.yaml': configMap('b') } },
    });
    const { values } = await render({ '.gitmodules': modules({ x: LIB, y: LIB }), x: '@2', y: '@3' });
    assert.deepEqual(values, { 'default/a': 'x/a.yaml:1', 'default/b': 'y/b.yaml:1' });
    assert.equal(new Set(asked.map(({ id }) => id)).size, 1);
  });

  it('are read from the checkout where there is one, and nobody is asked', async () => {
    const { asked, render } = world({});
    const files = { 'a.yaml': configMap('a') };
    const answer: SourceAnswer = { ok: true, commit: '', files: treeOf(files), read: readerOf(files) };
    const { told, values } = await render(
      { '.gitmodules': modules({ lib: '../lib.git' }), lib: '@2' },
      { checkedOut: () => Promise.resolve(answer) },
    );
    assert.deepEqual(told, []);
    assert.deepEqual(values, { 'default/a': 'lib/a.yaml:1' });
    assert.deepEqual(asked, []);
  });

  it('may bring Apps, of paths of the whole tree', async () => {
    const { render } = world({
      [LIB]: { '2': { 'app.json': app('web', { path: 'lib/deploy' }), 'deploy/a.yaml': configMap('a') } },
    });
    const { told, values } = await render({ '.gitmodules': modules({ lib: LIB }), lib: '@2' });
    assert.deepEqual(told, []);
    assert.deepEqual(values, { 'default/a': 'lib/deploy/a.yaml:1' });
  });

  it('in hidden folders are nothing, as other hidden files', async () => {
    const { asked, render } = world({});
    const { told } = await render({ 'a.yaml': configMap('a'), '.vendor/lib': '@2' });
    assert.deepEqual([told, asked], [[], []]);
  });
});

describe('submodules that an App reads', () => {
  const lib = {
    'base/a.yaml': configMap('a'),
    'base/in': '@3',
    'examples/b.yaml': configMap('b'),
    '.gitmodules': modules({ 'base/in': '../in.git' }),
  };
  const repositories = {
    [LIB]: { '2': lib },
    'https://git.example/shop/in.git': { '3': { 'c.yaml': configMap('c') } },
  };

  it('are opened as far as it goes into them: its path, and what lies in it', async () => {
    const { asked, render } = world(repositories);
    const { told, values } = await render({
      ...PLAIN,
      'app.json': inWeb({ path: 'vendor/lib/base' }),
      '.gitmodules': modules({ 'vendor/lib': '../lib.git', other: 'https://forge.example/never.git' }),
      'vendor/lib': '@2',
      other: '@5',
    });
    assert.deepEqual(values, { 'web/a': 'vendor/lib/base/a.yaml:1', 'web/c': 'vendor/lib/base/in/c.yaml:1' });
    assert.deepEqual(
      asked.map(({ url }) => url),
      [LIB, 'https://git.example/shop/in.git'],
    );
    assert.deepEqual(
      told.map((line) => line.split(';')[0]),
      ['other:1:1 NotRendered warning: no App reads anything of this submodule, so nothing of it is applied'],
    );
  });

  it('are its whole folder', async () => {
    const { render } = world({ [LIB]: { '2': { 'a.yaml': configMap('a') } } });
    const files = { ...PLAIN, 'app.json': inWeb({ path: 'lib' }), '.gitmodules': modules({ lib: LIB }), lib: '@2' };
    const { told, values } = await render(files);
    assert.deepEqual([told, values], [[], { 'web/a': 'lib/a.yaml:1' }]);
  });

  it('are folders to a generator of AppSets', async () => {
    const { render } = world({ [LIB]: { '2': { 'a.yaml': configMap('a') } } });
    const set = {
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'AppSet',
      metadata: { name: 'all' },
      spec: {
        generators: [{ directories: { include: ['apps/*'] } }],
        template: { metadata: { name: '${name}' }, spec: { path: '${path}', namespace: 'web' } },
      },
    };
    const { told, values } = await render({
      ...PLAIN,
      'set.json': JSON.stringify(set),
      'apps/one/b.yaml': configMap('b'),
      'apps/two': '@2',
      '.gitmodules': modules({ 'apps/two': '../lib.git' }),
    });
    assert.deepEqual([told, values], [[], { 'web/a': 'apps/two/a.yaml:1', 'web/b': 'apps/one/b.yaml:1' }]);
  });

  it('of another repository have its login at its own server, and there alone', async () => {
    const secret = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'git', namespace: 'web' },
      stringData: { username: 'ada', password: 'canary' },
    });
    const { asked, render } = world({
      'https://apps.example/web.git': {
        main: {
          '.gitmodules': modules({ 'deploy/near': '../near.git', 'deploy/far': ELSEWHERE, unread: '../unread.git' }),
          'deploy/near': '@2',
          'deploy/far': '@3',
          unread: '@4',
        },
      },
      'https://apps.example/near.git': { '2': { 'a.yaml': configMap('a') } },
      [ELSEWHERE]: { '3': { 'b.yaml': configMap('b') } },
    });
    const source = { url: 'https://apps.example/web.git', secretRef: { name: 'git' } };
    const { told, values, submodules } = await render({ ...PLAIN, 'git.json': secret, 'app.json': inWeb({ source }) });
    assert.deepEqual(told, []);
    assert.deepEqual(values, {
      'web/a': `${source.url}//deploy/near/a.yaml:1`,
      'web/b': `${source.url}//deploy/far/b.yaml:1`,
    });
    const login = new Map(asked.map(({ url, auth }) => [url, auth?.reveal().get('password')]));
    assert.deepEqual(
      [...login].sort(),
      [
        ['https://apps.example/near.git', 'canary'],
        ['https://apps.example/web.git', 'canary'],
        [ELSEWHERE, undefined],
      ].sort(),
    );
    assert.equal(submodules?.length, 2);
  });
});

describe('a submodule that cannot be had', () => {
  const gone =
    /SubmoduleUnread .*is a Git submodule, and commit 222222222222 of https:\/\/git\.example\/shop\/lib\.git cannot be had: there is none; push that commit there/;

  it('is told with its path, URL and commit, and what to do', async () => {
    const { render } = world({});
    const plain = await render({ 'a.yaml': configMap('a'), '.gitmodules': modules({ lib: LIB }), lib: '@2' });
    assert.equal(plain.told.length, 1);
    assert.match(plain.told[0] ?? '', /^lib:1:1 /);
    assert.match(plain.told[0] ?? '', gone);
    const files = {
      ...PLAIN,
      'app.json': inWeb({ path: 'lib/deploy' }),
      '.gitmodules': modules({ lib: LIB }),
      lib: '@2',
    };
    const { told } = await render(files);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /^app\.json:1:\d+ SubmoduleUnread lib\/deploy is in lib, which is a Git submodule/);
    assert.match(told[0] ?? '', gone);
  });

  it('of another repository leaves its Apps where they are, all of them, and no other one', async () => {
    const { render } = world({
      'https://apps.example/web.git': {
        main: { 'deploy/lib': '@2', 'fine/a.yaml': configMap('a'), '.gitmodules': modules({ 'deploy/lib': LIB }) },
      },
    });
    const source = { url: 'https://apps.example/web.git' };
    const { told, sources, leftOut } = await render({
      ...PLAIN,
      'own.yaml': configMap('own'),
      'a.json': app('a', { path: 'fine', namespace: 'web', source }),
      'b.json': app('b', { path: 'deploy', namespace: 'web', source }),
      'c.json': app('c', { path: 'fine', namespace: 'other', source }),
    });
    assert.match(
      told.find((line) => line.includes('SourceUnread')) ?? '',
      /b\.json:1:\d+ SourceUnread warning: App b is left out: deploy\/lib is a Git submodule/,
    );
    assert.deepEqual(leftOut, ['b']);
    assert.equal(sources?.length, 1);
    assert.equal(sources[0]?.commit, undefined);
    assert.match(sources[0]?.problem ?? '', /deploy\/lib is a Git submodule, and commit 222222222222/);
  });

  const own = (url: string, more: Files = {}): Files => ({ '.gitmodules': modules({ lib: url }), lib: '@2', ...more });
  const refused: readonly (readonly [string, Files, RegExp])[] = [
    ['no entry', { lib: '@2' }, /is a Git submodule that \.gitmodules does not name; add it/],
    ['an entry of another path', { ...own(LIB), '.gitmodules': modules({ '../lib': LIB }) }, /does not name/],
    [
      'update = none',
      { ...own(LIB), '.gitmodules': modules({ lib: LIB }, '\tupdate = none\n') },
      /not to be checked out .*\.gitmodules:1/,
    ],
    [
      'a .gitmodules that is a link',
      { ...own(LIB), '.gitmodules': '-> /etc/passwd' },
      /\.gitmodules:1 is a symbolic link/,
    ],
    ['a .gitmodules that is none', { ...own(LIB), '.gitmodules': 'hello world' }, /\.gitmodules:1 is no line/],
    ['a path of this machine', own('/srv/git/lib.git'), /whose URL \/srv\/git\/lib\.git is at another server/],
    [
      'a login in it',
      own('https://ada:canary@git.example/lib.git'),
      /whose URL https:\/\/git\.example\/lib\.git is at another/,
    ],
    ['a way out of the server', own('../../../lib.git'), /leads out of the server/],
  ];
  for (const [what, files, why] of refused)
    it(`for ${what} is refused, and nobody is asked`, async () => {
      const { asked, render } = world({ [LIB]: { '2': {} } });
      const { told } = await render(files);
      assert.equal(told.length, 1, told.join('\n'));
      assert.match(told[0] ?? '', /^lib:1:1 SubmoduleRefused lib is a Git submodule/);
      assert.match(told[0] ?? '', why);
      assert.doesNotMatch(told[0] ?? '', /canary/);
      assert.deepEqual(asked, []);
    });

  it('has no path that climbs, and no link that leads anywhere', async () => {
    const climbing = world({ [LIB]: { '2': { '../../etc/a.yaml': configMap('a') } } });
    assert.match(
      (await climbing.render(own(LIB))).told[0] ?? '',
      /SubmoduleRefused .*"\.\.\/\.\.\/etc\/a\.yaml", which is none inside it/,
    );
    const linking = world({ [LIB]: { '2': { 'a.yaml': '-> ../../secret.yaml' } } });
    assert.match((await linking.render(own(LIB))).told[0] ?? '', /^lib\/a\.yaml:1:1 SymlinkRefused/);
  });

  it('is one too many, or too deep in others', async () => {
    const many = Array.from({ length: 33 }, (_, i) => `m${String(i).padStart(2, '0')}`);
    const wide = world({ [LIB]: { '2': {} } });
    const { told } = await wide.render({
      '.gitmodules': modules(Object.fromEntries(many.map((path) => [path, LIB]))),
      ...Object.fromEntries(many.map((path) => [path, '@2'])),
    });
    assert.deepEqual(
      told.map((line) => line.split(';')[0]),
      ['m32:1:1 SubmoduleRefused m32 is a Git submodule beyond 32 that are read'],
    );
    // One that is in itself.
    const deep = world({ [LIB]: { '2': { '.gitmodules': modules({ in: LIB }), in: '@2', 'a.yaml': configMap('a') } } });
    const line = (await deep.render(own(LIB))).told.find((each) => each.includes('Submodule')) ?? '';
    assert.match(line, /^lib\/in\/in\/in\/in:1:1 SubmoduleRefused .*is a Git submodule in 4 others/);
    assert.equal(deep.asked.length, 4);
  });
});
