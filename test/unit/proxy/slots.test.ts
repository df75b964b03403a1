import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { placeTargets, runningOf, slotCommands, slotsFor, type Slot } from '../../../nodeagent/core/proxy/slots.ts';

function at(address: string): { readonly address: string; readonly port: number } {
  return { address, port: 80 };
}

describe('places of servers', () => {
  it('are more than there are endpoints, for those that come while others go', () => {
    assert.deepEqual([0, 1, 2, 3, 5, 6, 100].map(slotsFor), [4, 4, 4, 8, 8, 16, 256]);
  });

  it('keep who is there where it is, and take new ones where nobody was before where anybody goes', () => {
    const before: Slot[] = [at('10.0.0.1'), at('10.0.0.2'), undefined, undefined];
    assert.deepEqual(placeTargets(before, [at('10.0.0.2'), at('10.0.0.3')]), [
      undefined,
      at('10.0.0.2'),
      at('10.0.0.3'),
      undefined,
    ]);
  });

  it('take a place that is just left when there is no other', () => {
    assert.deepEqual(placeTargets([at('10.0.0.1'), at('10.0.0.2')], [at('10.0.0.2'), at('10.0.0.3')]), [
      at('10.0.0.3'),
      at('10.0.0.2'),
    ]);
  });

  it('may not do', () => {
    assert.equal(placeTargets([undefined], [at('10.0.0.1'), at('10.0.0.2')]), undefined);
  });

  it('are brought up before others are taken down', () => {
    const now = runningOf([at('10.0.0.1'), at('10.0.0.2'), undefined, undefined]);
    assert.deepEqual(slotCommands('b', now, [undefined, at('10.0.0.9'), at('10.0.0.3'), undefined]), [
      'set server b/s1 addr 10.0.0.9 port 80',
      'set server b/s2 addr 10.0.0.3 port 80',
      'set server b/s2 state ready',
      'set server b/s0 state maint',
    ]);
  });

  it('need nothing when all is as it should be', () => {
    const slots = [at('10.0.0.1'), undefined];
    assert.deepEqual(slotCommands('b', runningOf(slots), slots), []);
    // A free place may remember who was there.
    assert.deepEqual(slotCommands('b', [{ ...at('10.0.0.7'), disabled: true }], [undefined]), []);
  });
});
