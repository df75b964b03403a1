/** Variables that an App takes from objects, through the rendering of a commit: no engine is needed for plain YAML. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { formatDiagnostic, ManifestCache, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import type { OpenEnvelope } from '../../../reconciler/core/revisions/parse-sealed.ts';
import { renderFiles } from '../../../reconciler/core/revisions/render.ts';
import { MemorySecretDecryptor } from '../../../reconciler/adapters/memory/secret-decryptor.ts';
import { isOpaqueSecret } from '../../../reconciler/core/secrets/opaque.ts';
import { PLANE, SECRET as SEALED, sops } from '../secrets/sealed-files.ts';

type Files = Readonly<Record<string, string>>;

const app = (from: readonly object[], values: object = {}): string =>
  `${JSON.stringify({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'App',
    metadata: { name: 'web' },
    spec: { path: 'web', namespace: 'web', substitute: { from, values } },
  })}\n`;
const object = (kind: string, name: string, data: string, namespace = 'web'): string =>
  `---\napiVersion: v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\n${kind === 'Secret' ? 'stringData' : 'data'}: ${data}\n`;
const map = (value: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\ndata:\n  value: ${value}\n`;
const secret = (value: string, more = ''): string =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: made\n${more}stringData:\n  value: ${value}\n`;

interface Found {
  readonly told: readonly string[];
  readonly value: string | undefined;
}

async function rendered(
  plain: string,
  made: string,
  cache = new ManifestCache(),
  { more = {}, open }: { readonly more?: Files; readonly open?: OpenEnvelope } = {},
): Promise<Found & Rendering> {
  const namespace = '---\napiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n';
  const files: Files = { 'app.yaml': `${plain}${namespace}`, 'web/made.yaml': made, ...more };
  const bytes = (text = ''): Uint8Array => new TextEncoder().encode(text);
  const tree = Object.entries(files).map(([path, text]) => ({
    path,
    mode: '100644',
    oid: createHash('sha1').update(text).digest('hex'),
  }));
  const rendering = await renderFiles(tree, ({ path }) => Promise.resolve(bytes(files[path])), cache, {
    ...(open && { open }),
  });
  const { object: of } = rendering.state.get('configmaps/web/made') ?? rendering.state.get('secrets/web/made') ?? {};
  const value = of?.kind === 'ConfigMap' || of?.kind === 'Secret' ? of.data?.['value'] : undefined;
  return {
    ...rendering,
    told: rendering.diagnostics.map(formatDiagnostic),
    value: of?.kind === 'Secret' ? Buffer.from(value ?? '', 'base64').toString('utf8') : value,
  };
}

const CONFIG = { kind: 'ConfigMap', name: 'config' };
const SECRET = { kind: 'Secret', name: 'secret' };

describe('substitute.from', () => {
  it("takes every key of a ConfigMap in the App's namespace, later ones before earlier, and its own values before all", async () => {
    const plain = [
      app([CONFIG, { kind: 'ConfigMap', name: 'more' }], { C: 'own' }),
      object('ConfigMap', 'config', '{A: config, B: config, C: config}'),
      object('ConfigMap', 'more', '{B: more, C: more}'),
      object('ConfigMap', 'more', '{A: of another namespace}', 'default'),
    ].join('');
    const { told, value } = await rendered(plain, map('${A} ${B} ${C}'));
    assert.deepEqual([told, value], [[], 'config more own']);
  });

  it('tells of an object that is not there, unless it is optional', async () => {
    const { told } = await rendered(app([CONFIG]), map('x'));
    assert.match(told.join('\n'), /^app\.yaml:1:\d+ MissingReference ConfigMap config is in no manifest of the App's/);
    const { told: none, value } = await rendered(app([{ ...CONFIG, optional: true }]), map('${A:=x}'));
    assert.deepEqual([none, value], [[], 'x']);
  });
});

describe('a variable of a Secret', () => {
  const plain = (token = 's3cret'): string =>
    `${app([SECRET])}${object('Secret', 'secret', JSON.stringify({ TOKEN: token }))}`;

  for (const [title, text, token, value] of [
    ['data', secret('${DATA}').replace('stringData', 'data'), 'canary', 'canary'],
    ['stringData', secret('"a ${TOKEN} b"'), 's3cret', 'a s3cret b'],
    ['stringData, where it is the text that stands in for others', secret('${TOKEN}'), 'x', 'x'],
  ] as const)
    it(`goes into ${title}`, async () => {
      const base64 = Buffer.from(token).toString('base64');
      const own = `${app([SECRET])}${object('Secret', 'secret', JSON.stringify({ TOKEN: token, DATA: base64 }))}`;
      const found = await rendered(own, text);
      assert.deepEqual([found.told, found.value], [[], value]);
    });

  for (const [title, text, line, token] of [
    ['of a ConfigMap', map('${TOKEN}'), 6],
    ['of a ConfigMap, though it has a default', map('${TOKEN:=none}'), 6],
    ["of a Secret's labels", secret('${TOKEN}', '  labels: {a: "${TOKEN}"}\n'), 5],
    ["of a Secret's name", secret('x').replace('made', '${TOKEN}'), 4],
    ['of the kind', map('x').replace('ConfigMap', '${TOKEN}'), 2, 'ConfigMap'],
    ['of a ConfigMap, with a comment in the value', map('${TOKEN}'), 6, 's3cret #'],
    ['of a ConfigMap, with the value that stands in for others', map('${TOKEN}'), 6, 'x'],
    ['of a Secret, with a value that makes another object', secret('"${TOKEN}"'), 6, '"\n---\nkind: ConfigMap\na: "'],
    ['of what looks like a Secret', `# kind: Secret\n${map('"\\\n  ${TOKEN}"')}`, 8],
    ['of a text that cannot be read', map('{ ${TOKEN}'), 6],
  ] as const)
    it(`is refused in a place ${title}, at its line, and is not told`, async () => {
      const { told, value, state } = await rendered(plain(token), text);
      assert.equal(told.length, 1, told.join('\n'));
      assert.match(
        told[0] ?? '',
        new RegExp(`^web/made\\.yaml:${line}:1 SecretExposed App web: the variable TOKEN is of`),
      );
      assert.doesNotMatch(told.join('\n'), /s3cret/);
      assert.equal(value, undefined);
      assert.deepEqual(
        [...state.values()].filter((one) => one.app !== undefined),
        [],
      );
    });

  it('is none once a ConfigMap or the App has it with a value of its own, and becomes one again', async () => {
    const cache = new ManifestCache();
    const over = `${app([SECRET, CONFIG])}${object('Secret', 'secret', '{TOKEN: open}')}${object('ConfigMap', 'config', '{TOKEN: open}')}`;
    assert.deepEqual((await rendered(over, map('${TOKEN}'), cache)).told, []);
    const own = `${app([SECRET], { TOKEN: 'open' })}${object('Secret', 'secret', '{TOKEN: open}')}`;
    assert.deepEqual((await rendered(own, map('${TOKEN}'), cache)).told, []);
    assert.match((await rendered(plain('open'), map('${TOKEN}'), cache)).told.join('\n'), /SecretExposed/);
  });

  it('with a value that is wrong for a Secret is not told', async () => {
    const { told } = await rendered(plain('1234567'), secret('${TOKEN}'));
    assert.equal(told.length, 1);
    assert.doesNotMatch(told.join('\n'), /1234567/);
  });

  describe('that is encrypted', () => {
    const more = { 'db.yaml': sops(SEALED.replace('namespace: shop', 'namespace: web')) };
    const own = app([{ kind: 'Secret', name: 'db' }]);
    const text = secret('"in ${password}"', '');

    it('has its value where it is opened', async () => {
      const decryptor = new MemorySecretDecryptor([PLANE]);
      const open: OpenEnvelope = (envelope) => decryptor.open(envelope, new AbortController().signal);
      const { told, value } = await rendered(own, text, new ManifestCache(), { more, open });
      assert.deepEqual([told, value], [[], 'in s3cret-canary']);
    });

    for (const made of [
      text,
      secret('${password}'),
      text.replace('"in ${password}"', '${password}').replace('stringData', 'data'),
    ])
      it(`makes a Secret that is as unknown where nobody opens it, and no error: ${made.split('\n').slice(4, 6).join(' ')}`, async () => {
        const { told, state } = await rendered(own, made, new ManifestCache(), { more });
        assert.deepEqual(told, []);
        const found = state.get('secrets/web/made');
        assert.ok(isOpaqueSecret(found?.object));
        assert.deepEqual(found?.written['data'], found?.object.kind === 'Secret' && found.object.data);
      });

    it('is refused outside of a Secret where nobody opens it, too', async () => {
      const { told } = await rendered(own, map('${password}'), new ManifestCache(), { more });
      assert.equal(told.length, 1);
      assert.match(told[0] ?? '', /SecretExposed/);
    });
  });
});
