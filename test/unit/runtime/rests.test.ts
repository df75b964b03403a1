import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey } from '../../../contracts/objects/index.ts';
import { Rests } from '../../../reconciler/controllers/runtime/rests.ts';

const KEY = objectKey('ReplicaSet', 'default', 'web');
const OTHER = objectKey('ReplicaSet', 'default', 'other');

/** Rests end when the test says so. */
function played() {
  const stop = new AbortController();
  const asked: string[] = [];
  const sleeps: { readonly ms: number; readonly end: () => void }[] = [];
  const rests = new Rests({
    clock: { sleep: (ms) => new Promise((end) => sleeps.push({ ms, end })) },
    signal: stop.signal,
    ask: (key, priority) => asked.push(`${priority} ${key}`),
  });
  const end = async (): Promise<void> => {
    for (const sleep of sleeps.splice(0)) sleep.end();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  };
  return { rests, asked, sleeps, end, stop };
}

describe('a key whose passes cost much', () => {
  it('rests for some times as long as the pass took, but not for ever', () => {
    const { rests, sleeps } = played();
    rests.took(KEY, 30);
    rests.took(OTHER, 60_000);
    assert.deepEqual(
      sleeps.map(({ ms }) => ms),
      [120, 1000],
    );
  });

  it('is asked for once when it has rested, as urgently as anybody asked meanwhile', async () => {
    const { rests, asked, end } = played();
    rests.took(KEY, 30);
    assert.ok(rests.defers(KEY, 'resync'));
    assert.ok(rests.defers(KEY, 'fresh'));
    assert.ok(rests.defers(KEY, 'resync'));
    assert.ok(!rests.defers(OTHER, 'fresh'));
    await end();
    assert.deepEqual(asked, [`fresh ${KEY}`]);
    assert.ok(!rests.defers(KEY, 'fresh'));
  });

  it('is not asked for when nobody did, or when the controllers end', async () => {
    const { rests, asked, end, stop } = played();
    rests.took(KEY, 30);
    rests.took(OTHER, 30);
    rests.defers(OTHER, 'fresh');
    stop.abort();
    await end();
    assert.deepEqual(asked, []);
  });

  it('is one that took long', () => {
    const { rests, sleeps } = played();
    rests.took(KEY, 1);
    assert.ok(!rests.defers(KEY, 'fresh'));
    assert.equal(sleeps.length, 0);
  });
});
