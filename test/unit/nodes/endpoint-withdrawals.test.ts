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
import { ending, slice, sendsTo, type Listed } from './endpoints.ts';
import { Agent, bringUp } from './model-agent.ts';
import { boundPod, configMap } from './stored.ts';

/**
 * A store, the control planes that come and go with it, and nodes whose rules follow their assignments when they get to
 * it.
 */
class Cluster {
  readonly objects = new Map<ObjectKey, Stored>();
  readonly nodes: readonly string[];
  readonly agents = new Map<string, Agent>();
  /** Per node: the slices that its rules were made of, and the version that it reports of them. */
  readonly rules = new Map<string, { version: string | null; slices: readonly EndpointSlice[] }>();
  readonly #off = new Set<string>();
  now = 0;
  #tracker = new AssignmentTracker('store');

  constructor(...nodes: readonly string[]) {
    this.nodes = nodes;
    for (const node of nodes) {
      this.agents.set(node, new Agent());
      this.rules.set(node, { version: null, slices: [] });
    }
    this.restart();
  }

  /** Another control plane; nothing is left of the one before but the store and what agents were sent. */
  restart(): void {
    this.#tracker = new AssignmentTracker('store');
    for (const node of this.nodes) this.#tracker.join(node, this.now);
    const present = [...this.objects.values()].sort(
      (a, b) => Number(b.kind === 'EndpointSlice') - Number(a.kind === 'EndpointSlice'),
    );
    for (const object of present) this.#tracker.observe('put', object, this.now);
    this.#tracker.publish();
    for (const node of this.nodes) if (!this.#off.has(node)) this.connect(node);
  }

  connect(node: string): void {
    this.#off.delete(node);
    this.#tracker.agentHolds(node, this.agent(node).version);
    this.report(node);
  }

  switchOff(node: string): void {
    this.#off.add(node);
  }

  put(object: Stored): void {
    this.objects.set(keyOf(object), object);
    this.#tracker.observe('put', object, this.now);
  }

  push(node: string): void {
    if (!this.#off.has(node)) bringUp(this.#tracker, node, this.agent(node));
  }

  /** The rules of the node follow what it was sent last, and it says so. */
  enforce(node: string): void {
    if (this.#off.has(node)) return;
    const { version, objects } = this.agent(node);
    this.rules.set(node, {
      version,
      slices: [...objects.values()].filter((object) => object.kind === 'EndpointSlice'),
    });
    this.report(node);
  }

  report(node: string): void {
    this.#tracker.inForce(node, this.rules.get(node)?.version ?? null);
  }

  remove(node: string): void {
    this.#tracker.leave(node, this.now);
  }

  settle(...nodes: readonly string[]): void {
    for (const node of nodes.length === 0 ? this.nodes : nodes) {
      this.push(node);
      this.enforce(node);
    }
  }

  pass(ms: number): void {
    this.now += ms;
    const at = this.#tracker.nextExpiry();
    if (at !== undefined && at <= this.now) this.#tracker.expire(this.now);
  }

  agent(node: string): Agent {
    const agent = this.agents.get(node);
    assert.ok(agent);
    return agent;
  }

  isTold(pod: string): boolean {
    return [...this.agents.values()].some((agent) => agent.ending().includes(`uid-${pod}`));
  }

  /** Nodes whose rules send to the pod. */
  senders(pod: string): readonly string[] {
    return this.nodes.filter((node) => this.rules.get(node)?.slices.some((one) => sendsTo(one, pod)));
  }
}

const pod = boundPod('a', 'n1');

/** Pod `a` on n1 is ready behind a Service, and every node sends to it. */
function running(): Cluster {
  const cluster = new Cluster('n1', 'n2', 'n3');
  cluster.put(pod);
  cluster.put(slice({ a: 'ready' }));
  cluster.settle();
  assert.deepEqual(cluster.senders('a'), ['n1', 'n2', 'n3']);
  return cluster;
}

/** What happens after the pod was deleted, in order. */
const STEPS: readonly (readonly [string, (cluster: Cluster) => void])[] = [
  [
    'the pod is marked',
    (c) => {
      c.put(ending(pod));
    },
  ],
  [
    'its node is sent what is new',
    (c) => {
      c.push('n1');
    },
  ],
  [
    'its endpoint ends',
    (c) => {
      c.put(slice({ a: 'terminating' }));
    },
  ],
  [
    'its node hears',
    (c) => {
      c.settle('n1');
    },
  ],
  [
    'a second node is sent it',
    (c) => {
      c.push('n2');
    },
  ],
  [
    'a second node enforces it',
    (c) => {
      c.enforce('n2');
    },
  ],
  [
    'its node is looked at again',
    (c) => {
      c.push('n1');
    },
  ],
  [
    'the last node is sent it',
    (c) => {
      c.push('n3');
    },
  ],
  [
    'its node is looked at again',
    (c) => {
      c.push('n1');
    },
  ],
  [
    'the last node enforces it',
    (c) => {
      c.enforce('n3');
    },
  ],
];

describe('a pod that ends', () => {
  it("is told once no node's rules send to it, and with its whole grace period", () => {
    const cluster = running();
    for (const [what, step] of STEPS) {
      step(cluster);
      assert.equal(cluster.isTold('a'), false, what);
    }
    assert.deepEqual(cluster.senders('a'), []);
    cluster.push('n1');
    assert.deepEqual(cluster.agent('n1').objects.get(keyOf(pod))?.metadata.deletionGracePeriodSeconds, 30);
    assert.equal(cluster.isTold('a'), true);
  });

  for (const [at, [what]] of STEPS.entries()) {
    it(`is told no earlier where the control plane is replaced after: ${what}`, () => {
      const cluster = running();
      for (const [index, [, step]] of STEPS.entries()) {
        step(cluster);
        if (index === at) cluster.restart();
        cluster.push('n1');
        assert.ok(
          !cluster.isTold('a') || cluster.senders('a').length === 0,
          `sent to by ${cluster.senders('a').join()}`,
        );
      }
      cluster.settle();
      cluster.push('n1');
      assert.equal(cluster.isTold('a'), true);
    });
  }

  const atOnce: readonly (readonly [string, (cluster: Cluster) => void])[] = [
    [
      'no Service has',
      (c) => {
        c.put(boundPod('b', 'n1'));
        c.settle();
        c.put(ending(boundPod('b', 'n1')));
      },
    ],
    [
      'was not ready for long',
      (c) => {
        c.put(boundPod('b', 'n1'));
        c.put(slice({ a: 'ready', b: 'ready' }));
        c.put(slice({ a: 'ready', b: 'not ready' }));
        c.settle();
        c.put(ending(boundPod('b', 'n1')));
      },
    ],
    [
      'gets no grace period',
      (c) => {
        c.put(boundPod('b', 'n1'));
        c.put(slice({ a: 'ready', b: 'ready' }));
        c.settle();
        c.put(ending(boundPod('b', 'n1'), 0));
      },
    ],
  ];
  for (const [what, happens] of atOnce) {
    it(`is told at once where it is one that ${what}`, () => {
      const cluster = running();
      happens(cluster);
      cluster.push('n1');
      assert.equal(cluster.isTold('b'), true);
    });
  }

  it('waits for nodes that were not told of its readiness probe before it was deleted', () => {
    const cluster = running();
    cluster.put(slice({ a: 'not ready' }));
    cluster.settle('n1', 'n2');
    cluster.put(ending(pod));
    cluster.push('n1');
    assert.equal(cluster.isTold('a'), false);
    cluster.settle('n3', 'n1');
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits for every Service that has it', () => {
    const cluster = running();
    cluster.put(slice({ a: 'ready' }, 'other-1'));
    cluster.settle();
    cluster.put(ending(pod));
    cluster.put(slice({ a: 'terminating' }));
    cluster.settle();
    cluster.push('n1');
    assert.equal(cluster.isTold('a'), false);
    cluster.put(slice({}, 'other-1'));
    cluster.settle();
    cluster.push('n1');
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits longer for nodes that a new control plane has not reached yet', () => {
    const cluster = running();
    cluster.put(ending(pod));
    cluster.put(slice({ a: 'terminating' }));
    cluster.switchOff('n3');
    cluster.restart();
    cluster.settle();
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.settle();
    assert.equal(cluster.isTold('a'), false);
    cluster.connect('n3');
    cluster.settle();
    cluster.push('n1');
    assert.equal(cluster.isTold('a'), true);
  });

  it('waits for such a node once only, and no longer than a takeover lasts', () => {
    const cluster = running();
    const next = boundPod('b', 'n1');
    cluster.put(next);
    cluster.put(slice({ a: 'ready', b: 'ready' }));
    cluster.settle();
    cluster.put(ending(pod));
    cluster.put(slice({ a: 'terminating', b: 'ready' }));
    cluster.switchOff('n3');
    cluster.restart();
    cluster.settle();
    cluster.pass(WITHDRAWAL_LIMIT_MS);
    cluster.pass(TAKEOVER_LIMIT_MS - WITHDRAWAL_LIMIT_MS - 1);
    cluster.settle();
    assert.equal(cluster.isTold('a'), false);
    cluster.pass(1);
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);
    cluster.put(ending(next));
    cluster.put(slice({ b: 'terminating' }));
    cluster.settle();
    cluster.push('n1');
    assert.equal(cluster.isTold('b'), true);
  });

  it('waits no longer than the limit for a node that is off, and the next one not at all until the node is back', () => {
    const cluster = running();
    const next = boundPod('b', 'n2');
    cluster.put(next);
    cluster.put(slice({ a: 'ready', b: 'ready' }));
    cluster.settle();
    cluster.switchOff('n3');
    cluster.put(ending(pod));
    cluster.put(slice({ a: 'terminating', b: 'ready' }));
    cluster.settle();
    cluster.pass(WITHDRAWAL_LIMIT_MS - 1);
    cluster.settle();
    assert.equal(cluster.isTold('a'), false);
    cluster.pass(1);
    cluster.settle();
    assert.equal(cluster.isTold('a'), true);

    cluster.put(ending(next));
    cluster.put(slice({ b: 'terminating' }));
    cluster.settle('n1', 'n2');
    cluster.push('n2');
    assert.equal(cluster.isTold('b'), true);

    const last = boundPod('c', 'n1');
    cluster.put(last);
    cluster.put(slice({ c: 'ready' }));
    cluster.connect('n3');
    cluster.settle();
    cluster.put(ending(last));
    cluster.put(slice({ c: 'terminating' }));
    cluster.settle('n1', 'n2', 'n1');
    assert.equal(cluster.isTold('c'), false);
    cluster.settle('n3', 'n1');
    assert.equal(cluster.isTold('c'), true);
  });

  it('does not wait for a node that was taken out of the cluster', () => {
    const cluster = running();
    cluster.put(ending(pod));
    cluster.put(slice({ a: 'terminating' }));
    cluster.settle('n1', 'n2');
    cluster.remove('n3');
    cluster.push('n1');
    assert.equal(cluster.isTold('a'), true);
  });

  it('does not believe that an assignment of another control plane is in force which it cannot compare', () => {
    const cluster = running();
    cluster.put(ending(pod));
    cluster.put(slice({ a: 'terminating' }));
    cluster.settle('n1', 'n2');
    cluster.restart();
    cluster.put(configMap('unrelated'));
    cluster.push('n1');
    assert.deepEqual([cluster.senders('a'), cluster.isTold('a')], [['n3'], false]);
  });

  it('is never told before all nodes let go of it, is told in the end, and never revived, whatever happens in whatever order', () => {
    const pods = ['a', 'b'];
    const node = fc.constantFrom('n1', 'n2', 'n3');
    const action = fc.oneof(
      fc.record({
        do: fc.constant('slice' as const),
        a: fc.constantFrom<Listed>('ready', 'not ready'),
        b: fc.constantFrom<Listed>('ready', 'not ready'),
      }),
      fc.record({ do: fc.constant('delete' as const), pod: fc.constantFrom(...pods) }),
      fc.record({ do: fc.constant('push' as const), node }),
      fc.record({ do: fc.constant('enforce' as const), node }),
      fc.record({ do: fc.constant('config' as const), value: fc.constantFrom('1', '2') }),
      fc.record({ do: fc.constant('restart' as const) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const cluster = new Cluster('n1', 'n2', 'n3');
        const live: Record<string, StoredOf<'Pod'>> = {
          a: boundPod('a', 'n1', {
            containers: [{ name: 'app', image: 'i', envFrom: [{ configMapRef: { name: 'env' } }] }],
          }),
          b: boundPod('b', 'n2'),
        };
        const listed: Record<string, Listed> = { a: 'ready', b: 'ready' };
        const told = new Set<string>();
        for (const one of Object.values(live)) cluster.put(one);
        cluster.put(slice(listed));
        for (const step of actions) {
          if (step.do === 'slice') {
            // As the EndpointSlice controller: what ends is never ready again.
            for (const name of pods)
              listed[name] =
                live[name]?.metadata.deletionTimestamp === undefined ? step[name as 'a' | 'b'] : 'terminating';
            cluster.put(slice(listed));
          } else if (step.do === 'delete' && live[step.pod]?.metadata.deletionTimestamp === undefined)
            cluster.put((live[step.pod] = ending(live[step.pod]!)));
          else if (step.do === 'push') cluster.push(step.node);
          else if (step.do === 'enforce') cluster.enforce(step.node);
          else if (step.do === 'config') cluster.put(configMap('env', { a: step.value }));
          else if (step.do === 'restart') cluster.restart();
          for (const name of pods) {
            if (told.has(name)) assert.ok(cluster.isTold(name), `${name} was revived`);
            else if (cluster.isTold(name)) {
              assert.deepEqual(cluster.senders(name), [], `${name} was told to end`);
              told.add(name);
            }
          }
        }
        for (const name of pods) if (live[name]?.metadata.deletionTimestamp !== undefined) listed[name] = 'terminating';
        cluster.put(slice(listed));
        cluster.settle();
        cluster.settle();
        for (const name of pods)
          assert.equal(cluster.isTold(name), live[name]?.metadata.deletionTimestamp !== undefined);
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});
