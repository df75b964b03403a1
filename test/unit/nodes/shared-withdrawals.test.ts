/** Endpoints withdrawn where several control planes hold the nodes between them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  keyOf,
  type EndpointSlice,
  type ObjectKey,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { AssignmentTracker } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import { TAKEOVER_LIMIT_MS, WITHDRAWAL_LIMIT_MS } from '../../../reconciler/core/nodes/endpoint-withdrawals.ts';
import { WithdrawalOrder } from '../../../reconciler/core/nodes/withdrawal-order.ts';
import type { LetGo } from '../../../reconciler/ports/leases.ts';
import { ending, sendsTo, slice, type Listed } from './endpoints.ts';
import { Agent, bringUp } from './model-agent.ts';
import { boundPod } from './stored.ts';

interface Plane {
  readonly tracker: AssignmentTracker;
  /** How far it read the store's changes. */
  position: number;
  /** Versions of objects that it knows, own writes first. */
  readonly known: Map<ObjectKey, number>;
  /** Of the nodes that it holds. */
  readonly held: Set<number>;
}

/** A store, control planes with their table, and nodes of which each is a shard of its own. */
class Cluster {
  readonly #changes: Stored[] = [];
  readonly #objects = new Map<ObjectKey, Stored>();
  readonly #planes: Plane[] = [];
  readonly #table = new Map<Plane, LetGo>();
  readonly #agents: readonly Agent[];
  readonly #rules: { version: string | null; slices: readonly EndpointSlice[] }[];
  readonly nodes: readonly string[];
  now = 0;

  constructor(nodes: readonly string[], planes: number) {
    this.nodes = nodes;
    this.#agents = nodes.map(() => new Agent());
    this.#rules = nodes.map(() => ({ version: null, slices: [] }));
    for (let plane = 0; plane < planes; plane += 1) this.restart(plane);
    for (const shard of nodes.keys()) this.take(shard % planes, shard);
  }

  /** A process of its own, that knows what is in the store and holds nothing. */
  restart(at: number): void {
    const before = this.#planes[at];
    if (before) this.#table.delete(before);
    const position = this.#changes.length;
    const plane: Plane = {
      tracker: new AssignmentTracker('store', position),
      position,
      known: new Map(),
      held: new Set(),
    };
    this.#planes[at] = plane;
    for (const shard of this.nodes.keys()) plane.tracker.joinShard(shard);
    for (const object of [...this.#objects.values()].sort((a, b) => rank(a) - rank(b))) this.#observe(plane, object);
  }

  /** Its former holder leaves it; then the other takes it, which has read all that was written. */
  take(at: number, shard: number): void {
    const node = this.nodes[shard] ?? '';
    for (const former of this.#planes) {
      if (!former.held.delete(shard)) continue;
      former.tracker.joinShard(shard);
      former.tracker.handOver(node);
    }
    const plane = this.#plane(at);
    this.follow(at, Infinity);
    plane.held.add(shard);
    plane.tracker.join(node, this.now);
    plane.tracker.leaveShard(shard);
    plane.tracker.agentHolds(node, this.agent(shard).version);
    this.#report(shard);
  }

  /** Whoever writes sees it at once, and perhaps before what others wrote earlier. */
  write(at: number, object: Stored): void {
    const version = this.#changes.length + 1;
    const written = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } } as Stored;
    this.#changes.push(written);
    this.#objects.set(keyOf(written), written);
    this.#observe(this.#plane(at), written);
  }

  /** Reads on in the store's changes. */
  follow(at: number, changes: number): void {
    const plane = this.#plane(at);
    for (const object of this.#changes.slice(plane.position, plane.position + changes)) {
      this.#observe(plane, object);
      plane.position += 1;
    }
  }

  push(shard: number): void {
    const plane = this.#planes.find(({ held }) => held.has(shard));
    if (plane) bringUp(plane.tracker, this.nodes[shard] ?? '', this.agent(shard));
  }

