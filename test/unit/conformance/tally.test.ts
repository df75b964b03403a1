import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { behavioursNamed, readBehaviours, type Behaviour, type BehaviourClass } from '../../conformance/behaviours.ts';
import { ConformanceRecord, readResults } from '../../conformance/results.ts';
import { tally } from '../../conformance/tally.ts';
import { makeFolder } from '../../support/folder.ts';

const TESTS = fileURLToPath(new URL('../../', import.meta.url));
const folder = makeFolder('plumb-conformance-');
after(() => rmSync(folder, { recursive: true }));

function behaviour(id: string, word: BehaviourClass = 'pod'): Behaviour {
  return { id, area: 'Node', class: word, testname: id, summary: id };
}

const BEHAVIOURS = ['a', 'b', 'c', 'd', 'e'].map((id) => behaviour(id));

describe('conformance', () => {
  it('finds the ids at the end of a title, and nowhere else', () => {
    const rows: readonly (readonly [string, readonly string[]])[] = [
      ['keeps it [conformance: a-b]', ['a-b']],
      ['keeps it [conformance: a, b-2]', ['a', 'b-2']],
      ['keeps it [conformance: a] often', []],
      ['keeps it [conformance: A]', []],
      ['keeps it', []],
    ];
    for (const [title, ids] of rows) assert.deepEqual(behavioursNamed(title), ids, title);
  });

  it('counts 445 behaviours, each once', () => {
    const ids = readBehaviours().map(({ id }) => id);
    assert.equal(ids.length, 445);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('tells of titles that name what is none', () => {
    const record = new ConformanceRecord([behaviour('a')]);
    for (const name of [
      'x [conformance: a]',
      'x [conformance: b]',
      'x [conformance: a] often',
      'x [conformance:a]',
      'x',
    ])
      record.ended({ file: 'f', name, outcome: 'passed' });
    assert.deepEqual(record.misnamed, ['x [conformance: b]', 'x [conformance: a] often', 'x [conformance:a]']);
  });

  it('counts as shown what some file showed and none failed at', () => {
    const { total, byClass, notYet } = tally(
      [behaviour('a'), behaviour('b'), behaviour('c'), behaviour('d', 'net'), behaviour('e', 'never')],
      [
        { file: 'x', shown: ['a', 'b', 'd'], failed: [] },
        { file: 'y', shown: [], failed: ['b'] },
        { file: 'test/unit/z.test.ts', shown: ['c'], failed: [] },
      ],
    );
    assert.deepEqual(total, { shown: 2, notYet: 2, never: 1 });
    assert.deepEqual(byClass.get('pod'), { shown: 1, notYet: 2, never: 0 });
    assert.deepEqual(byClass.get('net'), { shown: 1, notYet: 0, never: 0 });
    assert.deepEqual(
      notYet.map(({ id }) => id),
      ['b', 'c'],
    );
  });

  it('keeps the last run of each file: passed in all its tests, failed in one, not run at all', () => {
    const file = fileURLToPath(import.meta.url);
    const first = new ConformanceRecord(BEHAVIOURS);
    first.ended({ file, name: 'x [conformance: a, b]', outcome: 'passed' });
    first.ended({ file, name: 'y [conformance: b]', outcome: 'failed' });
    first.ended({ file, name: 'z [conformance: c]', outcome: 'not run' });
    first.ended({ file: undefined, name: 'z [conformance: d]', outcome: 'passed' });
    first.keep([file], folder);
    assert.deepEqual(readResults(folder), [
      { file: 'test/unit/conformance/tally.test.ts', shown: ['a'], failed: ['b'] },
    ]);

    const elsewhere = new ConformanceRecord(BEHAVIOURS);
    const theme = path.join(TESTS, 'e2e/workloads/theme.ts');
    elsewhere.ended({ file: theme, name: 'w [conformance: e]', outcome: 'passed' });
    elsewhere.keep([path.join(TESTS, 'e2e/workloads.test.ts')], folder);
    assert.deepEqual(readResults(folder).at(0), { file: 'test/e2e/workloads/theme.ts', shown: ['e'], failed: [] });

    new ConformanceRecord(BEHAVIOURS).keep([file, theme], folder);
    assert.deepEqual(readResults(folder), [], 'a run of the file that names none');
  });
});
