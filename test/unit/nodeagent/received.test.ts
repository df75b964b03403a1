import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesText, receivedBetween, type Download } from '../../../nodeagent/core/image/received.ts';

const part = (ref: string, received: number, total = 100): Download => ({ ref, received, total });

describe('what was received between two looks', () => {
  for (const [name, before, now, bytes] of [
    ['nothing where nothing moved', [part('a', 10)], [part('a', 10)], 0],
    ['what a download has more than before', [part('a', 10)], [part('a', 35)], 25],
    ['what a new one has', [], [part('a', 7), part('b', 3)], 10],
    ['the rest of one that is done', [part('a', 10)], [], 90],
    ['nothing of one that is gone and of no known size', [part('a', 10, 0)], [], 0],
    ['nothing of one that began anew', [part('a', 10)], [part('a', 2)], 0],
  ] as const)
    it(name, () => assert.equal(receivedBetween(before, now), bytes));
});

describe('a number of bytes in words', () => {
  for (const [bytes, words] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [45 * 2 ** 20, '45.0 MiB'],
    [2 ** 60, '1048576.0 TiB'],
  ] as const)
    it(words, () => assert.equal(bytesText(bytes), words));
});