  enforce(shard: number): void {
    const { version, objects } = this.agent(shard);
    this.#rules[shard] = {
      version,
      slices: [...objects.values()].filter((object) => object.kind === 'EndpointSlice'),
    };
    this.#report(shard);
  }

  /** Tells its word and hears the others'. */
  renew(at: number): void {
    const plane = this.#plane(at);
    this.#table.set(plane, { upTo: plane.tracker.letGoUpTo(plane.position), shards: [...plane.held] });
    const elsewhere = [...this.nodes.keys()].filter((shard) => !plane.held.has(shard));
    plane.tracker.told(
      new Map(
        elsewhere.map((shard) => {
          const holder = this.#planes.find(({ held }) => held.has(shard));
          const word = holder && this.#table.get(holder);
          return [shard, word?.shards.includes(shard) ? word.upTo : 0];
        }),
      ),
    );
  }

  pass(ms: number): void {
    this.now += ms;
    for (const { tracker } of this.#planes)
      if ((tracker.nextExpiry() ?? Infinity) <= this.now) tracker.expire(this.now);
  }

  /** Everything that is due happens; of these nodes and control planes only. */
  settle(shards: readonly number[] = [...this.nodes.keys()], planes = [...this.#planes.keys()]): void {
    for (let round = 0; round < 3; round += 1) {
      for (const at of planes) this.follow(at, Infinity);
      for (const shard of shards) {
        this.push(shard);
        this.enforce(shard);
      }
      for (const at of [...planes, ...planes]) this.renew(at);
    }
  }

  isTold(pod: string): boolean {
    return this.#agents.some((agent) => agent.ending().includes(`uid-${pod}`));
  }

  senders(pod: string): readonly string[] {
    return this.nodes.filter((_, shard) => this.#rules[shard]?.slices.some((one) => sendsTo(one, pod)));
  }

  agent(shard: number): Agent {
    const agent = this.#agents[shard];
    assert.ok(agent);
    return agent;
  }

  #plane(at: number): Plane {
    const plane = this.#planes[at];
    assert.ok(plane);
    return plane;
  }

  #observe({ tracker, known }: Plane, object: Stored): void {
    const version = Number(object.metadata.resourceVersion);
    if ((known.get(keyOf(object)) ?? 0) >= version) return;
    known.set(keyOf(object), version);
    tracker.observe('put', object, this.now);
  }

  #report(shard: number): void {
    for (const { tracker, held } of this.#planes)
      if (held.has(shard)) tracker.inForce(this.nodes[shard] ?? '', this.#rules[shard]?.version ?? null);
  }
}

function rank({ kind }: Stored): number {
  return kind === 'EndpointSlice' ? 0 : 1;
}

const pod = boundPod('a', 'n1');

/** Pod `a` on n1 is ready behind a Service. Control plane 0 holds n1 and n3, 1 holds n2. */
function running(): Cluster {
  const cluster = new Cluster(['n1', 'n2', 'n3'], 2);
  cluster.write(0, pod);
  cluster.write(0, slice({ a: 'ready' }));
  cluster.settle();
  assert.deepEqual(cluster.senders('a'), ['n1', 'n2', 'n3']);
  return cluster;
}

/** The pod is deleted and its endpoint withdrawn, and control plane 0 and its nodes have done their part. */
function withdrawn(): Cluster {
  const cluster = running();
  cluster.write(0, ending(pod));
  cluster.write(0, slice({ a: 'terminating' }));
  cluster.settle([0, 2], [0]);
  assert.deepEqual([cluster.senders('a'), cluster.isTold('a')], [['n2'], false]);
  return cluster;
}

describe('a pod that ends where several control planes hold the nodes', () => {
  it('is told when the others say that their nodes let go of it', () => {
    const cluster = withdrawn();
    cluster.settle([], [1, 0]);
    assert.equal(cluster.isTold('a'), false, 'the other has read of it');
    cluster.push(1);
    cluster.settle([0], [1, 0]);
    assert.equal(cluster.isTold('a'), false, 'the node was sent it');
    cluster.enforce(1);
    cluster.settle([0], [0]);
    assert.equal(cluster.isTold('a'), false, 'the node let go of it, and nobody said so');
    cluster.settle([0], [1, 0]);
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits for the nodes of one that died until somebody else speaks for them', () => {
    const cluster = withdrawn();
    cluster.restart(1);
    cluster.settle([0, 2]);
    assert.equal(cluster.isTold('a'), false);
    cluster.take(0, 1);
    cluster.settle([0, 2]);
    assert.equal(cluster.isTold('a'), false);
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);
  });

  it('does not take what a control plane said of other nodes for one that it has just taken', () => {
    const cluster = withdrawn();
    cluster.restart(1);
    cluster.settle([], [1]);
    cluster.take(1, 1);
    cluster.settle([0, 2], [0]);
    assert.equal(cluster.isTold('a'), false, 'it has not spoken since');
    cluster.settle([0, 2]);
    assert.equal(cluster.isTold('a'), false, 'it knows nothing of the node');
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);
  });

  it('is known to wait by whoever takes its node over', () => {
    const cluster = withdrawn();
    cluster.take(1, 0);
    cluster.settle([0, 2]);
    assert.equal(cluster.isTold('a'), false);
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits for the nodes of another until it may be taken over, and the next one not at all until they are back', () => {
    const cluster = withdrawn();
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.settle([0, 2], [0]);
    cluster.pass(TAKEOVER_LIMIT_MS - WITHDRAWAL_LIMIT_MS - 1);
    cluster.settle([0, 2], [0]);
    assert.equal(cluster.isTold('a'), false);
    cluster.pass(1);
    cluster.settle([0, 2], [0]);
    assert.equal(cluster.isTold('a'), true);
    const [next, last] = [boundPod('b', 'n1'), boundPod('c', 'n1')];
    cluster.write(0, next);
    cluster.write(0, slice({ b: 'ready' }));
    cluster.settle([0, 2], [0]);
    cluster.write(0, ending(next));
    cluster.write(0, slice({ b: 'terminating' }));
    cluster.settle([0, 2], [0]);
    assert.equal(cluster.isTold('b'), true);
    cluster.write(0, last);
    cluster.write(0, slice({ c: 'ready' }));
    cluster.settle();
    cluster.write(0, ending(last));
    cluster.write(0, slice({ c: 'terminating' }));
    cluster.settle([0, 2], [0]);
    assert.equal(cluster.isTold('c'), false);
    cluster.settle();
    assert.equal(cluster.isTold('c'), true);
  });

  it('is not waited with for a node that its own control plane knows to be late', () => {
    const cluster = new Cluster(['n1', 'n2', 'n3', 'n4'], 2);
    const next = boundPod('b', 'n1');
    cluster.write(0, pod);
    cluster.write(0, next);
    cluster.write(0, slice({ a: 'ready', b: 'ready' }));
    cluster.settle();
    // n4 is off from here on.
    cluster.write(0, ending(pod));
    cluster.write(0, slice({ a: 'terminating', b: 'ready' }));
    cluster.settle([0, 1, 2]);
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.settle([0, 1, 2]);
    assert.equal(cluster.isTold('a'), true);
    cluster.write(0, ending(next));
    cluster.write(0, slice({ b: 'terminating' }));
    cluster.settle([0, 2]);
    assert.equal(cluster.isTold('b'), false, 'n2 is waited for, which is held with n4');
    cluster.settle([0, 1, 2]);
    assert.equal(cluster.isTold('b'), true);
  });

  it('waits for its endpoint to be withdrawn until whoever does that may be taken over', () => {
    const cluster = running();
    cluster.write(0, ending(pod));
    cluster.settle();
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.settle();
    assert.equal(cluster.isTold('a'), false);
    cluster.write(0, slice({ a: 'terminating' }));
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits for nodes that were taken over in the meantime', () => {
    const cluster = withdrawn();
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.restart(1);
    cluster.take(0, 1);
    cluster.settle([0, 2]);
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.settle([0, 2]);
    assert.equal(cluster.isTold('a'), false);
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits for the slice as it is where a control plane met both late', () => {
    const tracker = new AssignmentTracker('store');
    tracker.joinShard(1);
    const [listed, end] = [slice({ a: 'terminating' }), ending(pod)];
    tracker.observe('put', { ...listed, metadata: { ...listed.metadata, resourceVersion: '50' } }, 0);
    tracker.observe('put', end, 0);
    tracker.told(new Map([[1, 49]]));
    assert.notEqual(tracker.nextExpiry(), undefined);
    tracker.told(new Map([[1, 50]]));
    assert.equal(tracker.nextExpiry(), undefined);
  });

  it('is never told before all nodes let go of it, and is told in the end, whatever happens in whatever order', () => {
    const pods = ['a', 'b'] as const;
    const shard = fc.nat(2);
    const at = fc.nat(1);
    const action = fc.oneof(
      fc.record({
        do: fc.constant('slice' as const),
        name: fc.constantFrom('web-1', 'other-1'),
        at,
        a: fc.constantFrom<Listed>('ready', 'not ready'),
        b: fc.constantFrom<Listed>('ready', 'not ready'),
      }),
      fc.record({ do: fc.constant('delete' as const), at, pod: fc.constantFrom(...pods) }),
      fc.record({ do: fc.constant('push' as const), shard }),
      fc.record({ do: fc.constant('enforce' as const), shard }),
      fc.record({ do: fc.constant('follow' as const), at, changes: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('renew' as const), at }),
      fc.record({ do: fc.constant('take' as const), at, shard }),
      fc.record({ do: fc.constant('restart' as const), at }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
        const cluster = new Cluster(['n1', 'n2', 'n3'], 2);
        const live: Record<string, StoredOf<'Pod'>> = { a: boundPod('a', 'n1'), b: boundPod('b', 'n2') };
        const names = new Set(['web-1']);
        for (const one of Object.values(live)) cluster.write(0, one);
        cluster.write(0, slice({ a: 'ready', b: 'ready' }));
        const listed = (name: 'a' | 'b', or: Listed): Listed =>
          live[name]?.metadata.deletionTimestamp === undefined ? or : 'terminating';
        for (const step of actions) {
          if (step.do === 'slice') {
            names.add(step.name);
            cluster.write(step.at, slice({ a: listed('a', step.a), b: listed('b', step.b) }, step.name));
          } else if (step.do === 'delete' && live[step.pod]?.metadata.deletionTimestamp === undefined)
            cluster.write(step.at, (live[step.pod] = ending(live[step.pod]!)));
          else if (step.do === 'push') cluster.push(step.shard);
          else if (step.do === 'enforce') cluster.enforce(step.shard);
          else if (step.do === 'follow') cluster.follow(step.at, step.changes);
          else if (step.do === 'renew') cluster.renew(step.at);
          else if (step.do === 'take') cluster.take(step.at, step.shard);
          else if (step.do === 'restart') cluster.restart(step.at);
          for (const name of pods)
            if (cluster.isTold(name)) assert.deepEqual(cluster.senders(name), [], `${name} was told to end`);
        }
        for (const name of names) cluster.write(0, slice({ a: listed('a', 'ready'), b: listed('b', 'ready') }, name));
        for (const node of [0, 1, 2]) cluster.take(0, node);
        cluster.settle();
        for (const name of pods)
          assert.equal(cluster.isTold(name), live[name]?.metadata.deletionTimestamp !== undefined, name);
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

describe('numbers of withdrawals against versions of the store', () => {
  /** Version 3 was an own write, seen before 2. */
  const order = new WithdrawalOrder(1, 10);
  for (const [number, version] of [
    [2, 12],
    [3, 20],
    [4, 15],
    [5, 30],
  ] as const)
    order.add(number, version);

  const numbers = [
    [0, 0],
    [9, 0],
    [10, 1],
    [11, 1],
    [12, 2],
    [15, 2],
    [20, 4],
    [29, 4],
    [30, 5],
    [99, 5],
  ] as const;
  for (const [version, number] of numbers)
    it(`have version ${version} hold all up to number ${number}`, () => {
      assert.equal(order.numberAt(version), number);
    });

  const versions = [
    [0, 0],
    [1, 11],
    [2, 14],
    [3, 14],
    [4, 29],
    [5, Infinity],
  ] as const;
  for (const [number, version] of versions)
    it(`have number ${number} hold all up to version ${version}`, () => {
      assert.equal(order.versionBelow(number), version);
    });

  it('never say too much of those that were forgotten', () => {
    const long = new WithdrawalOrder(1, 0);
    for (let number = 2; number <= 1500; number += 1)
      long.add(number, number % 2 === 0 ? number * 10 : number * 10 - 15);
    assert.deepEqual([long.numberAt(100), long.versionBelow(100)], [0, 0]);
    assert.deepEqual([long.numberAt(20_000), long.versionBelow(1500)], [1500, Infinity]);
  });
});
