/**
 * What a null in a manifest is, as in Kubernetes 1.35: a field of an object is not set; a value of a map with free keys
 * and an entry of a list have the zero value of their type. Sources: Go's encoding/json; Quantity.UnmarshalJSON.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDiagnostic, parseManifest, type ParsedFile } from '../../../reconciler/core/manifests/index.ts';
import { valueAt } from '../../../reconciler/core/manifests/yaml-tree.ts';

const parse = (text: string): ParsedFile => parseManifest('f.yaml', 'oid', new TextEncoder().encode(text));
const head = (kind: string): string => `apiVersion: v1\nkind: ${kind}\n`;
const pod = (spec: string, more = ''): string =>
  `${head('Pod')}metadata: {name: a}\nspec:\n  containers:\n  - {name: a, image: b, ${more}}\n${spec}`;

describe('a null that has a value', () => {
  const C = ['spec', 'containers', 0] as const;
  const cases: readonly (readonly [string, readonly (string | number)[], unknown])[] = [
    [`${head('ConfigMap')}metadata: {name: a}\ndata: {a: null, b: c}`, ['data'], { a: '', b: 'c' }],
    [`${head('ConfigMap')}metadata: {name: a}\nbinaryData: {a: ~}`, ['binaryData'], { a: '' }],
    [`${head('Secret')}metadata: {name: a}\ndata: {a: }`, ['data'], { a: '' }],
    [`${head('Secret')}metadata: {name: a}\nstringData: {a: null}`, ['data'], { a: '' }],
    [`${head('Namespace')}metadata: {name: a, labels: {a: null}}`, ['metadata', 'labels'], { a: '' }],
    [`${head('Namespace')}metadata: {name: a, annotations: {a: null}}`, ['metadata', 'annotations'], { a: '' }],
    [
      `${head('Service')}metadata: {name: a}\nspec: {selector: {a: }, ports: [{port: 1}]}`,
      ['spec', 'selector'],
      { a: '' },
    ],
    [pod('  nodeSelector: {a: null}'), ['spec', 'nodeSelector'], { a: '' }],
    [pod('', 'command: [a, null]'), [...C, 'command'], ['a', '']],
    [pod('', 'resources: {requests: {cpu: null}}'), [...C, 'resources', 'requests'], { cpu: '0' }],
    [
      pod('  securityContext: {supplementalGroups: [null, 5]}'),
      ['spec', 'securityContext', 'supplementalGroups'],
      [0, 5],
    ],
    [
      `${head('ResourceQuota')}metadata: {name: a}\nspec: {hard: {services: null}}`,
      ['spec', 'hard'],
      { services: '0' },
    ],
  ];
  for (const [text, path, expected] of cases) {
    it(text.replaceAll('\n', ' | '), () => {
      const { objects, diagnostics } = parse(text);
      assert.deepEqual(
        diagnostics.map(({ severity, code }) => [severity, code]),
        [['warning', 'NoValue']],
      );
      assert.deepEqual(valueAt(objects[0]?.object, path), expected);
      // It is Git's, and not a default.
      assert.deepEqual(valueAt(objects[0]?.written, path), expected);
    });
  }

  it('is told once for an object, at its place', () => {
    const { diagnostics } = parse(`${head('ConfigMap')}metadata: {name: a}\ndata:\n  x: z\n  a:\n  b: ~\n  c: null\n`);
    assert.deepEqual(diagnostics.map(formatDiagnostic), [
      'f.yaml:6:3 NoValue warning: data.a has no value, and is read as "", as Kubernetes does; the same holds of 2 more values of this object; write the value that is meant',
    ]);
  });
});

describe('a null that is a field that is not set', () => {
  const cases: readonly (readonly [string, readonly (string | number)[], unknown])[] = [
    [`${head('ConfigMap')}metadata: {name: a, labels: null, creationTimestamp: null}\ndata: ~`, ['data'], undefined],
    [pod('', 'env: [{name: A, value: null}]'), ['spec', 'containers', 0, 'env'], [{ name: 'A' }]],
    [pod('  nodeSelector: null'), ['spec', 'nodeSelector'], undefined],
    [pod('  terminationGracePeriodSeconds: null'), ['spec', 'terminationGracePeriodSeconds'], 30],
    [pod('', 'ports: null, securityContext: ~'), ['spec', 'containers', 0, 'ports'], undefined],
  ];
  for (const [text, path, expected] of cases) {
    it(text.replaceAll('\n', ' | '), () => {
      const { objects, diagnostics } = parse(text);
      assert.deepEqual(diagnostics.map(formatDiagnostic), []);
      assert.deepEqual(valueAt(objects[0]?.object, path), expected);
    });
  }
});

describe('a null whose zero value is refused, in Kubernetes too', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [pod('', 'env: [null]'), /env\[0\] must be a map of fields, found nothing \(null\)/],
    [pod('  tolerations: [null]'), /tolerations\[0\] must be a map of fields/],
    [`${head('Namespace')}metadata: {name: a, finalizers: [null]}`, /metadata\.finalizers\[0\] must/],
    [`${head('ConfigMap')}metadata: {name: null}`, /metadata\.name must be text, found nothing \(null\)/],
  ];
  for (const [text, expected] of cases) {
    it(text.replaceAll('\n', ' | '), () => {
      const errors = parse(text).diagnostics.filter(({ severity }) => severity === 'error');
      assert.match(errors.map(formatDiagnostic).join('\n'), expected);
    });
  }
});
