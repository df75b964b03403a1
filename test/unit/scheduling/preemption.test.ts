import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoredPod, StoredPodDisruptionBudget } from '../../../contracts/objects/index.ts';
import { Candidates } from '../../../reconciler/core/scheduling/candidates.ts';
import type { ClusterEvent } from '../../../reconciler/core/scheduling/cluster-event.ts';
import type { Nomination } from '../../../reconciler/core/scheduling/framework.ts';
import { defaultPreemption } from '../../../reconciler/core/scheduling/plugins/default-preemption.ts';
import { asPreempted } from '../../../reconciler/core/scheduling/preemption.ts';
import type { Outcome, Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { node } from '../controllers/objects.ts';
import {
  antiAffinity,
  ARGS,
  budget,
  clusterOf,
  names,
  profile,
  schedulerOf,
  stored,
  type Given,
} from './preemption-cluster.ts';

/** In words: `nominated a: x y`, `nominated a: x, displaces z`, `placed a`, `refused`. */
function told(outcome: Outcome): string {
  if (outcome.is === 'refused') return 'refused';
  const [place, victims, displaced] =
    outcome.is === 'placed'
      ? [outcome.node, [], outcome.displaced ?? []]
      : [outcome.nomination.node, outcome.nomination.victims, outcome.nomination.displaced];
  return `${outcome.is} ${place}${victims.length > 0 ? `: ${names(victims).join(' ')}` : ''}${displaced.length > 0 ? `, displaces ${names(displaced).join(' ')}` : ''}`;
}

describe('preemption chooses the node', () => {
  // The pod asks for two cores: each node must be emptied. Told for both orders of the names, so that no tie decides.
  const cases: readonly {
    name: string;
    better: readonly Given[];
    worse: readonly Given[];
    budgets?: readonly StoredPodDisruptionBudget[];
  }[] = [
    {
      name: 'with the fewest violations of budgets',
      better: [{ priority: 'mid' }, { priority: 'mid' }],
      worse: [{ priority: 'low', labels: { app: 'kept' } }],
      budgets: [budget('kept', { app: 'kept' }, 0)],
    },
    {
      name: 'with fewer violations where all violate',
      better: [{ priority: 'mid', labels: { app: 'kept' } }, { priority: 'mid' }],
      worse: [{ labels: { app: 'kept' } }, { labels: { app: 'kept' } }],
      budgets: [budget('kept', { app: 'kept' }, 0)],
    },
    {
      name: 'whose highest victim is the lowest',
      better: [{ priority: 'low' }, { priority: 'low' }],
      worse: [{ priority: 'mid' }, { priority: 'lowest' }],
    },
    {
      name: 'with the least sum of priorities',
      better: [{ priority: 'mid' }, { priority: 'low' }],
      worse: [{ priority: 'mid' }, { priority: 'mid' }],
    },
    {
      name: 'with the fewest victims, which the sum holds too',
      better: [{ priority: 'low', cpu: '2' }],
      worse: [{ priority: 'low' }, { priority: 'low' }],
    },
    {
      name: 'with the fewest victims though their priorities are negative',
      better: [{ priority: 'lowest', cpu: '2' }],
      worse: [{ priority: 'lowest' }, { priority: 'lowest' }],
    },
    {
      name: 'whose most important victim was started last',
      better: [{ priority: 'mid', start: 200 }, { start: 1 }],
      worse: [{ priority: 'mid', start: 100 }, { start: 300 }],
    },
    {
      name: 'counting the first start of victims of the highest priority',
      better: [{ start: 200 }, { start: 201 }],
      worse: [{ start: 100 }, { start: 900 }],
    },
    { name: 'taking a start that is not known for the latest', better: [{}, {}], worse: [{ start: 100 }, {}] },
  ];
  for (const { name, better, worse, budgets } of cases) {
    for (const [good, bad] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      it(`${name} (${good})`, () => {
        const pods = [
          ...better.map((given, at) => stored(`good-${at}`, { ...given, on: good })),
          ...worse.map((given, at) => stored(`bad-${at}`, { ...given, on: bad })),
        ];
        const outcome = schedulerOf(clusterOf(['a', 'b'], pods, budgets)).place(
          stored('p', { priority: 'high', cpu: '2' }),
        );
        assert.equal(outcome.is === 'nominated' && outcome.nomination.node, good);
        assert.deepEqual(
          outcome.is === 'nominated' && names(outcome.nomination.victims).sort(),
          better.map((_, at) => `good-${at}`),
        );
      });
    }
  }

  it('the same of equal ones, whatever their order', () => {
    const all = ['a', 'b', 'c', 'd', 'e'];
    const pods = all.map((on) => stored(`on-${on}`, { on, cpu: '2' }));
    const place = (nodes: readonly string[]): string =>
      told(schedulerOf(clusterOf(nodes, pods)).place(stored('p', { priority: 'high' })));
    assert.match(place(all), /^nominated . *: on-.$/);
    assert.equal(place([...all].reverse()), place(all));
  });
});

describe('preemption chooses the victims', () => {
  const cases: readonly {
    name: string;
    pods: readonly StoredPod[];
    budgets?: readonly StoredPodDisruptionBudget[];
    given?: Given;
    expect: string;
  }[] = [
    {
      name: 'the least important',
      pods: [stored('x', { priority: 'mid', on: 'a' }), stored('y', { priority: 'low', on: 'a' })],
      expect: 'nominated a: y',
    },
    {
      name: 'of the same priority who was started last',
      pods: [stored('x', { on: 'a', start: 1 }), stored('y', { on: 'a', start: 2 })],
      expect: 'nominated a: y',
    },
    {
      name: 'whose start is not known first',
      pods: [stored('x', { on: 'a' }), stored('y', { on: 'a', start: 2 })],
      expect: 'nominated a: x',
    },
    {
      name: 'as few as will do, sparing the important',
      pods: [
        stored('x', { priority: 'mid', on: 'a', cpu: '500m' }),
        stored('y', { priority: 'low', on: 'a', cpu: '1500m' }),
      ],
      expect: 'nominated a: y',
    },
    {
      name: 'a less important one stays where its room is too little',
      pods: [
        stored('x', { priority: 'mid', on: 'a', cpu: '1500m' }),
        stored('y', { priority: 'low', on: 'a', cpu: '500m' }),
      ],
      expect: 'nominated a: x',
    },
    {
      name: 'most important first',
      pods: [stored('x', { priority: 'low', on: 'a' }), stored('y', { priority: 'mid', on: 'a' })],
      given: { cpu: '2' },
      expect: 'nominated a: y x',
    },
    {
      name: 'those that no budget keeps',
      pods: [stored('x', { priority: 'mid', on: 'a' }), stored('y', { on: 'a', labels: { app: 'kept' } })],
      budgets: [budget('kept', { app: 'kept' }, 0)],
      expect: 'nominated a: x',
    },
    {
      name: 'those that a budget keeps where there is no other way',
      pods: [
        stored('x', { priority: 'mid', on: 'a', labels: { app: 'kept' } }),
        stored('y', { on: 'a', labels: { app: 'kept' } }),
      ],
      budgets: [budget('kept', { app: 'kept' }, 0)],
      given: { cpu: '2' },
      expect: 'nominated a: x y',
    },
    {
      name: 'within what a budget allows: the more important count first',
      pods: [
        stored('x', { priority: 'mid', on: 'a', labels: { app: 'kept' } }),
        stored('y', { on: 'a', labels: { app: 'kept' } }),
      ],
      budgets: [budget('kept', { app: 'kept' }, 1)],
      expect: 'nominated a: x',
    },
    {
      name: 'those whose eviction a budget has counted',
      pods: [stored('x', { priority: 'mid', on: 'a' }), stored('y', { on: 'a', labels: { app: 'kept' } })],
      budgets: [budget('kept', { app: 'kept' }, 0, { disruptedPods: { y: '2026-01-01T00:00:00Z' } })],
      expect: 'nominated a: y',
    },
    {
      name: 'not kept by a budget without selector',
      pods: [stored('x', { priority: 'mid', on: 'a' }), stored('y', { on: 'a' })],
      budgets: [budget('none', undefined, 0)],
      expect: 'nominated a: y',
    },
    {
      name: 'all kept by a budget with an empty selector',
      pods: [stored('x', { on: 'a', cpu: '2' }), stored('y', { priority: 'mid', on: 'b', cpu: '2' })],
      budgets: [budget('all', {}, 0)],
      expect: 'nominated a: x',
    },
    {
      name: 'never of equal priority',
      pods: [stored('x', { priority: 'high', on: 'a', cpu: '2' })],
      expect: 'refused',
    },
    {
      name: 'never of higher priority',
      pods: [stored('x', { priority: 'higher', on: 'a', cpu: '2' })],
      expect: 'refused',
    },
    {
      name: 'none where more than the lower ones is in the way',
      pods: [stored('x', { priority: 'high', on: 'a' }), stored('y', { on: 'a' })],
      given: { cpu: '2' },
      expect: 'refused',
    },
    {
      name: 'none for a pod that asks not to',
      pods: [stored('x', { on: 'a', cpu: '2' })],
      given: { spec: { preemptionPolicy: 'Never' } },
      expect: 'refused',
    },
    {
      name: 'none for a pod whose class asks not to',
      pods: [stored('x', { on: 'a', cpu: '2' })],
      given: { priority: 'polite' },
      expect: 'refused',
    },
    {
      name: 'for a pod that overrides its class',
      pods: [stored('x', { on: 'a', cpu: '2' })],
      given: { priority: 'polite', spec: { preemptionPolicy: 'PreemptLowerPriority' } },
      expect: 'nominated a: x',
    },
    {
      name: 'for a host port',
      pods: [stored('x', { on: 'a', cpu: '100m', hostPort: 80 }), stored('y', { on: 'a', cpu: '100m' })],
      given: { hostPort: 80 },
      expect: 'nominated a: x',
    },
    {
      name: 'that it must be far from',
      pods: [stored('x', { on: 'a', cpu: '100m', labels: { app: 'noisy' } }), stored('y', { on: 'a', cpu: '100m' })],
      given: { spec: { affinity: antiAffinity('noisy') } },
      expect: 'nominated a: x',
    },
    {
      name: 'that must be far from it',
      pods: [
        stored('x', { on: 'a', cpu: '100m', spec: { affinity: antiAffinity('loud') } }),
        stored('y', { on: 'a', cpu: '100m' }),
      ],
      given: { labels: { app: 'loud' } },
      expect: 'nominated a: x',
    },
    {
      name: 'of its own kind where they are too many for the spread',
      pods: [
        stored('x', { on: 'a', cpu: '100m', labels: { app: 'web' } }),
        stored('y', { on: 'a', cpu: '100m' }),
        stored('z', { priority: 'high', on: 'b', cpu: '2' }),
      ],
      given: {
        labels: { app: 'web' },
        spec: {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { app: 'web' } },
            },
          ],
        },
      },
      expect: 'nominated a: x',
    },
    {
      name: 'none of those it must be near',
      pods: [stored('x', { on: 'a', cpu: '2', labels: { app: 'cache' } }), stored('y', { on: 'b', cpu: '2' })],
      given: {
        spec: {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'cache' } } },
              ],
            },
          },
        },
      },
      expect: 'refused',
    },
    {
      name: 'none on a node that would not have it anyway',
      pods: [stored('x', { on: 'a', cpu: '2' })],
      given: { spec: { nodeSelector: { disk: 'ssd' } } },
      expect: 'refused',
    },
  ];
  for (const { name, pods, budgets, given, expect } of cases) {
    it(name, () => {
      const nodes = [...new Set(['a', ...pods.flatMap(({ spec }) => spec.nodeName ?? [])])];
      const outcome = schedulerOf(clusterOf(nodes, pods, budgets)).place(stored('p', { priority: 'high', ...given }));
      assert.equal(told(outcome), expect);
    });
  }
});

