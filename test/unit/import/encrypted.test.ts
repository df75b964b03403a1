/** Files that SOPS encrypted, in trees of Flux and Argo CD. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importArgo, importFlux } from '../../../reconciler/core/import/index.ts';
import { formatDiagnostic } from '../../../reconciler/core/manifests/index.ts';
import { PLANE, SECRET, sops } from '../secrets/sealed-files.ts';
import { resultOf, treeOf } from './trees.ts';

const FLUX =
  'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: x, namespace: flux-system }\nspec:\n  prune: true\n  path: ./b\n  sourceRef: { kind: GitRepository, name: flux-system }\n';
const ARGO =
  'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: x }\nspec:\n  source: { repoURL: "https://git.example.com/a.git", path: b }\n  destination: { namespace: shop }\n  syncPolicy: { automated: { prune: true } }\n';
const CONFIG_MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c, namespace: shop }\ndata:\n  a: canary\n';
const whole = (text: string): string => sops(text, [PLANE], { rules: {} });
const data = (text: string): string => sops(text, [PLANE], { rules: { encrypted_regex: '^(data)$' } });

const cases: readonly (readonly [says: string, files: Readonly<Record<string, string>>, told: readonly string[]])[] = [
  ['a Secret stays as it is', { 'b/db.yaml': sops(SECRET) }, []],
  [
    'a ConfigMap is refused',
    { 'b/c.yaml': data(CONFIG_MAP) },
    ['b/c.yaml:5:6 EncryptedField data.a is encrypted; only values of data and stringData of a Secret may be'],
  ],
  [
    'a file of a generator is refused',
    {
      'b/kustomization.yaml': 'secretGenerator: [{ name: c, envs: [.env], files: [key=sub/c.yaml] }]\n',
      'b/.env': whole('A: canary\n'),
      'b/sub/c.yaml': whole('A: canary\n'),
    },
    [
      'b/.env:1:1 SourceInvalid b/.env is encrypted with SOPS, and an engine would have to read it',
      'b/sub/c.yaml:1:1 SourceInvalid b/sub/c.yaml is encrypted with SOPS, and an engine would have to read it',
    ],
  ],
  [
    'what nobody reads is not told of',
    {
      'b/kustomization.yaml': 'resources: [db.yaml]\n',
      'b/db.yaml': sops(SECRET),
      'b/talos.sops.yaml': whole('a: canary\n'),
    },
    [],
  ],
];

for (const [of, importer] of [
  ['Flux', (files: Readonly<Record<string, string>>) => importFlux(treeOf({ 'x.yaml': FLUX, ...files }), {})],
  ['Argo CD', (files: Readonly<Record<string, string>>) => importArgo(treeOf({ 'x.yaml': ARGO, ...files }))],
] as const)
  describe(`a file that SOPS encrypted, in a tree of ${of}`, () => {
    for (const [says, files, told] of cases)
      it(says, () => {
        const result = importer(files);
        const findings = result.findings.map(formatDiagnostic);
        assert.equal(findings.length, told.length, findings.join('\n'));
        for (const [i, line] of told.entries()) assert.ok(findings[i]?.startsWith(line), findings[i]);
        const kept = resultOf(result, files);
        for (const [path, text] of Object.entries(files)) assert.equal(kept[path], text);
        assert.doesNotMatch(JSON.stringify(result), /canary/);
      });
  });

it('an encrypted file of values is refused, and nothing of it told', () => {
  const spec = ARGO.replace('path: b }', 'path: b, helm: { valueFiles: [v.yaml] } }');
  const { findings } = importArgo(
    treeOf({ 'x.yaml': spec, 'b/Chart.yaml': 'name: b\nversion: 1.0.0\n', 'b/v.yaml': whole('a: canary\n') }),
  );
  assert.match(findings.map(formatDiagnostic).join('\n'), /^b\/v\.yaml:1:1 SourceInvalid b\/v\.yaml is encrypted/);
});
