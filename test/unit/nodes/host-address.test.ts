import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostAddress, type AddressEvidence } from '../../../reconciler/core/nodes/host-address.ts';

const TOLD = '10.0.0.7';
const REACHED = '192.0.2.7';
const BEFORE = '10.0.0.8';

const around = (taken: { readonly told?: readonly string[]; readonly sure?: readonly string[] } = {}) => ({
  isAnothers: (address: string) => [...(taken.told ?? []), ...(taken.sure ?? [])].includes(address),
  isSurelyAnothers: (address: string) => (taken.sure ?? []).includes(address),
  ranges: ['10.244.0.0/16', '10.96.0.0/16'],
});
const chosen = (over: Partial<AddressEvidence>, taken?: Parameters<typeof around>[0]): string =>
  hostAddress({ told: TOLD, reachedAt: REACHED, byName: false, before: undefined, ...over }, around(taken));

/** No machine's: they may be told, and a host name may stand for them. */
const NONE = [
  ...['', 'localhost', 'n1.example.com', '256.1.1.1', '1'.repeat(1_000_000), '10.244.1.1', '10.96.0.1'],
  ...['0.0.0.0', '127.0.0.1', '127.1.2.3', '169.254.0.7', '224.0.0.1', '255.255.255.255'],
];

describe('the address of a node', () => {
  it('by host name is where it is reached, whatever its agent says', () => {
    assert.equal(chosen({ byName: true }), REACHED);
    assert.equal(chosen({ byName: true, before: BEFORE }), REACHED);
  });

  it('by host name is not taken by the word of another, but may be another one by Git or by connection', () => {
    assert.equal(chosen({ byName: true }, { told: [REACHED] }), REACHED);
    assert.equal(chosen({ byName: true }, { sure: [REACHED] }), TOLD);
  });

  it('by address is what the node tells, while no other node has it', () => {
    assert.equal(chosen({ before: BEFORE }), TOLD);
    assert.equal(chosen({ before: BEFORE }, { told: [TOLD] }), BEFORE);
    assert.equal(chosen({}, { told: [TOLD] }), REACHED);
    assert.equal(chosen({}, { told: [TOLD, REACHED] }), '');
  });

  it('stays when the node tells none, until another one has it for sure', () => {
    assert.equal(chosen({ told: '', before: BEFORE }), BEFORE);
    assert.equal(chosen({ told: '', before: BEFORE, reachedAt: undefined }, { sure: [BEFORE] }), '');
  });

  for (const address of NONE)
    it(`is never ${JSON.stringify(address.slice(0, 20))}`, () => {
      assert.equal(chosen({ told: address, reachedAt: undefined }), '');
      assert.equal(chosen({ byName: true, reachedAt: address }), TOLD);
      assert.equal(chosen({ told: '', byName: true, reachedAt: address, before: address }), '');
    });
});