describe('preemption over time', () => {
  it('keeps the room that is made against lower and equal priority, and places the pod when the victims are gone', () => {
    const cluster = clusterOf(['a'], [stored('x', { on: 'a', cpu: '2' })]);
    const scheduler = schedulerOf(cluster);
    const high = stored('p', { priority: 'high', cpu: '2' });
    assert.equal(told(scheduler.place(high)), 'nominated a: x');
    cluster.removePod('uid-x');
    assert.equal(told(scheduler.place(stored('q', { priority: 'mid' }))), 'refused');
    assert.equal(told(scheduler.place(stored('r', { priority: 'high' }))), 'refused');
    assert.equal(told(scheduler.place(high)), 'placed a');
  });

  it('gives room that is kept for a lower priority to a higher one at once', () => {
    const cluster = clusterOf(['a']);
    cluster.nominate(stored('q', { priority: 'mid', cpu: '2' }), 'a');
    const scheduler = schedulerOf(cluster);
    assert.equal(told(scheduler.place(stored('p', { priority: 'high' }))), 'placed a, displaces q');
    assert.equal(cluster.placed('uid-q'), undefined);
    assert.equal(cluster.placed('uid-p')?.nominated, false);
  });

  it('takes away no more of the kept room than it needs, and rather that than a running pod', () => {
    const cluster = clusterOf(['a'], [stored('x', { on: 'a' })]);
    cluster.nominate(stored('q', { priority: 'mid', cpu: '500m' }), 'a');
    cluster.nominate(stored('r', { priority: 'low', cpu: '500m' }), 'a');
    assert.equal(
      told(schedulerOf(cluster).place(stored('p', { priority: 'high', cpu: '500m' }))),
      'placed a, displaces r',
    );
  });

  it('displaces a lower nomination and waits for its victims', () => {
    const cluster = clusterOf(['a'], [stored('x', { on: 'a', cpu: '2' })]);
    const scheduler = schedulerOf(cluster);
    assert.equal(told(scheduler.place(stored('q', { priority: 'mid', cpu: '2' }))), 'nominated a: x');
    assert.equal(told(scheduler.place(stored('p', { priority: 'high', cpu: '2' }))), 'nominated a, displaces q');
    cluster.removePod('uid-x');
    assert.equal(told(scheduler.place(stored('q', { priority: 'mid', cpu: '2' }))), 'refused');
    assert.equal(told(scheduler.place(stored('p', { priority: 'high', cpu: '2', nominated: 'a' }))), 'placed a');
  });

  it('does not preempt again while victims terminate', () => {
    // One core of the two that it needs is going: elsewhere one victim would do.
    const going = stored('x', { on: 'a', terminating: true });
    const world = (x: StoredPod): Scheduler =>
      schedulerOf(
        clusterOf(['a', 'b'], [x, stored('y', { priority: 'mid', on: 'a' }), stored('z', { on: 'b', cpu: '2' })]),
      );
    const waiting = stored('p', { priority: 'high', cpu: '2', nominated: 'a' });
    assert.equal(told(world(asPreempted(going, 'default-scheduler')).place(waiting)), 'nominated a');
    assert.equal(
      told(world(asPreempted(going, 'default-scheduler')).place(stored('p', { priority: 'high', cpu: '2' }))),
      'nominated b: z',
    );
    // Somebody else deleted it, and its room is not enough.
    assert.equal(told(world(going).place(waiting)), 'nominated b: z');
  });

  it('preempts again when its victims are gone and others have their room, or the node would not have it any more', () => {
    const gone = clusterOf(
      ['a', 'b'],
      [stored('x', { priority: 'high', on: 'a', cpu: '2' }), stored('z', { on: 'b', cpu: '2' })],
    );
    assert.equal(told(schedulerOf(gone).place(stored('p', { priority: 'high', nominated: 'a' }))), 'nominated b: z');
    const cordoned = clusterOf(
      ['a', 'b'],
      [stored('x', { on: 'a', cpu: '2', terminating: true }), stored('z', { on: 'b', cpu: '2' })],
    );
    cordoned.setNode(node('a', { spec: { unschedulable: true } }));
    assert.equal(
      told(schedulerOf(cordoned).place(stored('p', { priority: 'high', nominated: 'a' }))),
      'nominated b: z',
    );
  });

  it('stays with its nomination where waiting for pods that terminate is enough, whatever their priority', () => {
    const cluster = clusterOf(
      ['a', 'b'],
      [
        stored('x', { priority: 'higher', on: 'a', cpu: '2', terminating: true }),
        stored('y', { priority: 'high', on: 'b', cpu: '2', terminating: true }),
      ],
    );
    for (const at of ['a', 'b'])
      assert.equal(
        told(schedulerOf(cluster).place(stored(`p-${at}`, { priority: 'high', nominated: at }))),
        `nominated ${at}`,
      );
  });

  it('waits where that is enough rather than take a victim', () => {
    const cluster = clusterOf(
      ['a', 'b'],
      [
        stored('x', { priority: 'mid', on: 'a', terminating: true }),
        stored('y', { priority: 'mid', on: 'a' }),
        stored('z', { priority: 'lowest', on: 'b', cpu: '2' }),
      ],
    );
    assert.equal(told(schedulerOf(cluster).place(stored('p', { priority: 'high' }))), 'nominated a');
  });

  it('takes other victims for the next pod, and no more than there are', () => {
    const pods = ['a', 'b'].flatMap((on) => [stored(`${on}-1`, { on, start: 1 }), stored(`${on}-2`, { on, start: 2 })]);
    const scheduler = schedulerOf(clusterOf(['a', 'b'], pods));
    const outcomes = ['p', 'q', 'r', 's', 't'].map((name) => told(scheduler.place(stored(name, { priority: 'high' }))));
    assert.deepEqual([...outcomes].sort(), [
      'nominated a: a-1',
      'nominated a: a-2',
      'nominated b: b-1',
      'nominated b: b-2',
      'refused',
    ]);
  });

  it('spends budgets with the victims of a pass, and no more once a status has counted them', () => {
    const kept = { app: 'kept' };
    const pods = [
      stored('x', { on: 'a', cpu: '2', labels: kept }),
      stored('y', { on: 'b', cpu: '2', labels: kept }),
      stored('z', { priority: 'mid', on: 'c', cpu: '2' }),
    ];
    const cluster = clusterOf(['a', 'b', 'c'], pods, [budget('kept', kept, 1)]);
    const scheduler = schedulerOf(cluster);
    assert.match(told(scheduler.place(stored('p', { priority: 'high', cpu: '2' }))), /^nominated [ab]: [xy]$/);
    assert.equal(told(scheduler.place(stored('q', { priority: 'high', cpu: '2' }))), 'nominated c: z');
    cluster.setBudgets('default', [budget('kept', kept, 1)]);
    assert.equal([...cluster.budgets][0]?.left, 1);
    assert.match(told(scheduler.place(stored('r', { priority: 'high', cpu: '2' }))), /^nominated [ab]: [xy]$/);
  });

  it('counts a victim as terminating until news say otherwise', () => {
    const x = stored('x', { on: 'a', cpu: '2', labels: { app: 'kept' } });
    const cluster = clusterOf(['a'], [x], [budget('kept', { app: 'kept' }, 1)]);
    const scheduler = schedulerOf(cluster);
    const events: ClusterEvent[] = [];
    cluster.subscribe((event) => events.push(event));
    const outcome = scheduler.place(stored('p', { priority: 'high' }));
    assert.deepEqual(outcome.is === 'nominated' && outcome.nomination.victims, [x]);
    assert.deepEqual(
      events.map(({ type, ...rest }) => [type, 'leaving' in rest]),
      [
        ['PodDelete', true],
        ['PodAdd', false],
      ],
    );
    assert.deepEqual([cluster.placed('uid-x')?.shape.terminating, [...cluster.budgets][0]?.left], [true, 0]);
    events.length = 0;
    cluster.setPod(x);
    assert.deepEqual([cluster.placed('uid-x')?.shape.terminating, [...cluster.budgets][0]?.left], [false, 1]);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['PodAdd'],
      'no room has come of it',
    );
  });

  it('knows what became known since: a start, a place that was kept, budgets', () => {
    const kept = { app: 'kept' };
    const [x, y] = [stored('x', { on: 'a', cpu: '2', labels: kept }), stored('y', { on: 'b', cpu: '2', start: 50 })];
    const cluster = clusterOf(['a', 'b'], [x, y]);
    const candidates = new Candidates(cluster.shape(stored('p', { priority: 'high' })), profile(), cluster);
    const plugin = defaultPreemption(ARGS);
    const ask = (): Nomination | undefined =>
      plugin.postFilter?.(stored('p', { priority: 'high' }), candidates.shape, cluster, candidates);
    assert.equal(ask()?.node, 'a');
    for (const [budgets, expected] of [
      [[budget('kept', kept, 0)], 'b'],
      [[budget('kept', kept, 1)], 'a'],
      [[budget('other', kept, 0)], 'b'],
      [[], 'a'],
    ] as const) {
      cluster.setBudgets('default', budgets);
      assert.equal(ask()?.node, expected);
    }
    cluster.setPod({ ...x, status: { phase: 'Running', startTime: '1970-01-01T00:00:01Z' } });
    assert.equal(ask()?.node, 'b');
    cluster.nominate(x, 'a');
    assert.deepEqual(ask(), { node: 'a', victims: [], displaced: [x] });
  });

  it('sees where its own kind has gone, one after another', () => {
    const all = ['a', 'b', 'c'];
    const scheduler = schedulerOf(
      clusterOf(
        all,
        all.map((on) => stored(`on-${on}`, { on, cpu: '2' })),
      ),
    );
    const outcomes = ['p', 'q', 'r', 's'].map((name) =>
      told(
        scheduler.place(
          stored(name, { priority: 'high', labels: { app: 'web' }, spec: { affinity: antiAffinity('web') } }),
        ),
      ),
    );
    assert.deepEqual([...outcomes].sort(), ['nominated a: on-a', 'nominated b: on-b', 'nominated c: on-c', 'refused']);
  });

  it('tries only enough nodes where each try stands alone, but on until one violates no budget', () => {
    const all = Array.from({ length: 20 }, (_, at) => `n${at}`);
    const far = { spec: { affinity: antiAffinity('noisy') } };
    const cluster = clusterOf(
      all,
      all.map((on, at) =>
        stored(`on-${on}`, {
          on,
          priority: at === 0 ? 'low' : 'mid',
          labels: { app: 'noisy', ...(at !== 0 && at !== 5 && { kept: 'yes' }) },
        }),
      ),
      [budget('kept', { kept: 'yes' }, 0)],
    );
    const few = defaultPreemption({ minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 1 });
    const found = new Set(
      Array.from({ length: 20 }, (_, at) => {
        const asking = stored(`p-${at}`, { priority: 'high', ...far });
        return few.postFilter?.(
          asking,
          cluster.shape(asking),
          cluster,
          new Candidates(cluster.shape(asking), profile(), cluster),
        )?.node;
      }),
    );
    assert.deepEqual([...found].sort(), ['n0', 'n5']);
  });
});
