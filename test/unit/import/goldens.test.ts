/**
 * Whole small repositories, in the style that people write them. `in` is imported, `out` is what has to come of it, and
 * `findings.txt` what has to be told. PLUMB_WRITE_GOLDENS=1 writes both anew: read the difference.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import {
  importArgo,
  importCompose,
  importFlux,
  type Imported,
  type SourceTree,
} from '../../../reconciler/core/import/index.ts';
import { formatDiagnostic } from '../../../reconciler/core/manifests/index.ts';
import { errorsOf, FIXTURES, folderTexts, plainFiles, rendered, resultOf, treeOf } from './trees.ts';

const IMPORTS: Readonly<Record<string, (tree: SourceTree) => Imported>> = {
  'compose-shop': (tree) => importCompose(tree, { name: 'shop' }),
  'compose-home': (tree) => importCompose(tree, { name: 'home' }),
  'argocd-home': (tree) => importArgo(tree),
  'flux-home': (tree) => importFlux(tree, {}),
  'flux-overlays': (tree) => importFlux(tree, { cluster: 'clusters/production' }),
};

for (const [name, convert] of Object.entries(IMPORTS)) {
  describe(`import of ${name}`, () => {
    const folder = join(FIXTURES, name);
    const source = folderTexts(join(folder, 'in'));
    const imported = convert(treeOf(source));
    // Compose is left behind, of the others the tree stays.
    const result = resultOf(imported, name.startsWith('compose') ? {} : source);
    const findings = imported.findings.map((finding) => `${formatDiagnostic(finding)}\n`).join('');
    if (process.env['PLUMB_WRITE_GOLDENS'] === '1') write(folder, result, findings);

    it('writes what is expected', () => {
      assert.deepEqual(result, folderTexts(join(folder, 'out')));
    });

    it('tells what is expected', () => {
      assert.equal(findings, readFileSync(join(folder, 'findings.txt'), 'utf8'));
    });

    it('gives what passes a check', async () => {
      const { diagnostics } = await rendered(plainFiles(result));
      assert.deepEqual(errorsOf(diagnostics), []);
      assert.ok(Object.keys(result).length > 0);
    });

    it('writes and tells no secret', () => {
      const planted = Object.values(source).flatMap((text) => text.match(/canary-[\w-]+/g) ?? []);
      const told = JSON.stringify([result, findings]);
      assert.deepEqual(
        planted.filter((secret) => told.includes(secret)),
        [],
      );
    });
  });
}

function write(folder: string, result: Readonly<Record<string, string>>, findings: string): void {
  const out = join(folder, 'out');
  if (existsSync(out)) rmSync(out, { recursive: true });
  for (const [path, text] of Object.entries(result)) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), text);
  }
  writeFileSync(join(folder, 'findings.txt'), findings);
}
