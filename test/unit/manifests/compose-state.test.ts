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
