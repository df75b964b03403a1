/**
 * Whatever comes, in whatever order: room, rules, and one answer for one state. Rules are checked by an {@link forbids
 * oracle}.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Node, Pod, StoredPod } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import type { Profile } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler, type Outcome } from '../../../reconciler/core/scheduling/scheduler.ts';
import { service } from '../controllers/objects.ts';
import { asksFor, forbids, RESOURCES, type World } from './oracle.ts';
import { nodeFacts, nodeOf, podFacts, podOf, profile, type NodeFacts, type PodFacts } from './random-cluster.ts';
import { profilesOf, stored } from './situation.ts';

/** More for a long look: `SCHEDULER_RUNS=2000`. */
const RUNS = Number(process.env['SCHEDULER_RUNS'] ?? 100);
const SEED = 7;
const NODES = 6;
const PODS = 10;
/**
 * Twice what the journal keeps, one entry for each that comes and one for each that goes; and more shapes than are
 * kept.
 */
const CROWD = 2100;

const SERVICE = service('web', { selector: { app: 'web' } });
const nodeName = (at: number): string => `n${at}`;

/** What is there: nodes, namespaces, Services, and pods with their place. */
class Model {
  readonly nodes = new Map<string, Node>();
  readonly placed = new Map<string, { pod: StoredPod; node: string; nominated?: boolean }>();
  readonly namespaces: Record<string, Record<string, string>> = {};
  served = false;

  get world(): World {
    return { nodes: [...this.nodes.values()], placed: [...this.placed.values()], namespaces: this.namespaces };
  }

  /** The rule that forbids the pod to run there. */
  forbids(pod: Pod, name: string): string | undefined {
    const node = this.nodes.get(name);
    return node ? forbids(this.world, pod, node) : 'no such node';
  }
  /** Nodes that may run the pod. */
  fitting(pod: Pod): string[] {
    return [...this.nodes.keys()].filter((name) => this.forbids(pod, name) === undefined);
  }

  /** Takes over what a pod that was tried got, and who makes room for it. */
  follow(outcome: Outcome): void {
    const { pod } = outcome;
    if (outcome.is === 'placed') this.placed.set(pod.metadata.uid, { pod, node: outcome.node });
    if (outcome.is !== 'nominated') return;
    for (const { metadata } of outcome.nomination.displaced) this.placed.delete(metadata.uid);
    for (const victim of outcome.nomination.victims) {
      const there = this.placed.get(victim.metadata.uid);
      if (there)
        this.placed.set(victim.metadata.uid, {
          ...there,
          pod: { ...there.pod, metadata: { ...there.pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
        });
    }
    this.placed.set(pod.metadata.uid, { pod, node: outcome.nomination.node, nominated: true });
  }

  /** A state that knows all this from the start, told in the order that `shuffle` gives. */
  state(shuffle: <T>(list: readonly T[]) => readonly T[] = (list) => list): ClusterState {
    const cluster = new ClusterState();
    const tell = [
      ...[...this.nodes.values()].map((node) => () => {
        cluster.setNode(node);
      }),
      ...[...this.placed.values()].map(({ pod, node, nominated }) => () => {
        if (nominated) cluster.nominate(pod, node);
        else cluster.assume(pod, node);
      }),
      ...Object.entries(this.namespaces).map(([name, labels]) => () => {
        cluster.setNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
      }),
      ...(this.served
        ? [
            () => {
              cluster.setServices('red', [stored({ ...SERVICE, metadata: { name: 'web', namespace: 'red' } })]);
            },
          ]
        : []),
    ];
    for (const each of shuffle(tell)) each();
    return cluster;
  }
}

// ---- histories ----

type Command =
  | { readonly do: 'node'; readonly at: number; readonly facts: NodeFacts }
  | { readonly do: 'removeNode'; readonly at: number }
  /** The node reports that it has the image, of so many mebibytes, or has it no more. */
  | { readonly do: 'image'; readonly at: number; readonly image: number | undefined }
  /** Gives the pod a place; of a pod that has one, anew. */
  | { readonly do: 'place'; readonly pod: number }
  /** The store has its binding. */
  | { readonly do: 'bind'; readonly pod: number }
  /** Somebody else gave it a node, which may be unknown, or full. */
  | { readonly do: 'appear'; readonly pod: number; readonly at: number }
  | { readonly do: 'nominate'; readonly pod: number; readonly at: number }
  /** Somebody proposes a place. */
  | { readonly do: 'commit'; readonly pod: number; readonly at: number }
  /** `stay`: news of the pod that know of no deletion. */
  | { readonly do: 'terminate' | 'stay' | 'finish' | 'relabel' | 'remove' | 'forget'; readonly pod: number }
  | { readonly do: 'namespace'; readonly name: string; readonly team: string }
  | { readonly do: 'services'; readonly there: boolean }
  /**
   * Visitors come to the node and go, each alike no other, more than the journal and the table of shapes keep; with a
   * look at the pod now and then, or none.
   */
  | { readonly do: 'crowd'; readonly pod: number; readonly at: number; readonly watched: boolean }
  /** Has the scheduler work out all it can about the pod, which it then keeps up to date. */
  | { readonly do: 'look'; readonly pod: number };

const podAt = fc.nat(PODS - 1);
const nodeAt = fc.nat(NODES - 1);
const onPod = <D extends string>(
  weight: number,
  what: D,
): { weight: number; arbitrary: fc.Arbitrary<{ do: D; pod: number }> } => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(what), pod: podAt }),
});
const onBoth = <D extends string>(
  weight: number,
  what: D,
): { weight: number; arbitrary: fc.Arbitrary<{ do: D; pod: number; at: number }> } => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(what), pod: podAt, at: nodeAt }),
});
/** Pods come and go more often than nodes, so that there is something to keep up with. */
const command: fc.Arbitrary<Command> = fc.oneof(
  onPod(14, 'place'),
  onBoth(10, 'appear'),
  onPod(4, 'bind'),
  onBoth(2, 'nominate'),
  onBoth(4, 'commit'),
  onPod(5, 'terminate'),
  onPod(2, 'stay'),
  onPod(2, 'relabel'),
  onPod(2, 'finish'),
  onPod(4, 'remove'),
  onPod(2, 'forget'),
  onPod(12, 'look'),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('node' as const), at: nodeAt, facts: nodeFacts }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('removeNode' as const), at: nodeAt }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('image' as const),
      at: nodeAt,
      image: fc.constantFrom(undefined, 100, 900),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('namespace' as const),
      name: fc.constantFrom('red', 'blue'),
      team: fc.constantFrom('x', 'y'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('services' as const), there: fc.boolean() }) },
);

