import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  fileTooLarge,
  formatDiagnostic,
  ManifestCache,
  parseManifest,
  selectManifestFiles,
} from '../../../reconciler/core/manifests/index.ts';

describe('which files are manifests', () => {
  const cases: readonly (readonly [path: string, mode: string, outcome: string])[] = [
    ['plumbline.yaml', '100644', 'read'],
    ['apps/web/deploy.yml', '100755', 'read'],
    ['Apps/Web.YAML', '100644', 'read'],
    ['README.md', '100644', 'ignored'],
    ['apps/web.json', '100644', 'read'],
    ['apps/data.jsonnet', '100644', 'ignored'],
    ['apps/kustomization.yaml', '100644', 'NeedsRendering'],
    ['kustomization.yml', '100644', 'NeedsRendering'],
    ['apps/my-kustomization.yaml', '100644', 'read'],
    ['apps/Chart.yaml', '100644', 'NeedsRendering'],
    ['.charts/web/Chart.yaml', '100644', 'ignored'],
    ['.github/workflows/ci.yaml', '100644', 'ignored'],
    ['apps/.sops.yaml', '100644', 'ignored'],
    ['.hidden-link', '120000', 'ignored'],
    ['link.yaml', '120000', 'SymlinkRefused'],
    ['apps', '120000', 'SymlinkRefused'],
    ['vendor/chart', '160000', 'submodule'],
    ['.vendor/chart', '160000', 'ignored'],
    ['../etc/passwd.yaml', '100644', 'PathRefused'],
    ['a/../../b.yaml', '100644', 'PathRefused'],
    ['/etc/a.yaml', '100644', 'PathRefused'],
    ['a//b.yaml', '100644', 'PathRefused'],
    ['a/./b.yaml', '100644', 'PathRefused'],
    ['a\\..\\b.yaml', '100644', 'PathRefused'],
    ['a\u0000b.yaml', '100644', 'PathRefused'],
    ['a\nb.yaml', '100644', 'PathRefused'],
  ];
  for (const [path, mode, outcome] of cases) {
    it(`${JSON.stringify(path)} ${mode}: ${outcome}`, () => {
      const { manifests, submodules, diagnostics } = selectManifestFiles([{ path, mode, oid: 'o' }]);
      const found = [...manifests.map(() => 'read'), ...submodules.map(() => 'submodule')];
      assert.deepEqual([...found, ...diagnostics.map(({ code }) => code)], outcome === 'ignored' ? [] : [outcome]);
      for (const d of diagnostics) assert.doesNotMatch(formatDiagnostic(d), /[\u0000-\u001f]/);
    });
  }

  it('tells of a Helm chart once, and reads nothing of it', () => {
    const paths = [
      'charts/web/Chart.yaml',
      'charts/web/values.yaml',
      'charts/web/templates/deploy.yaml',
      'charts/web/charts/db/Chart.yaml',
      'charts/web/link',
      'charts/website/a.yaml',
      'a.yaml',
    ];
    const { manifests, diagnostics } = selectManifestFiles(
      paths.map((path) => ({ path, mode: path.endsWith('link') ? '120000' : '100644', oid: 'o' })),
    );
    assert.deepEqual(
      manifests.map((f) => f.path),
      ['charts/website/a.yaml', 'a.yaml'],
    );
    assert.deepEqual(
      diagnostics.map((d) => `${d.file} ${d.code}`),
      ['charts/web/Chart.yaml NeedsRendering'],
    );
    assert.match(
      formatDiagnostic(
        selectManifestFiles([
          { path: 'Chart.yaml', mode: '100644', oid: 'o' },
          { path: 'b.yaml', mode: '100644', oid: 'o' },
        ]).diagnostics[0]!,
      ),
      /this repository a Helm chart/,
    );
  });

  it('says how large a file is', () => {
    assert.match(
      formatDiagnostic(fileTooLarge('big.yaml', 50 * 1024 * 1024)),
      /^big\.yaml:1:1 FileTooLarge big\.yaml is a file of 50\.0 MiB/,
    );
    assert.match(fileTooLarge('big.yaml').message, /at most 1 MiB/);
    assert.match(
      formatDiagnostic(fileTooLarge('data.json')),
      /^data\.json:1:1 FileTooLarge warning: .*was not read; if it holds manifests, split it/,
    );
  });
});

describe('the cache of parsed files', () => {
  const file = parseManifest(
    'a.yaml',
    'oid-1',
    new TextEncoder().encode('apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n'),
  );

  it('answers for the same blob at the same path only', () => {
    const cache = new ManifestCache();
    cache.set(file);
    assert.equal(cache.get('a.yaml', 'oid-1'), file);
    assert.equal(cache.get('b.yaml', 'oid-1'), undefined);
    assert.equal(cache.get('a.yaml', 'oid-2'), undefined);
  });

  it('forgets what the newest revision does not have', () => {
    const cache = new ManifestCache();
    cache.set(file);
    cache.prune([{ path: 'a.yaml', oid: 'oid-1' }]);
    assert.equal(cache.size, 1);
    cache.prune([{ path: 'a.yaml', oid: 'oid-2' }]);
    assert.equal(cache.size, 0);
  });
});
