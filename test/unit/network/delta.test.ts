import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { applyCommands } from './nft-table.ts';
import { planBetween, planRandom, randomCluster } from './random-cluster.ts';

describe('a delta from any ruleset to any other', () => {
  it('gives what writing the other whole gives, there and back, and is accepted by a strict table', () => {
    fc.assert(
      fc.property(randomCluster, randomCluster, (a, b) => {
        const { ruleset, commands } = wholeRuleset(compilePlan(planRandom(a)));
        const first = applyCommands(undefined, commands);
        const stepped = applyCommands(first, ruleset.change(compilePlan(planBetween(a, b))));
        const whole = applyCommands(undefined, wholeRuleset(compilePlan(planRandom(b))).commands);
        assert.deepEqual(stepped, whole);
        assert.deepEqual(applyCommands(undefined, wholeRuleset(ruleset.fragments).commands), whole);
        const back = applyCommands(stepped, ruleset.change(compilePlan(planBetween(b, a))));
        assert.deepEqual(back, first);
      }),
      { numRuns: 120 },
    );
  });

  it('is empty when nothing changes', () => {
    fc.assert(
      fc.property(randomCluster, (a) => {
        const { ruleset } = wholeRuleset(compilePlan(planRandom(a)));
        assert.deepEqual(ruleset.change(compilePlan(planRandom(a))), []);
      }),
    );
  });
});
