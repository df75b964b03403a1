import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EPOCH_SLACK, judgeEpochs } from '../../../reconciler/core/nodes/epoch.ts';

const NOW = Date.parse('2026-03-01T00:00:00Z');
const HIGHEST = 2 ** 53 - 1;

describe('epochs after the store was lost', () => {
  const cases: readonly (readonly [string, readonly number[], number, readonly string[]])[] = [
    ['of nobody are 0', [], 0, []],
    ['go on above the highest', [5, 9, 7], 9, []],
    ['that a clock gave are followed', [NOW - 1000, NOW - 90_000_000_000, NOW - 2000], NOW - 1000, []],
    ['of a liar do not count', [NOW, NOW, HIGHEST], NOW, ['n2']],
    ['of a liar do not count where there are two nodes', [NOW, HIGHEST], NOW, ['n1']],
    ['of a liar alone do not count', [HIGHEST], 0, ['n0']],
    ['are not pulled down by one that claims nothing', [0, NOW + 5000], NOW + 5000, []],
    ['that a wrong clock gave are followed when most have them', [NOW * 2, NOW * 2 + 3, NOW * 2 + 1], NOW * 2 + 3, []],
    ['within the slack are followed', [NOW, NOW + EPOCH_SLACK], NOW + EPOCH_SLACK, []],
    ['beyond the slack are not', [NOW, NOW + EPOCH_SLACK + 1], NOW, ['n1']],
    ['of many liars leave room above', [HIGHEST, HIGHEST, HIGHEST], 0, ['n0', 'n1', 'n2']],
  ];
  for (const [what, claims, highest, implausible] of cases) {
    it(what, () =>
      assert.deepEqual(judgeEpochs(new Map(claims.map((epoch, index) => [`n${index}`, epoch])), NOW), {
        highest,
        implausible,
      }),
    );
  }
});
