/** What is foretold of random plans is what controllers and scheduler then do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyOf } from '../../../contracts/objects/index.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { node } from '../controllers/objects.ts';
import { app, CLASSES, GANG, podGroup, RECREATE, rolling } from './apps.ts';
import { Fleet, placesOf } from './fleet.ts';

/**
 * The forecast, with what holds for each: no node gets more than it has, and asking changes nothing and gives the same
 * again.
 */
function forecastOf(fleet: Fleet, plan: readonly string[]): Forecast | undefined {
  const untouched = JSON.stringify([...fleet.world.objects]);
  const forecast = fleet.forecast(...plan);
  for (const { node: name, cpu, memory } of forecast?.capacity ?? []) {
    assert.equal(cpu.after <= cpu.allocatable && memory.after <= memory.allocatable, true, `${name} has too many pods`);
  }
  assert.deepEqual(fleet.forecast(...plan), forecast, 'the same again');
  assert.equal(JSON.stringify([...fleet.world.objects]), untouched);
  return forecast;
}

/**
 * The same new pods on each node, as much in use, as many pods on none, and the same updates stand still, with as many
 * old pods.
 */
function assertHappens(fleet: Fleet, plan: readonly string[]): void {
  const before = new Map(fleet.pods().map(({ metadata, spec }) => [metadata.uid, spec.nodeName]));
  const forecast = forecastOf(fleet, plan);
  fleet.apply(...plan);
  if (!forecast)
    return assert.deepEqual(
      fleet.places(({ metadata }) => !before.has(metadata.uid)),
      {},
      'nothing was foretold',
    );
  assert.deepEqual(
    placesOf(forecast),
    fleet.places(({ metadata, spec }) => spec.nodeName !== undefined && before.get(metadata.uid) === undefined),
  );
  assert.deepEqual(Object.fromEntries(forecast.capacity.map(({ node: name, cpu }) => [name, cpu.after])), fleet.used());
  assert.equal(
    forecast.unplaced.reduce((sum, { pods }) => sum + pods, 0) + forecast.stillWaiting,
    fleet.pods().filter(({ spec }) => spec.nodeName === undefined).length,
  );
  const still = new Map(forecast.rollouts.map(({ workload, oldLeft }) => [workload, oldLeft]));
  for (const deployment of fleet.world.list('Deployment')) {
    const { next, old } = fleet.byTemplate(deployment);
    const told = still.get(keyOf(deployment));
    // Of pods that waited before the plan it is only told how many there are.
    if (told !== undefined || (!deployment.spec.paused && !next.some(({ metadata }) => before.has(metadata.uid))))
      assert.equal(told ?? 0, old.length, deployment.metadata.name);
  }
}

function nodesOf(
  count: number,
  more: (at: number) => Parameters<typeof node>[1] = () => ({}),
): ReturnType<typeof node>[] {
  return Array.from({ length: count }, (_, at) => node(`n${at}`, more(at)));
}
const cpu = (amount: number): Record<string, string> => (amount === 0 ? {} : { cpu: `${amount * 150}m` });
const priority = fc.constantFrom<object>({ priorityClassName: 'high' }, { priorityClassName: 'low' }, {});