interface History {
  readonly nodes: readonly NodeFacts[];
  readonly pods: readonly PodFacts[];
  readonly commands: readonly Command[];
  readonly profile: object;
}
const history = (maxLength: number): fc.Arbitrary<History> =>
  fc.record({
    nodes: fc.array(nodeFacts, { minLength: 2, maxLength: NODES }),
    pods: fc.array(podFacts, { minLength: 1, maxLength: 4 }),
    commands: fc.array(command, { maxLength, size: 'max' }),
    profile,
  });

const built = new Map<object, ReadonlyMap<string, Profile>>();
function profilesFor({ profile: given }: History): ReadonlyMap<string, Profile> {
  let profiles = built.get(given);
  if (!profiles) built.set(given, (profiles = profilesOf([given]).profiles));
  return profiles;
}

interface Watch {
  beginning?(scheduler: Scheduler): void;
  /** A pod was tried, or a place for it; before its place is in the model. */
  tried?(pod: StoredPod, outcome: Outcome, model: Model): void;
  proposed?(pod: StoredPod, node: string, taken: boolean, model: Model): void;
  looking?(pod: StoredPod, scheduler: Scheduler, model: Model): void;
  after?(command: Command, model: Model): void;
}

/** Runs the history on one scheduler, beside a model of it. */
function run(given: History, watch: Watch): { scheduler: Scheduler; model: Model; pods: readonly StoredPod[] } {
  const { nodes, pods, commands } = given;
  const model = new Model();
  const scheduler = new Scheduler(model.state(), { profiles: profilesFor(given), seed: 'test' });
  const { cluster } = scheduler;
  watch.beginning?.(scheduler);
  const factsOf = new Map<number, NodeFacts>();
  const setNode = (at: number, facts: NodeFacts): void => {
    const node = nodeOf(nodeName(at), facts);
    factsOf.set(at, facts);
    model.nodes.set(nodeName(at), node);
    cluster.setNode(node);
  };
  for (const [at, facts] of nodes.entries()) setNode(at, facts);
  // Several pods of one shape: the numbers are handed round.
  const all = Array.from({ length: PODS }, (_, i) => stored(podOf(`p${i}`, pods[i % pods.length] as PodFacts)));
  const put = (pod: StoredPod, node: string): void => {
    model.placed.set(pod.metadata.uid, { pod, node });
    cluster.setPod({ ...pod, spec: { ...pod.spec, nodeName: node } });
  };
  for (const c of commands) {
    const pod = 'pod' in c ? all[c.pod] : undefined;
    const uid = pod?.metadata.uid ?? '';
    const there = model.placed.get(uid);
    switch (c.do) {
      case 'node':
        setNode(c.at, c.facts);
        break;
      case 'removeNode':
        factsOf.delete(c.at);
        model.nodes.delete(nodeName(c.at));
        cluster.removeNode(nodeName(c.at));
        break;
      case 'image': {
        const facts = factsOf.get(c.at);
        if (facts) setNode(c.at, { ...facts, image: c.image });
        break;
      }
      case 'place': {
        if (!pod) break;
        model.placed.delete(uid);
        const outcome = scheduler.place(pod);
        if (outcome.is === 'placed')
          for (const { metadata } of outcome.displaced ?? []) model.placed.delete(metadata.uid);
        watch.tried?.(pod, outcome, model);
        model.follow(outcome);
        break;
      }
      case 'commit': {
        if (!pod || (there && !there.nominated)) break;
        model.placed.delete(uid);
        const taken = scheduler.commit(pod, nodeName(c.at));
        watch.proposed?.(pod, nodeName(c.at), taken, model);
        if (taken) model.placed.set(uid, { pod, node: nodeName(c.at) });
        else if (there) model.placed.set(uid, there);
        break;
      }
      case 'bind':
        if (there) put(there.pod, there.node);
        break;
      case 'appear':
        if (pod && !there) put(pod, nodeName(c.at));
        break;
      case 'nominate':
        if (pod && !there) {
          model.placed.set(uid, { pod, node: nodeName(c.at), nominated: true });
          cluster.nominate(pod, nodeName(c.at));
        }
        break;
      case 'terminate':
        if (there)
          put(
            { ...there.pod, metadata: { ...there.pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
            there.node,
          );
        break;
      case 'stay':
        if (there) {
          const { deletionTimestamp: _mark, ...metadata } = there.pod.metadata;
          put({ ...there.pod, metadata }, there.node);
        }
        break;
      case 'relabel':
        if (there)
          put(
            { ...there.pod, metadata: { ...there.pod.metadata, labels: { ...there.pod.metadata.labels, app: 'db' } } },
            there.node,
          );
        break;
      case 'finish':
        if (there) {
          model.placed.delete(uid);
          cluster.setPod({ ...there.pod, status: { phase: 'Succeeded' } });
        }
        break;
      case 'remove':
        model.placed.delete(uid);
        cluster.removePod(uid);
        break;
      case 'forget':
        if (pod) {
          model.placed.delete(uid);
          scheduler.forget(pod);
        }
        break;
      case 'namespace':
        model.namespaces[c.name] = { team: c.team };
        cluster.setNamespace({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: c.name, labels: { team: c.team } },
        });
        break;
      case 'services':
        model.served = c.there;
        cluster.setServices(
          'red',
          c.there ? [stored({ ...SERVICE, metadata: { name: 'web', namespace: 'red' } })] : [],
        );
        break;
      case 'crowd':
        if (!pod) break;
        for (let i = 0; i < CROWD; i++) {
          const visitor = {
            ...pod,
            metadata: {
              ...pod.metadata,
              name: `v${i}`,
              uid: `v${i}`,
              labels: { ...pod.metadata.labels, visitor: String(i) },
            },
          };
          cluster.assume(visitor, nodeName(c.at));
          if (c.watched && i % 20 === 0) scheduler.refusal(pod);
          cluster.removePod(visitor.metadata.uid);
        }
        break;
      case 'look':
        if (pod) watch.looking?.(pod, scheduler, model);
    }
    watch.after?.(c, model);
  }
  return { scheduler, model, pods: all };
}

/** All that a scheduler says of a pod. */
function answers(scheduler: Scheduler, pod: StoredPod): object {
  const { cluster } = scheduler;
  const given = scheduler.profileOf(pod);
  assert.ok(given);
  const number = scheduler.candidates(cluster.shape(pod), given).pick(SEED);
  const pick = number < 0 ? undefined : cluster.nodeName(number);
  const ranking = scheduler.ranking(pod, NODES);
  const [best, picked] = [ranking[0], ranking.find(({ node }) => node === pick)];
  assert.ok(
    best?.node === pick || (best && picked && best.total - picked.total < 1e-9),
    'what is picked is as good as the first of the ranking',
  );
  return { pick, refusal: scheduler.refusal(pod), ranking };
}

function told(outcome: Outcome, victim: (pod: StoredPod) => string): string {
  switch (outcome.is) {
    case 'placed':
      return `on ${outcome.node}`;
    case 'nominated':
      return `nominated to ${outcome.nomination.node} for ${outcome.nomination.victims.map(victim).join()}`;
    case 'refused':
      return outcome.refusal.message;
  }
}

/** A shuffle that the seed decides. */
function shuffler(seed: number): <T>(list: readonly T[]) => readonly T[] {
  return (list) =>
    list
      .map((item, at) => ({ item, key: Math.imul(at + 1, 2 * seed + 0x9e3779b1) >>> 0 }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
}

function check<T>(arbitrary: fc.Arbitrary<T>, predicate: (value: T) => void, share = 1): void {
  fc.assert(fc.property(arbitrary, predicate), { numRuns: Math.ceil(RUNS * share) });
}

describe('property: scheduler', () => {
  it('never over-commits a node, and breaks no rule; a pod that it refuses no node may run', () => {
    check(history(40), (given) => {
      run(given, {
        tried(pod, outcome, model) {
          if (outcome.is === 'placed') assert.equal(model.forbids(pod, outcome.node), undefined);
          else assert.deepEqual(model.fitting(pod), []);
        },
        proposed(pod, node, taken, model) {
          assert.equal(taken, model.forbids(pod, node) === undefined);
        },
      });
    });
  });

  it('never leaves a pod waiting that something helped: a plugin that refused it has hinted', () => {
    check(history(40), (given) => {
      const waiting = new Map<StoredPod, ReadonlySet<string>>();
      const filters = [...profilesFor(given).values()].flatMap((each) => each.filters);
      run(given, {
        beginning({ cluster }) {
          cluster.subscribe((event) => {
            for (const [pod, plugins] of waiting) {
              if (
                plugins.size === 0 ||
                filters.some(
                  (plugin) => plugins.has(plugin.name) && (plugin.hint?.(event, cluster.shape(pod), cluster) ?? true),
                )
              )
                waiting.delete(pod);
            }
          });
        },
        tried(pod, outcome) {
          if (outcome.is === 'refused') waiting.set(pod, outcome.refusal.plugins);
          else waiting.delete(pod);
        },
        after(command, model) {
          for (const [pod, plugins] of waiting)
            if (!model.placed.has(pod.metadata.uid))
              assert.deepEqual(
                model.fitting(pod),
                [],
                `${command.do} helped a pod that ${[...plugins].join()} refused`,
              );
        },
      });
    });
  });

  it('says of every node what the rules say', () => {
    check(history(30), (given) => {
      const { scheduler, model, pods } = run(given, {});
      for (const pod of pods) {
        const refused = new Set(scheduler.refusal(pod).verdicts.map(({ node }) => node));
        assert.deepEqual(
          [...model.nodes.keys()].filter((name) => !refused.has(name)),
          model.fitting(pod),
        );
      }
    });
  });

  it('fills empty nodes to their size and no further', () => {
    check(
      history(0),
      (given) => {
        const { scheduler, model, pods } = run(
          { ...given, commands: Array.from({ length: PODS }, (_, pod) => ({ do: 'place', pod })) },
          {},
        );
        assert.equal(scheduler.cluster.podCount, model.placed.size);
        for (const node of model.nodes.values()) {
          const here = pods.filter((pod) => {
            const place = model.placed.get(pod.metadata.uid);
            return place?.node === node.metadata.name && !place.nominated;
          });
          for (const resource of RESOURCES)
            assert.ok(
              here.reduce((sum, pod) => sum + asksFor(pod, resource), 0) <= asksFor(sized(node), resource) + 1e-9 ||
                resource === 'pods',
              resource,
            );
          assert.ok(here.length <= Number(node.status?.allocatable?.['pods']));
        }
      },
      0.5,
    );
  });

  it('keeps up by what changed: as a new scheduler on a new state has it', () => {
    check(history(40), (given) => {
      const compare = (pod: StoredPod, scheduler: Scheduler, model: Model): void => {
        assert.deepEqual(
          answers(scheduler, pod),
          answers(new Scheduler(model.state(), { profiles: profilesFor(given), seed: 'test' }), pod),
        );
      };
      const { scheduler, model, pods } = run(given, { looking: compare });
      for (const pod of pods.slice(0, given.pods.length)) compare(pod, scheduler, model);
    });
  });

  it('keeps up though it falls further behind than the journal goes back, and shapes are forgotten', () => {
    const crowd = fc.record({ do: fc.constant('crowd' as const), pod: podAt, at: nodeAt, watched: fc.boolean() });
    check(
      fc.tuple(history(30), crowd, fc.nat(30)),
      ([given, visitors, at]) => {
        const compare = (pod: StoredPod, scheduler: Scheduler, model: Model): void => {
          assert.deepEqual(
            answers(scheduler, pod),
            answers(new Scheduler(model.state(), { profiles: profilesFor(given), seed: 'test' }), pod),
          );
        };
        const { scheduler, model, pods } = run(
          { ...given, commands: [...given.commands.slice(0, at), visitors, ...given.commands.slice(at)] },
          { looking: compare },
        );
        for (const pod of pods.slice(0, given.pods.length)) compare(pod, scheduler, model);
      },
      0.3,
    );
  });

  it('answers the same in whatever order, and by whatever way, the state came about', () => {
    check(
      fc.tuple(
        history(25),
        fc.nat(1000),
        fc.array(nodeFacts, { maxLength: 4 }),
        fc.array(podFacts, { minLength: 1, maxLength: 3 }),
      ),
      ([given, seed, passingNodes, passingPods]) => {
        const { model, pods } = run(given, {});
        const profiles = profilesFor(given);
        const placeAll = (cluster: ClusterState): unknown => {
          const scheduler = new Scheduler(cluster, { profiles, seed: 'test' });
          return pods
            .filter(({ metadata }) => !model.placed.has(metadata.uid))
            .map((pod) => {
              const outcome = scheduler.place(pod);
              return told(outcome, ({ metadata }) => metadata.name);
            });
        };
        const expected = placeAll(model.state());
        assert.deepEqual(placeAll(model.state()), expected);
        assert.deepEqual(placeAll(model.state(shuffler(seed))), expected);

        const roundabout = new ClusterState();
        for (const [at, facts] of passingNodes.entries()) roundabout.setNode(nodeOf(`x${at}`, facts));
        const visitors = passingPods.map((facts, at) => stored(podOf(`v${at}`, facts)));
        for (const [at, visitor] of visitors.entries())
          roundabout.assume(visitor, at % 2 === 0 ? `x${at}` : nodeName(at));
        for (const at of passingNodes.keys()) if (at % 2 === 0) roundabout.removeNode(`x${at}`);
        for (const [name, labels] of Object.entries(model.namespaces))
          roundabout.setNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
        if (model.served)
          roundabout.setServices('red', [stored({ ...SERVICE, metadata: { name: 'web', namespace: 'red' } })]);
        for (const { pod, node, nominated } of model.placed.values())
          if (nominated) roundabout.nominate(pod, node);
          else roundabout.assume(pod, node);
        for (const node of model.nodes.values()) roundabout.setNode(node);
        for (const at of passingNodes.keys()) roundabout.removeNode(`x${at}`);
        for (const { metadata } of visitors) roundabout.removePod(metadata.uid);
        assert.deepEqual(placeAll(roundabout), expected);
      },
    );
  });

  it('gives equal pods places that are as good for one as for another', () => {
    check(
      fc.tuple(history(0), fc.nat(1000)),
      ([given, seed]) => {
        const { nodes, pods } = given;
        const profiles = profilesFor(given);
        const shapes = Array.from({ length: PODS }, (_, i) => i % pods.length);
        /** Pods of each shape on each node. */
        const counts = (names: readonly number[]): unknown => {
          const cluster = new ClusterState();
          for (const [at, facts] of nodes.entries()) cluster.setNode(nodeOf(nodeName(at), facts));
          const scheduler = new Scheduler(cluster, { profiles, seed: 'test' });
          return shapes.map((shape, at) => {
            // Without preemption: of victims that are equally important the name decides, and these may be of different
            // sizes.
            return `${shape} ${told(scheduler.place(stored(podOf(`p${names[at]}`, pods[shape] as PodFacts)), { preempt: false }), () => 'one')}`;
          });
        };
        const names = [...shapes.keys()];
        assert.deepEqual(counts(shuffler(seed)(names)), counts(names));
      },
      0.5,
    );
  });
});

/** A pod that asks for all that the node has. */
function sized({ status }: Node): Pod {
  return podOf('all', {
    namespace: 'red',
    labels: {},
    owner: undefined,
    spec: { containers: [{ name: 'a', image: 'i', resources: { requests: status?.allocatable ?? {} } }] },
  });
}
