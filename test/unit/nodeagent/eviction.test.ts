/** Whom a node gives up. Source: Kubernetes pkg/kubelet/eviction/helpers_test.go (TestOrderedBy...). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podToEvict, type Candidate } from '../../../nodeagent/core/node/eviction.ts';

const pod = (uid: string, used: number | undefined, requested = 0, priority = 0): Candidate => ({
  uid,
  used,
  requested,
  priority,
});
const CRITICAL = 2_000_000_000;

/** All, in the order in which they would go. */
function order(pods: readonly Candidate[], by: 'requests' | 'priority'): readonly string[] {
  const chosen = podToEvict(pods, by);
  return chosen
    ? [
        chosen.uid,
        ...order(
          pods.filter((one) => one !== chosen),
          by,
        ),
      ]
    : [];
}

describe('the pod to evict', () => {
  describe('where pods ask for what is short', () => {
    for (const [name, pods, expected] of [
      ['is none where there is none', [], []],
      ['is the one that uses most', [pod('a', 5), pod('b', 9), pod('c', 7)], ['b', 'c', 'a']],
      ['is one above its request before a larger one within', [pod('a', 5, 1), pod('b', 90, 100)], ['a', 'b']],
      ['is one above before one within of a lower priority', [pod('a', 5, 1, 9), pod('b', 5, 9, -9)], ['a', 'b']],
      ['is of a lower priority before a larger one', [pod('a', 90, 0, 1), pod('b', 5), pod('c', 7)], ['c', 'b', 'a']],
      ['is the one furthest above its request', [pod('a', 90, 80), pod('b', 40, 10)], ['b', 'a']],
      ['is the one nearest to its request when all are within', [pod('a', 5, 100), pod('b', 90, 100)], ['b', 'a']],
      ['is at its request within it', [pod('a', 80, 80), pod('b', 2, 1)], ['b', 'a']],
      ['is one of which nobody can tell before all others', [pod('a', 90), pod('b', undefined, 100, 5)], ['b', 'a']],
      ['is no critical one', [pod('a', 50, 0, CRITICAL), pod('b', 9)], ['b']],
      ['is no critical one of which nobody can tell', [pod('a', undefined, 0, CRITICAL), pod('b', 1)], ['b']],
      ['is an important one when it is the last', [pod('a', 5, 0, CRITICAL - 1)], ['a']],
      ['is none that frees nothing', [pod('a', 0)], []],
      ['is the same for the same pods', [pod('b', 5), pod('a', 5)], ['a', 'b']],
    ] as const) {
      it(name, () => assert.deepEqual(order(pods, 'requests'), expected));
    }
  });

  describe('where no pod can ask for it', () => {
    for (const [name, pods, expected] of [
      ['is the one of the lowest priority', [pod('a', 900, 0, 2), pod('b', 2, 0, 1)], ['b', 'a']],
      ['is the one with most', [pod('a', 5), pod('b', 900), pod('c', 7)], ['b', 'c', 'a']],
      [
        'is not one of which nobody can tell before less important ones',
        [pod('a', undefined, 0, 1), pod('b', 1)],
        ['b', 'a'],
      ],
      ['is no critical one', [pod('a', 50, 0, CRITICAL), pod('b', 9)], ['b']],
    ] as const) {
      it(name, () => assert.deepEqual(order(pods, 'priority'), expected));
    }
  });
});
