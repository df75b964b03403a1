/** Secrets that the External Secrets operator would have made are told of, in trees of Flux and Argo CD. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importArgo, importFlux } from '../../../reconciler/core/import/index.ts';
import { formatDiagnostic } from '../../../reconciler/core/manifests/index.ts';
import { resultOf, treeOf } from './trees.ts';

const FLUX =
  'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: x, namespace: flux-system }\nspec:\n  prune: true\n  path: ./b\n  sourceRef: { kind: GitRepository, name: flux-system }\n';
const ARGO =
  'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: x }\nspec:\n  source: { repoURL: "https://git.example.com/a.git", path: b }\n  destination: { namespace: shop }\n  syncPolicy: { automated: { prune: true } }\n';
const external = (kind: string, spec: object, metadata: object = { name: 'web' }): string =>
  JSON.stringify({ apiVersion: 'external-secrets.io/v1', kind, metadata, spec });
const data = (...keys: readonly string[]): object[] =>
  keys.map((secretKey) => ({ secretKey, remoteRef: { key: 'canary', property: secretKey } }));

const cases: readonly (readonly [what: string, text: string, told: string])[] = [
  [
    'by its own name, with the keys that are fetched',
    external('ExternalSecret', { data: data('A', 'B') }, { name: 'web', namespace: 'shop' }),
    'ExternalSecret web would have made the Secret web with the keys A, B in the namespace shop; write that Secret, encrypted (`plumb secret encrypt`), and take this object out',
  ],
  [
    'by the name of its target, with the keys of its template',
    external('ExternalSecret', {
      target: { name: 'web-env', template: { type: 'kubernetes.io/tls', data: { URL: '{{ .A }}' } } },
      data: data('A'),
      dataFrom: [{ extract: { key: 'shop' } }],
    }),
    'ExternalSecret web would have made the Secret web-env of type kubernetes.io/tls with the key URL;',
  ],
  [
    'with what a template adds, and all of an entry',
    external('ExternalSecret', {
      target: { template: { mergePolicy: 'Merge', data: { URL: 'x' } } },
      data: data('A'),
      dataFrom: [{ extract: { key: 'shop' } }, { find: { name: { regexp: '.*' } } }],
    }),
    'ExternalSecret web would have made the Secret web with the keys A, URL and all that shop, what it searches for has;',
  ],
  [
    'that another one makes',
    external('ExternalSecret', { target: { creationPolicy: 'Merge' }, data: data('A') }),
    'ExternalSecret web would have added to the Secret web with the key A;',
  ],
  [
    'in many namespaces',
    external('ClusterExternalSecret', { externalSecretName: 'pull', externalSecretSpec: { data: data('A') } }),
    'ClusterExternalSecret web would have made the Secret pull with the key A in each namespace that it selects;',
  ],
  [
    'of a store nothing',
    external('ClusterSecretStore', {}),
    'ClusterSecretStore web is not carried over: nothing here asks stores of secrets;',
  ],
];

for (const [of, importer] of [
  ['Flux', (files: Readonly<Record<string, string>>) => importFlux(treeOf({ 'x.yaml': FLUX, ...files }), {})],
  ['Argo CD', (files: Readonly<Record<string, string>>) => importArgo(treeOf({ 'x.yaml': ARGO, ...files }))],
] as const)
  describe(`a Secret of an external store, in a tree of ${of}, is told of`, () => {
    for (const [what, text, told] of cases)
      it(what, () => {
        const files = { 'b/c.yaml': `kind: ConfigMap\n---\n${text}\n` };
        const result = importer(files);
        const lines = result.findings.map(formatDiagnostic).filter((line) => line.includes('NotCarriedOver'));
        assert.deepEqual(lines.length, 1, lines.join('\n'));
        assert.ok(lines[0]?.startsWith(`b/c.yaml:3:1 NotCarriedOver warning: ${told}`), lines[0]);
        assert.equal(resultOf(result, files)['b/c.yaml'], files['b/c.yaml']);
        assert.doesNotMatch(lines[0] ?? '', /canary/);
      });
  });

it('what only names the operator is not told of', () => {
  const { findings } = importArgo(
    treeOf({ 'x.yaml': ARGO, 'b/c.yaml': 'kind: ConfigMap\nmetadata: { name: external-secrets.io/v1 }\n' }),
  );
  assert.doesNotMatch(findings.map(formatDiagnostic).join('\n'), /would have made/);
});
