import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { plainOf, readLocated } from '../../../reconciler/core/import/located.ts';
import { Report } from '../../../reconciler/core/import/report.ts';
import { manifestsText } from '../../../reconciler/core/import/write-yaml.ts';

function readBack(text: string): unknown[] {
  const report = new Report();
  const values = readLocated('a.yaml', text, report).map(plainOf);
  assert.deepEqual(report.sorted(), []);
  return values;
}

describe('manifests that an import writes', () => {
  it('are read as they were meant', () => {
    const words = [
      'yes',
      'on',
      'n',
      '0644',
      '0o17',
      '1e3',
      '22:22',
      '~',
      'null',
      '.5',
      '<<',
      '- a',
      'a: b',
      '#c',
      '',
      ' a ',
      'a\nb',
      'a\n\n',
      '\ta',
      '!x',
      '*x',
      '&x',
      '2024-01-01',
      '1_000',
      '\u0085',
      '\u202e',
    ];
    const object = { words, map: Object.fromEntries(words.map((word) => [`k${word}`, word])) };
    assert.deepEqual(readBack(manifestsText([{ object }, { object: { a: 1 } }])), [object, { a: 1 }]);
  });

  it('are read as they were meant, whatever they hold', () => {
    const text = fc
      .string({ unit: 'grapheme', maxLength: 40 })
      .filter((s) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(s));
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.integer(),
        fc.boolean(),
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[a-z][a-zA-Z0-9./-]{0,12}$/), tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{2,8}$/), value, { minKeys: 1, maxKeys: 4 }), (object) => {
        const plain = JSON.parse(JSON.stringify(object)) as unknown;
        assert.deepEqual(readBack(manifestsText([{ object }])), [plain]);
      }),
      { numRuns: 300 },
    );
  });

  it('have comments that can become no field', () => {
    const text = manifestsText([
      { object: { kind: 'A', spec: { b: 1 } }, comments: ['one\nkind: B'], notes: [[['spec', 'b'], 'two\r\n c: 3']] },
    ]);
    assert.equal(text, '# one kind: B\nkind: A\nspec:\n  # two c: 3\n  b: 1\n');
  });
});
