/** How long tests wait for what hangs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patience, whenOver } from '../../support/patience.ts';

describe('patience', () => {
  it('is not over before its time', () => {
    assert.equal(patience(60_000)(), false);
  });

  it('is over at some time, and then calls', async () => {
    const isOver = patience(1);
    while (!isOver()) await new Promise<void>((resolve) => whenOver(1, resolve));
  });

  it('calls nobody once it is forgotten', async () => {
    let calls = 0;
    whenOver(1, () => (calls += 1))();
    await new Promise<void>((resolve) => whenOver(20, resolve));
    assert.equal(calls, 0);
  });
});
