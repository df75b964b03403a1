import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyCommands } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { changeRuleset, EMPTY_RULESET, renderWhole, staleFlowsOf } from '../../../nodeagent/core/nftables/delta.ts';
import type { StaleFlow, TrackedFrontend } from '../../../nodeagent/core/nftables/model.ts';
import { compileRandom, fragmentsBetween, randomCluster } from './random-cluster.ts';

describe('a delta from any ruleset to any other', () => {
  it('gives what writing the other whole gives, and is accepted by a strict table', () => {
    fc.assert(
      fc.property(randomCluster, randomCluster, (a, b) => {
        const from = changeRuleset(EMPTY_RULESET, compileRandom(a)).next;
        const { next, commands } = changeRuleset(from, fragmentsBetween(a, b));
        const stepped = applyCommands(applyCommands(undefined, renderWhole(from)), commands);
        const whole = applyCommands(undefined, renderWhole(changeRuleset(EMPTY_RULESET, compileRandom(b)).next));
        assert.deepEqual(stepped.chains, whole.chains);
        assert.deepEqual(stepped.containers, whole.containers);
        assert.deepEqual(stepped.elements, whole.elements);
        assert.deepEqual(applyCommands(undefined, renderWhole(next)), whole);
      }),
      { numRuns: 120 },
    );
  });

  it('is empty when nothing changes', () => {
    fc.assert(
      fc.property(randomCluster, (a) => {
        const from = changeRuleset(EMPTY_RULESET, compileRandom(a)).next;
        assert.deepEqual(changeRuleset(from, compileRandom(a)).commands, []);
      }),
    );
  });
});

describe('stale flows', () => {
  const frontend = (
    protocol: 'TCP' | 'UDP',
    endpoints: readonly string[],
    leaving: readonly string[] = [],
  ): TrackedFrontend[] => {
    const known = [...endpoints, ...leaving];
    return [
      { protocol, address: '198.19.128.53', port: 53, endpoints, known, ending: leaving },
      { protocol, port: 30053, endpoints, known, ending: leaving },
    ];
  };
  const [A, B] = ['198.19.1.2', '198.19.1.3'];
  const both = (protocol: 'TCP' | 'UDP', endpoint: string): StaleFlow[] => [
    { protocol, address: '198.19.128.53', port: 53, endpoint },
    { protocol, port: 30053, endpoint },
  ];
  const cases: readonly (readonly [
    string,
    readonly TrackedFrontend[],
    readonly TrackedFrontend[],
    readonly StaleFlow[],
  ])[] = [
    ['UDP: those of endpoints that are gone', frontend('UDP', [A, B]), frontend('UDP', [B]), both('UDP', A)],
    [
      'UDP: those of endpoints that get no new ones',
      frontend('UDP', [A, B]),
      frontend('UDP', [B], [A]),
      both('UDP', A),
    ],
    [
      'UDP: those of a Service that had no endpoint before',
      frontend('UDP', []),
      frontend('UDP', [B]),
      [{ protocol: 'UDP', address: '198.19.128.53', port: 53 }],
    ],
    ['UDP: none when endpoints only come', frontend('UDP', [B]), frontend('UDP', [B, A]), []],
    ['TCP: none while a pod terminates', frontend('TCP', [A, B]), frontend('TCP', [B], [A]), []],
    [
      'TCP: those of a pod that terminated and is gone',
      frontend('TCP', [B], [A]),
      frontend('TCP', [B]),
      both('TCP', A),
    ],
    ['TCP: none of a pod that left the Service alive', frontend('TCP', [A, B]), frontend('TCP', [B]), []],
  ];
  for (const [name, before, after, stale] of cases)
    it(name, () => {
      assert.deepEqual(staleFlowsOf(before, after), stale);
    });
});
