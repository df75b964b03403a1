/** One mistake, one line: a manifest with one mistake, and a mark (▶) where a person would point. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';

const MARK = '▶';

export type Case = readonly [mistake: string, manifest: string, code: string, words: RegExp];

export const pod = (spec: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: web\n    image: nginx:1.27\n${spec}`;

/** What is said must be one finding, at that place, in words about that mistake. */
export function findsIt([mistake, marked, code, words]: Case): void {
  it(mistake, () => {
    const at = marked.indexOf(MARK);
    const before = marked.slice(0, at).split('\n');
    const place = `f.yaml:${before.length}:${(before.at(-1) ?? '').length + 1}`;
    const file = parseManifest('f.yaml', 'oid', new TextEncoder().encode(marked.replace(MARK, '')));
    const { objects } = file;
    // Whether there is a kind is known when all files are read.
    const { diagnostics } = file.custom.length > 0 ? composeState([file], []) : file;
    const said = diagnostics.map(formatDiagnostic);
    assert.equal(said.length, 1, said.join('\n'));
    const [line = ''] = said;
    assert.ok(line.startsWith(`${place} ${code} `), `${line}\nis not at ${place}`);
    assert.match(line.slice(`${place} ${code} `.length), words);
    assert.doesNotMatch(line, /[^\x20-\x7e]/);
    assert.deepEqual(objects, []);
  });
}
