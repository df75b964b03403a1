import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeldChanges } from '../../../reconciler/controllers/runtime/held-changes.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { world } from './world.ts';

describe('changes while what is there is taken in', () => {
  it('come behind it, each once and in order, those that come meanwhile and those that come later', async () => {
    const w = await world();
    const told: string[] = [];
    const put = async (name: string): Promise<void> => {
      await w.cache.write([{ op: 'create', object: configMap(name, {}) }]);
    };
    await put('before');
    const held = new HeldChanges(w.cache, (type, { metadata: { name } }) => {
      told.push(`${type} ${name}`);
      // Somebody writes while they are told.
      if (name === 'a') void put('c');
    });
    try {
      await put('a');
      await put('b');
      assert.equal(told.length, 0);
      await held.release(w.signal);
      await w.until(() => told.includes('put c'), 'what was written meanwhile');
      await put('d');
      assert.deepEqual(told, ['put a', 'put b', 'put c', 'put d']);
      held.stop();
      await put('e');
      assert.equal(told.length, 4);
    } finally {
      await w.close();
    }
  });

  it('are not told when nobody waits for them any more', async () => {
    const w = await world();
    const told: string[] = [];
    const held = new HeldChanges(w.cache, (_type, { metadata }) => told.push(metadata.name));
    await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
    const reason = new Error('stopping');
    await assert.rejects(held.release(AbortSignal.abort(reason)), reason);
    assert.deepEqual(told, []);
    await w.close();
  });
});
