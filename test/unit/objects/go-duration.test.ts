import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GoDuration, goDurationMs } from '../../../contracts/objects/go-duration.ts';

describe('a duration', () => {
  for (const [text, ms] of [
    ['500ms', 500],
    ['1h500ms', 3_600_500],
    ['1m30s', 90_000],
    ['2160h0m0s', 7_776_000_000],
    ['1.5h', 5_400_000],
  ] as const)
    it(`${text} is ${ms} ms`, () => assert.equal(goDurationMs(GoDuration.parse(text)), ms));
});