describe('what is foretold happens', () => {
  it('with all that placement looks at', () => {
    const sort = fc.constantFrom('plain', 'tolerant', 'apart', 'spread', 'zoned', 'gang', 'important');
    type Sort = typeof sort extends fc.Arbitrary<infer T> ? T : never;
    const version = fc.record({
      replicas: fc.integer({ min: 0, max: 5 }),
      amount: fc.integer({ min: 0, max: 8 }),
      image: fc.constantFrom('app:1', 'app:2'),
    });
    const workload = fc.record({ sort, first: fc.option(version), then: fc.option(version), stays: fc.boolean() });
    const document = (
      name: string,
      of: Sort,
      { replicas, amount, image }: typeof version extends fc.Arbitrary<infer T> ? T : never,
    ): string => {
      const meant = { labelSelector: { matchLabels: { app: name } } };
      const pod: Record<Sort, object> = {
        plain: {},
        gang: {},
        important: { priorityClassName: 'polite' },
        tolerant: { tolerations: [{ key: 'gpu', operator: 'Exists' }] },
        apart: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ ...meant, topologyKey: 'kubernetes.io/hostname' }],
            },
          },
        },
        spread: {
          topologySpreadConstraints: [
            { ...meant, maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
          ],
        },
        zoned: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['z0'] }] }],
              },
            },
          },
        },
      };
      return app(name, {
        replicas,
        image,
        requests: cpu(amount),
        spec: RECREATE,
        pod: pod[of],
        ...(of === 'gang' && { labels: GANG }),
      });
    };
    const polite = JSON.stringify({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'polite' },
      value: 10,
      preemptionPolicy: 'Never',
    });
    fc.assert(
      fc.property(
        fc.array(workload, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (workloads, nodes, minMember) => {
          const documents = (of: 'first' | 'then'): string[] => [
            polite,
            podGroup(minMember),
            ...workloads.flatMap((one, at) => {
              const wanted = one.stays ? one.first : one[of];
              return wanted ? [document(`w${at}`, one.sort, wanted)] : [];
            }),
          ];
          const fleet = new Fleet(
            ...nodesOf(nodes, (at) => ({
              labels: { zone: `z${at % 2}` },
              ...(at === 2 && { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } }),
            })),
          );
          assertHappens(fleet.apply(...documents('first')), documents('then'));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('with rolling updates and preemption', () => {
    const amount = fc.integer({ min: 1, max: 9 });
    const workload = fc.record({
      replicas: fc.integer({ min: 0, max: 5 }),
      amount,
      pod: priority,
      there: fc.constantFrom(true, true, false),
      gone: fc.boolean(),
      spec: fc.oneof(
        fc.constant(RECREATE),
        fc
          .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 }))
          .map(([surge, unavailable]) => rolling(surge, surge + unavailable === 0 ? 1 : unavailable)),
      ),
      then: fc.record({
        image: fc.constantFrom('app:1', 'app:2', 'app:2'),
        amount: fc.option(amount),
        replicas: fc.option(fc.integer({ min: 0, max: 4 })),
      }),
    });
    fc.assert(
      fc.property(
        fc.array(workload, { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 3 }),
        (workloads, nodes) => {
          const first = workloads.flatMap((one, at) =>
            one.there ? [app(`w${at}`, { ...one, requests: cpu(one.amount) })] : [],
          );
          const then = workloads.flatMap((one, at) =>
            one.gone
              ? []
              : [
                  app(`w${at}`, {
                    ...one,
                    image: one.then.image,
                    replicas: one.then.replicas ?? one.replicas,
                    requests: cpu(one.then.amount ?? one.amount),
                  }),
                ],
          );
          assertHappens(new Fleet(...nodesOf(nodes)).apply(...CLASSES, ...first), [...CLASSES, ...then]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('in the middle of rolling updates, with pauses and gangs', () => {
    const share = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom('25%', '34%', '50%', '100%'));
    const version = fc.record({ replicas: fc.integer({ min: 0, max: 5 }), amount: fc.integer({ min: 1, max: 9 }) });
    const workload = fc.record({
      versions: fc.tuple(version, version, version),
      spec: fc
        .tuple(share, share)
        .map(([surge, unavailable]) => rolling(surge, surge === 0 && unavailable === 0 ? 1 : unavailable)),
      pod: priority,
      labels: fc.constantFrom<Record<string, string>>({}, {}, GANG),
      back: fc.boolean(),
      paused: fc.constantFrom(false, false, true),
    });
    fc.assert(
      fc.property(
        fc.array(workload, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (workloads, nodes, passes, minMember) => {
          const documents = (at: 0 | 1 | 2): string[] => [
            ...CLASSES,
            podGroup(minMember),
            ...workloads.map(({ versions, spec, pod, labels, back, paused }, number) => {
              // The last one goes back to the first template, or on to a third.
              const template = at === 2 && back ? 0 : at;
              return app(`w${number}`, {
                replicas: versions[at].replicas,
                image: `app:${template}`,
                requests: cpu(versions[template].amount),
                pod,
                labels,
                spec: { ...spec, paused: paused && at === 2 },
              });
            }),
          ];
          const fleet = new Fleet(...nodesOf(nodes)).apply(...documents(0));
          fleet.begin(...documents(1));
          assertHappens(fleet.advance(passes), documents(2));
        },
      ),
      { numRuns: 60 },
    );
  });
});
