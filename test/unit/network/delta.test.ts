import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { changeRuleset, wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { applyCommands } from './nft-table.ts';
import { planBetween, planRandom, randomCluster } from './random-cluster.ts';

describe('a delta from any ruleset to any other', () => {
  it('gives what writing the other whole gives, and is accepted by a strict table', () => {
    fc.assert(
      fc.property(randomCluster, randomCluster, (a, b) => {
        const from = wholeRuleset(compilePlan(planRandom(a)));
        const delta = changeRuleset(from.next, compilePlan(planBetween(a, b)));
        const stepped = applyCommands(applyCommands(undefined, from.commands), delta.commands);
        const whole = applyCommands(undefined, wholeRuleset(compilePlan(planRandom(b))).commands);
        assert.deepEqual(stepped.chains, whole.chains);
        assert.deepEqual(stepped.containers, whole.containers);
        assert.deepEqual(stepped.elements, whole.elements);
        assert.deepEqual(applyCommands(undefined, wholeRuleset(delta.next.fragments).commands), whole);
      }),
      { numRuns: 120 },
    );
  });

  it('is empty when nothing changes', () => {
    fc.assert(
      fc.property(randomCluster, (a) => {
        const { next } = wholeRuleset(compilePlan(planRandom(a)));
        assert.deepEqual(changeRuleset(next, compilePlan(planRandom(a))).commands, []);
      }),
    );
  });
});
