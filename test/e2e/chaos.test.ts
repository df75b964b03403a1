/** Every fault once, in an order that changes with PLUMB_CHAOS_SEED. `npm run chaos` does the same for longer. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { inflict, startScene } from '../chaos/chaos.ts';
import type { Scene } from '../chaos/fault.ts';
import { FAULTS } from '../chaos/faults.ts';
import { seeded } from '../chaos/random.ts';

const random = seeded(Number(process.env['PLUMB_CHAOS_SEED'] ?? '1'));

describe('faults', () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene(random);
  });
  after(async () => {
    await scene?.fleet.close();
  });

  for (const fault of random.shuffled(FAULTS)) {
    it(`${fault.name}: ${fault.holds}`, async () => {
      assert.equal((await inflict(fault, scene)).broken, undefined);
    });
  }
});
