import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyCommands } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { changeRuleset, EMPTY_RULESET, renderWhole, staleFlowsOf } from '../../../nodeagent/core/nftables/delta.ts';
import { compileRandom, fragmentsBetween, randomCluster } from './random-cluster.ts';

describe('a delta from any ruleset to any other', () => {
  it('gives what writing the other whole gives, and is accepted by a strict table', () => {
    fc.assert(fc.property(randomCluster, randomCluster, (a, b) => {
      const from = changeRuleset(EMPTY_RULESET, compileRandom(a)).next;
      const { next, commands } = changeRuleset(from, fragmentsBetween(a, b));
      const stepped = applyCommands(applyCommands(undefined, renderWhole(from)), commands);
      const whole = applyCommands(undefined, renderWhole(changeRuleset(EMPTY_RULESET, compileRandom(b)).next));
      assert.deepEqual(stepped.chains, whole.chains);
      assert.deepEqual(stepped.containers, whole.containers);
      assert.deepEqual(stepped.elements, whole.elements);
      assert.deepEqual(applyCommands(undefined, renderWhole(next)), whole);
    }), { numRuns: 120 });
  });

  it('is empty when nothing changes', () => {
    fc.assert(fc.property(randomCluster, (a) => {
      const from = changeRuleset(EMPTY_RULESET, compileRandom(a)).next;
      assert.deepEqual(changeRuleset(from, compileRandom(a)).commands, []);
    }));
  });
});

describe('stale UDP flows', () => {
  const frontend = (...endpoints: string[]) => [{ address: '198.19.128.53', port: 53, endpoints }, { port: 30053, endpoints }];
  it('are those of endpoints that are gone', () => {
    assert.deepEqual(staleFlowsOf(frontend('198.19.1.2', '198.19.1.3'), frontend('198.19.1.3')), [
      { address: '198.19.128.53', port: 53, endpoint: '198.19.1.2' }, { port: 30053, endpoint: '198.19.1.2' },
    ]);
  });
  it('are those of a Service that had no endpoint before', () => {
    assert.deepEqual(staleFlowsOf(frontend(), frontend('198.19.1.3')), [{ address: '198.19.128.53', port: 53 }]);
  });
  it('are none when endpoints only come', () => {
    assert.deepEqual(staleFlowsOf(frontend('198.19.1.3'), frontend('198.19.1.3', '198.19.1.4')), []);
  });
});
