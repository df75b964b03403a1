import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  composeState,
  fileTooLarge,
  parseManifest,
  type ParsedFile,
} from '../../../reconciler/core/manifests/index.ts';

function file(path: string, text: string): ParsedFile {
  return parseManifest(path, path, new TextEncoder().encode(text));
}
const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`;
const configMap = (name: string, ns: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${ns}}\n`;

function codes(files: readonly ParsedFile[]): string[] {
  return composeState(files, []).diagnostics.map((d) => `${d.file}:${d.line} ${d.code}`);
}

describe('objects of several files', () => {
  it('are one state', () => {
    const { state, diagnostics } = composeState(
      [file('b.yaml', configMap('c', 'team')), file('a.yaml', namespace('team'))],
      [],
    );
    assert.deepEqual(diagnostics, []);
    assert.deepEqual([...state.keys()], ['namespaces//team', 'configmaps/team/c']);
  });

  it('may not say the same object twice; the first by path stays', () => {
    const { state, diagnostics } = composeState(
      [file('b.yaml', configMap('c', 'default')), file('a.yaml', configMap('c', 'default'))],
      [],
    );
    assert.deepEqual(
      diagnostics.map((d) => [d.file, d.code, d.message]),
      [['b.yaml', 'DuplicateObject', 'ConfigMap c in namespace default is already at a.yaml:1']],
    );
    assert.equal(state.get('configmaps/default/c')?.position.file, 'a.yaml');
  });

  it('give the same answer in any order', () => {
    const files = [
      file('a.yaml', configMap('x', 'none')),
      file('b.yaml', 'nonsense'),
      file('c.yaml', configMap('x', 'none')),
      file('d.yaml', configMap('5', 'default')),
    ];
    const forwards = composeState(files, [fileTooLarge('z.yaml')]);
    const backwards = composeState([...files].reverse(), [fileTooLarge('z.yaml')]);
    assert.deepEqual(backwards.diagnostics, forwards.diagnostics);
    assert.deepEqual([...backwards.state], [...forwards.state]);
  });
});

describe('namespaces', () => {
  it('must be in Git, but for default', () => {
    assert.deepEqual(codes([file('a.yaml', configMap('c', 'default')), file('b.yaml', configMap('c', 'elsewhere'))]), [
      'b.yaml:3 UnknownNamespace',
    ]);
  });

  it('count as declared when their own manifest has another mistake', () => {
    assert.deepEqual(
      codes([
        file('a.yaml', `${namespace('team')}spec: {finalizers: [mine]}\n`),
        file('b.yaml', configMap('c', 'team')),
      ]),
      ['a.yaml:4 UnsupportedField'],
    );
  });

  it('are not held against others while a file cannot be read', () => {
    assert.deepEqual(codes([file('a.yaml', 'a: [unclosed'), file('b.yaml', configMap('c', 'team'))]), [
      'a.yaml:1 InvalidYaml',
    ]);
  });
});

describe('mistakes between very many objects', () => {
  const many = (count: number): ParsedFile[] =>
    Array.from({ length: Math.ceil(count / 100) }, (_, part) =>
      file(
        `f${String(part).padStart(3, '0')}.yaml`,
        Array.from({ length: Math.min(100, count - part * 100) }, (_none, i) =>
          configMap(`c${part}-${i}`, 'nowhere'),
        ).join('---\n'),
      ),
    );

  it('are told up to a number, with how many more there are', () => {
    const { diagnostics } = composeState(many(700), []);
    assert.equal(diagnostics.length, 501);
    const last = diagnostics.find(({ code }) => code === 'TooManyErrors');
    assert.deepEqual([last?.severity, last?.code], ['error', 'TooManyErrors']);
    assert.equal(last?.message, '200 more errors between objects are not shown');
  });

  it('are all told where they are no more than that', () => {
    assert.equal(composeState(many(500), []).diagnostics.length, 500);
  });

  it('are not hidden by warnings', () => {
    const pods = Array.from({ length: 30 }, (_, part) =>
      file(
        `a${part}.yaml`,
        Array.from(
          { length: 20 },
          (_none, i) =>
            `apiVersion: v1\nkind: Pod\nmetadata: {name: p${part}-${i}}\nspec:\n  containers: [{name: a, image: b, envFrom: [{secretRef: {name: absent}}]}]\n`,
        ).join('---\n'),
      ),
    );
    const { diagnostics } = composeState([...pods, file('z.yaml', configMap('c', 'nowhere'))], []);
    const of = (severity: string): number => diagnostics.filter((one) => one.severity === severity).length;
    assert.deepEqual([of('error'), of('warning')], [1, 501]);
  });
});
