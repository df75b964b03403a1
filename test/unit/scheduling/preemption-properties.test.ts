import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { StoredPod } from '../../../contracts/objects/index.ts';
import { Candidates } from '../../../reconciler/core/scheduling/candidates.ts';
import type { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import type { Nomination, PreemptionView } from '../../../reconciler/core/scheduling/framework.ts';
import { defaultPreemption } from '../../../reconciler/core/scheduling/plugins/default-preemption.ts';
import { node } from '../controllers/objects.ts';
import {
  antiAffinity,
  ARGS,
  budget,
  CLASSES,
  clusterOf,
  names,
  profile,
  schedulerOf,
  stored,
} from './preemption-cluster.ts';

/** All that can be seen of a cluster. */
function seen(cluster: ClusterState): unknown {
  const numbers = [...cluster.nodeNames()].flatMap((name) => cluster.number(name) ?? []);
  return {
    position: cluster.position,
    topology: cluster.topology,
    budgets: [...cluster.budgets].map(({ left }) => left),
    version: cluster.budgets.version,
    nodes: numbers.map((number) => ({
      pods: [...cluster.podsOn(number)],
      ports: [80, 81, 82].filter((port) => cluster.portTaken(number, { port: `TCP/${port}`, address: undefined })),
      used: ['cpu', 'memory', 'pods'].map((name) => cluster.resource(name).used[number]),
      weights: [cluster.weights.cpu[number], cluster.weights.memory[number]],
    })),
    live: [...cluster.liveShapes()].map(([shape, nodes]) => [shape.key, [...nodes]]),
  };
}

interface Drawn {
  readonly nodes: number;
  readonly pods: readonly {
    node: number;
    priority: string;
    cpu: number;
    hostPort: number | undefined;
    start: number | undefined;
    state: 'running' | 'terminating' | 'nominated';
    app: string;
  }[];
  readonly budgets: readonly { app: string; left: number }[];
  readonly pod: { priority: string; cpu: number; hostPort: number | undefined };
}
const somePort = fc.option(fc.constantFrom(80, 81), { nil: undefined, freq: 4 });
const drawn = (mostNodes: number): fc.Arbitrary<Drawn> =>
  fc.record({
    nodes: fc.integer({ min: 1, max: mostNodes }),
    pods: fc.array(
      fc.record({
        node: fc.nat(mostNodes - 1),
        priority: fc.constantFrom('lowest', 'low', 'mid', 'high', 'higher'),
        cpu: fc.constantFrom(100, 500, 1000, 1500),
        hostPort: somePort,
        start: fc.option(fc.nat(3), { nil: undefined }),
        state: fc.constantFrom('running', 'running', 'running', 'terminating', 'nominated'),
        app: fc.constantFrom('web', 'db', 'none'),
      }),
      { minLength: 3 * mostNodes, maxLength: 6 * mostNodes },
    ),
    budgets: fc.array(fc.record({ app: fc.constantFrom('web', 'db'), left: fc.nat(3) }), { maxLength: 2 }),
    pod: fc.record({ priority: fc.constantFrom('mid', 'high'), cpu: fc.constantFrom(1000, 2500), hostPort: somePort }),
  });

const nodeName = (at: number): string => `n${at}`;
function build({ nodes, pods, budgets }: Drawn): ClusterState {
  const cluster = clusterOf(
    Array.from({ length: nodes }, (_, at) => nodeName(at)),
    [],
    budgets.map(({ app, left }, at) => budget(`budget-${at}`, { app }, left)),
    { cpu: '3', memory: '4Gi', pods: '5' },
  );
  for (const [at, { node: on, state, cpu, app, hostPort, ...rest }] of pods.entries()) {
    if (on >= nodes) continue;
    const given = {
      ...rest,
      cpu: `${cpu}m`,
      labels: { app },
      ...(hostPort && { hostPort }),
      terminating: state === 'terminating',
    };
    if (state === 'nominated') cluster.nominate(stored(`pod-${at}`, given), nodeName(on));
    else cluster.setPod(stored(`pod-${at}`, { ...given, on: nodeName(on) }));
  }
  return cluster;
}
const preemptor = ({ pod: { priority, cpu, hostPort } }: Drawn, name = 'p'): StoredPod =>
  stored(name, { priority, cpu: `${cpu}m`, ...(hostPort && { hostPort }) });

function ask(cluster: ClusterState, asking: StoredPod, local = true): Nomination | undefined {
  const shape = cluster.shape(asking);
  const candidates = new Candidates(shape, profile(), cluster);
  if (candidates.pick(0) >= 0) return undefined;
  const view: PreemptionView = local
    ? candidates
    : {
        local: false,
        preemptable: () => candidates.preemptable(),
        preemptableAt: (n) => candidates.preemptableAt(n),
        fits: (n) => candidates.fits(n),
        lift: (p) => {
          candidates.lift(p);
        },
        putBack: (p) => {
          candidates.putBack(p);
        },
        passes: (n) => candidates.passes(n),
      };
  return defaultPreemption(ARGS).postFilter?.(asking, shape, cluster, view);
}

/** Kubernetes' algorithm once more, over plain numbers. */
interface Plain {
  readonly name: string;
  readonly priority: number;
  readonly cpu: number;
  readonly port: number | undefined;
  readonly start: number;
  readonly app: string;
  readonly nominated: boolean;
  readonly going: boolean;
}
interface Choice {
  readonly node: string;
  readonly key: readonly number[];
  readonly victims: readonly string[];
  readonly displaced: readonly string[];
}
function expected(given: Drawn): readonly Choice[] {
  const priority = (name: string): number => CLASSES.get(name)?.value ?? 0;
  const own = priority(given.pod.priority);
  const choices: Choice[] = [];
  for (let at = 0; at < given.nodes; at++) {
    const all = given.pods.flatMap((p, index): Plain[] =>
      p.node === at
        ? [
            {
              name: `pod-${index}`,
              priority: priority(p.priority),
              cpu: p.cpu,
              port: p.hostPort,
              start: p.start ?? Infinity,
              app: p.app,
              nominated: p.state === 'nominated',
              going: p.state === 'terminating',
            },
          ]
        : [],
    );
    const fits = (there: readonly Plain[]): boolean =>
      there.length + 1 <= 5 &&
      there.reduce((sum, { cpu }) => sum + cpu, given.pod.cpu) <= 3000 &&
      (given.pod.hostPort === undefined || there.every(({ port }) => port !== given.pod.hostPort));
    const lower = all
      .filter((p) => !p.going && p.priority < own)
      .sort(
        (a, b) =>
          b.priority - a.priority || (a.start === b.start ? 0 : a.start - b.start) || (a.name < b.name ? -1 : 1),
      );
    let there = all.filter((p) => !p.going && p.priority >= own);
    if (!fits(there)) continue;
    const left = given.budgets.map((b) => b.left);
    const violating = new Set(
      lower
        .filter((p) => !p.nominated)
        .filter((p) =>
          given.budgets.map((b, i) => b.app === p.app && (left[i] = (left[i] ?? 0) - 1) < 0).some(Boolean),
        ),
    );
    const spare = (group: readonly Plain[]): Plain[] =>
      group.filter((p) => {
        if (!fits([...there, p])) return true;
        there = [...there, p];
        return false;
      });
    const kept = spare(lower.filter((p) => !p.nominated && violating.has(p)));
    const victims = [...kept, ...spare(lower.filter((p) => !p.nominated && !violating.has(p)))].sort(
      (a, b) => lower.indexOf(a) - lower.indexOf(b),
    );
    const displaced = spare(lower.filter((p) => p.nominated));
    const highest = Math.max(...victims.map((p) => p.priority));
    const waits = victims.length > 0 || !fits([...there, ...all.filter((p) => p.going)]);
    const key = [
      kept.length,
      highest,
      victims.reduce((sum, p) => sum + p.priority + 2 ** 31, 0),
      victims.length,
      -Math.min(...victims.filter((p) => p.priority === highest).map((p) => p.start)),
      waits ? 1 : 0,
      displaced.length,
    ];
    choices.push({
      node: nodeName(at),
      key,
      victims: victims.map((p) => p.name),
      displaced: displaced.map((p) => p.name),
    });
  }
  return choices;
}
function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (const [at, value] of a.entries()) {
    const other = b[at] ?? 0;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

describe('preemption, whatever the cluster', () => {
  it('chooses as Kubernetes would among all nodes', () => {
    let nominations = 0;
    fc.assert(
      fc.property(drawn(4), (given) => {
        const cluster = build(given);
        const asking = preemptor(given);
        const candidates = new Candidates(cluster.shape(asking), profile(), cluster);
        if (candidates.pick(0) >= 0) return;
        const got = ask(cluster, asking);
        const choices = [...expected(given)].sort((a, b) => compareKeys(a.key, b.key));
        const chosen = choices.find(({ node: name }) => name === got?.node);
        assert.equal(got === undefined, choices.length === 0);
        if (!got) return;
        nominations++;
        assert.deepEqual(chosen?.key, choices[0]?.key);
        assert.deepEqual([names(got.victims), names(got.displaced)], [chosen?.victims, chosen?.displaced]);
      }),
      { numRuns: 500 },
    );
    assert.ok(nominations > 100, `${nominations} nominations`);
  });

  it('makes just the room that the pod needs, of lower pods only', () => {
    fc.assert(
      fc.property(drawn(3), (given) => {
        const cluster = build(given);
        const asking = preemptor(given);
        const nomination = ask(cluster, asking);
        if (!nomination) return;
        const priority = cluster.priority(asking);
        const number = cluster.number(nomination.node) ?? -1;
        for (const lost of [...nomination.victims, ...nomination.displaced])
          assert.ok(cluster.priority(lost) < priority);
        for (const {
          shape,
          pod: { metadata },
        } of [...cluster.podsOn(number)])
          if (shape.terminating) cluster.removePod(metadata.uid);
        for (const { metadata } of [...nomination.victims, ...nomination.displaced]) cluster.removePod(metadata.uid);
        const candidates = new Candidates(cluster.shape(asking), profile(), cluster);
        assert.ok(candidates.fits(number));
        for (const victim of nomination.victims) {
          cluster.setPod(victim);
          assert.ok(!candidates.fits(number), `${victim.metadata.name} could stay`);
          cluster.removePod(victim.metadata.uid);
        }
        for (const displaced of nomination.displaced) {
          cluster.nominate(displaced, nomination.node);
          assert.ok(!candidates.fits(number), `${displaced.metadata.name} could stay`);
          cluster.removePod(displaced.metadata.uid);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is the same from the table and by trying each node', () => {
    fc.assert(
      fc.property(drawn(5), (given) => {
        const cluster = build(given);
        assert.deepEqual(ask(cluster, preemptor(given), false), ask(cluster, preemptor(given), true));
      }),
      { numRuns: 300 },
    );
  });

  it('is only thought of: the cluster stays as it was, and nobody hears of it', () => {
    const affinities = [undefined, antiAffinity('web'), antiAffinity('db')];
    fc.assert(
      fc.property(drawn(3), fc.constantFrom(...affinities), fc.boolean(), (given, affinity, spread) => {
        const cluster = build(given);
        const base = preemptor(given);
        const topologySpreadConstraints = [
          {
            maxSkew: 1,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'web' } },
          },
        ];
        const asking = stored('p', {
          priority: given.pod.priority,
          cpu: `${given.pod.cpu}m`,
          labels: { app: 'web' },
          spec: {
            ...(affinity && { affinity }),
            ...(spread && {
              topologySpreadConstraints: topologySpreadConstraints.map((c) => ({
                ...c,
                nodeAffinityPolicy: 'Honor',
                nodeTaintsPolicy: 'Ignore',
              })),
            }),
          },
        });
        for (const one of [base, asking]) {
          const candidates = new Candidates(cluster.shape(one), profile(), cluster);
          if (candidates.pick(0) >= 0) continue;
          const before = structuredClone(seen(cluster));
          const verdicts = candidates.verdicts();
          const end = cluster.subscribe(() => assert.fail('an event'));
          defaultPreemption(ARGS).postFilter?.(one, candidates.shape, cluster, candidates);
          end();
          assert.deepEqual(seen(cluster), before);
          assert.deepEqual(candidates.verdicts(), verdicts);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('knows from the journal what a fresh look would find', () => {
    type Deed = (cluster: ClusterState, at: number) => void;
    const deed: fc.Arbitrary<Deed> = fc.oneof(
      fc
        .record({
          on: fc.nat(3),
          cpu: fc.constantFrom(500, 1500),
          start: fc.option(fc.nat(3), { nil: undefined }),
          priority: fc.constantFrom('low', 'mid', 'high'),
          app: fc.constantFrom('web', 'db'),
        })
        .map(({ on, cpu, app, ...rest }): Deed => (cluster, at) => {
          cluster.setPod(stored(`new-${at}`, { ...rest, cpu: `${cpu}m`, labels: { app }, on: nodeName(on) }));
        }),
      fc.nat(12).map((which): Deed => (cluster) => {
        cluster.removePod(`uid-pod-${which}`);
      }),
      fc.nat(12).map((which): Deed => (cluster) => {
        cluster.terminate(`uid-pod-${which}`);
      }),
      fc.tuple(fc.nat(12), fc.nat(3)).map(([which, start]): Deed => (cluster) => {
        const placed = cluster.placed(`uid-pod-${which}`);
        if (placed)
          cluster.assume(
            { ...placed.pod, status: { phase: 'Running', startTime: new Date(start * 1000).toISOString() } },
            placed.nodeName,
          );
      }),
      fc
        .array(fc.record({ app: fc.constantFrom('web', 'db'), left: fc.nat(3) }), { maxLength: 3 })
        .map((list): Deed => (cluster) => {
          cluster.setBudgets(
            'default',
            list.map(({ app, left }, at) => budget(`budget-${at}`, { app }, left)),
          );
        }),
      fc.nat(3).map((on): Deed => (cluster) => {
        cluster.setNode(node(nodeName(on), { spec: { unschedulable: true } }));
      }),
    );
    let compared = 0;
    fc.assert(
      fc.property(drawn(4), fc.array(deed, { maxLength: 12 }), (given, deeds) => {
        const cluster = build(given);
        const scheduler = schedulerOf(cluster);
        for (const [at, act] of [() => undefined, ...deeds].entries()) {
          act(cluster, at);
          const asking = preemptor(given, `p-${at}`);
          const fresh = ask(cluster, asking);
          const outcome = scheduler.place(asking);
          if (outcome.is === 'nominated') {
            compared++;
            assert.deepEqual(outcome.nomination, fresh);
          } else
            assert.deepEqual(
              fresh,
              outcome.is === 'placed' && outcome.displaced
                ? { node: outcome.node, victims: [], displaced: outcome.displaced }
                : undefined,
            );
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(compared > 200, `${compared} nominations`);
  });
});
