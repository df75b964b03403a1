import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManifestCache, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { renderFiles } from '../../../reconciler/core/revisions/render.ts';
import { withRenderedBranchJudged } from '../../../reconciler/core/revisions/rendered-branch.ts';
import { renderedFrom, renderedMessage, RenderedTree } from '../../../reconciler/core/revisions/rendered-tree.ts';
import { blobId } from '../../../reconciler/core/sources/blob-id.ts';

async function rendering(texts: Readonly<Record<string, string>>): Promise<Rendering> {
  const files = Object.entries(texts).map(([path, text]) => ({ path, oid: blobId(Buffer.from(text)), mode: '100644' }));
  return renderFiles(files, async ({ path }) => Buffer.from(texts[path] ?? ''), new ManifestCache());
}

async function filesOf(texts: Readonly<Record<string, string>>, key = 'k'): Promise<Record<string, string>> {
  const tree = new RenderedTree(Buffer.from(key));
  const found = await rendering(texts);
  assert.deepEqual(
    found.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  return Object.fromEntries(
    [...finish(tree.files(found))].map(([path, { id, of }]) => {
      const bytes = tree.content(of);
      assert.equal(id, blobId(bytes));
      return [path, Buffer.from(bytes).toString('utf8')];
    }),
  );
}

const WEB = `
kind: Deployment
apiVersion: apps/v1
spec:
  template:
    spec: {containers: [{image: "a:1", name: a, env: [{value: "yes", name: Z}]}]}
    metadata: {labels: {b: x, a: "1"}}
  selector: {matchLabels: {a: "1", b: x}}
metadata: {name: web, labels: {z: "1", b: "2"}}
`;
const secret = (name: string, value: string, field = 'data'): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\n${field}: {password: "${value}", user: ${field === 'data' ? 'YWRh' : 'ada'}}\n`;

describe('the objects of a revision as files', () => {
  it('are one each, in order, as they were written', async () => {
    assert.deepEqual(await filesOf({ 'x.yaml': WEB }), {
      'default/Deployment.apps/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    b: "2"
    z: "1"
  name: web
  namespace: default
spec:
  selector:
    matchLabels:
      a: "1"
      b: x
  template:
    metadata:
      labels:
        a: "1"
        b: x
    spec:
      containers:
        - env:
            - name: Z
              value: "yes"
          image: a:1
          name: a
`,
    });
  });

  it('are the same from whichever file they come', async () => {
    const both = await filesOf({ 'a.yaml': WEB, 'b.yaml': secret('s', 'aHVudGVyMg==') });
    assert.deepEqual(await filesOf({ 'c/d.yaml': `${secret('s', 'hunter2', 'stringData')}---\n${WEB}` }), both);
  });

  it('have no value of a Secret, and tell whether it is another one', async () => {
    const path = 'default/Secret/s.yaml';
    const text = async (value: string, key?: string): Promise<string> =>
      (await filesOf({ 'a.yaml': secret('s', value) }, key))[path] ?? '';
    const one = await text('aHVudGVyMg==');
    assert.match(
      one,
      /\ndata:\n {2}password: "\[hmac-sha256 [0-9a-f]{32}\]"\n {2}user: "\[hmac-sha256 [0-9a-f]{32}\]"\n/,
    );
    assert.doesNotMatch(one, /hunter2|aHVudGVyMg|YWRh|: ada/);
    assert.equal(await text('aHVudGVy\\nMg=='), one, 'the same bytes');
    assert.notEqual(await text('b3RoZXI='), one);
    assert.notEqual(await text('aHVudGVyMg==', 'another key'), one);
    const hash = (name: string, all: Record<string, string>): string | undefined =>
      /password: (.*)/.exec(all[`default/Secret/${name}.yaml`] ?? '')?.[1];
    const two = await filesOf({ 'a.yaml': secret('s', 'aHVudGVyMg=='), 'b.yaml': secret('t', 'aHVudGVyMg==') });
    assert.notEqual(hash('s', two), hash('t', two), 'equal passwords are not seen to be');
    const shown = [...finish(new RenderedTree(undefined).files(await rendering({ 'a.yaml': secret('s', 'eA==') })))];
    const bytes = new RenderedTree(undefined).content(shown[0]?.[1].of ?? assert.fail());
    assert.match(Buffer.from(bytes).toString('utf8'), /password: "\[redacted\]"/);
  });

  it('have paths that every file system holds', async () => {
    const name = `${'a'.repeat(60)}.`.repeat(4).slice(0, 250) + 'abc';
    const map = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
    const paths = Object.keys(
      await filesOf({ 'a.yaml': map, 'b.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n' }),
    );
    assert.deepEqual(
      paths.filter((path) => path.startsWith('_cluster')),
      ['_cluster/Namespace/shop.yaml'],
    );
    for (const path of paths)
      for (const one of path.split('/'))
        assert.ok(one.length <= 205 && /^[A-Za-z0-9_%][A-Za-z0-9._%-]*$/.test(one), path);
  });

  it('are known again by the message of their commit', () => {
    const revision = 'a'.repeat(40);
    const message = renderedMessage({ revision, subject: 'Raise replicas', author: 'Ada <a@x>' }, 'main');
    assert.equal(
      message,
      `Raise replicas\n\nWhat was applied of aaaaaaaaaaaa, by Ada <a@x>.\n\nRendered-From: ${revision}\nSource: main\n`,
    );
    assert.equal(renderedFrom(message), revision);
    assert.equal(renderedFrom('Something else\n'), undefined);
  });
});

describe('the branch of rendered objects', () => {
  const cluster = (branch: string): string =>
    `apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  publish:\n    rendered: {branch: "${branch}"}\n`;
  const errors = async (branch: string, follows: Parameters<typeof withRenderedBranchJudged>[1]): Promise<string[]> =>
    withRenderedBranchJudged(await rendering({ 'plumbline.yaml': cluster(branch) }), follows)
      .diagnostics.filter(({ severity }) => severity === 'error')
      .map(({ code, file, line }) => `${code} ${file}:${line}`);

  it('is not the one that is followed', async () => {
    assert.deepEqual(await errors('main', { branch: 'main' }), ['RenderedBranchFollowed plumbline.yaml:1']);
    assert.deepEqual(await errors('rendered', { branch: 'main' }), []);
    assert.deepEqual(await errors('main', { tag: 'v1' }), []);
  });

  for (const name of [
    'a..b',
    '-x',
    '/x',
    'x/',
    'x.lock',
    'a//b',
    'a/.b',
    'a b',
    'a~1',
    'refs/heads/x',
    'HEAD',
    '',
    'x.',
    '@{u}',
  ])
    it(`has no name like ${JSON.stringify(name)}`, async () => {
      assert.match((await errors(name, { branch: 'main' })).join(), /InvalidValue/);
    });
});
