import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyOf, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { AssignmentTracker, type AssignmentDelta } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import { projected } from '../../../reconciler/core/nodes/projected.ts';
import { projectionText } from '../../../reconciler/core/nodes/projection.ts';
import { SharedLog } from '../../../reconciler/core/nodes/shared-log.ts';
import { Agent } from './model-agent.ts';
import { boundPod, changed, configMap, nodeObject } from './stored.ts';

const NODES = ['n1', 'n2'] as const;
const range = (name: string, value: number): Stored => nodeObject(name, `10.${value}.${name.slice(1)}.0/24`);

function put(log: SharedLog, name: string, value: number | undefined): void {
  const object = range(name, value ?? 0);
  log.put(keyOf(object), value === undefined ? undefined : projected(object));
}

describe('the log of what all nodes hold', () => {
  it('says nothing of what waits before it is published, and then of each key once, as it is', () => {
    const log = new SharedLog();
    put(log, 'n1', 1);
    put(log, 'n2', 1);
    assert.deepEqual([log.newest.number, log.size, log.publish()], [0, 0, true]);
    const at = log.newest;
    put(log, 'n1', 2);
    log.publish();
    put(log, 'n1', 3);
    put(log, 'n2', undefined);
    put(log, 'n3', 1);
    log.publish();
    const changes = log.since(at);
    assert.deepEqual(changes?.remove, ['nodes//n2']);
    assert.deepEqual(
      changes.upsert.map((object) => (object.kind === 'Node' ? object.spec.podCIDR : '')),
      ['10.3.1.0/24', '10.1.3.0/24'],
    );
    assert.equal(log.publish(), false);
  });

  it('is one value for all that are at one edition, so that its text is made once', () => {
    const log = new SharedLog();
    put(log, 'n1', 1);
    log.publish();
    const at = log.newest;
    put(log, 'n2', 1);
    log.publish();
    assert.equal(log.since(at), log.since(at));
    assert.equal(log.whole(), log.whole());
  });

  it('takes no change in that is none to a node', () => {
    const log = new SharedLog();
    put(log, 'n1', 1);
    log.publish();
    const again = changed(nodeObject('n1', '10.1.1.0/24'), {});
    assert.equal(log.put(keyOf(again), projected(again)), false);
    assert.equal(log.publish(), false);
  });

  it('keeps no more changes than a few of each object, however many there were', () => {
    const log = new SharedLog();
    put(log, 'n1', 0);
    log.publish();
    const old = log.newest;
    for (let value = 1; value <= 2000; value += 1) {
      put(log, 'n1', value % 200);
      log.publish();
    }
    assert.equal(log.since(old), undefined);
    assert.deepEqual(log.whole().upsert.length, 1);
  });
});

describe('nodes that follow the log', () => {
  it('hold exactly what is published and what is their own, whatever was put, published, pushed, lost or forgotten when', () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant('node' as const),
        name: fc.constantFrom('n1', 'n2', 'n3'),
        value: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      }),
      fc.record({ do: fc.constant('taint' as const), name: fc.constantFrom(...NODES), key: fc.constantFrom('a', 'b') }),
      fc.record({ do: fc.constant('pod' as const), name: fc.constantFrom('a', 'b'), on: fc.constantFrom(...NODES) }),
      fc.record({ do: fc.constant('config' as const), value: fc.constantFrom('1', '2') }),
      fc.record({ do: fc.constant('publish' as const) }),
      fc.record({ do: fc.constant('begin' as const), node: fc.constantFrom(...NODES) }),
      fc.record({
        do: fc.constantFrom('taken', 'lost before', 'lost after', 'reset'),
        node: fc.constantFrom(...NODES),
      }),
      fc.record({ do: fc.constantFrom('forget', 'reconnect', 'handed over'), node: fc.constantFrom(...NODES) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const mine = new AssignmentTracker('store-1');
        const live = new Map<ObjectKey, Stored>();
        const agents = { n1: new Agent(), n2: new Agent() };
        const sent = new Map<string, AssignmentDelta>();
        const observe = (object: Stored, type: 'put' | 'delete' = 'put'): void => {
          if (type === 'put') live.set(keyOf(object), object);
          else if (!live.delete(keyOf(object))) return;
          mine.observe(type, object, 0);
        };
        const begin = (node: (typeof NODES)[number]): AssignmentDelta | undefined => {
          if (!mine.isBehind(node)) return undefined;
          const agent = agents[node];
          return (
            mine.delta(node) ??
            mine.wholeDelta(node, { version: agent.version, keys: [...agent.objects.keys()], ending: [] })
          );
        };
        for (const step of steps) {
          if (step.do === 'node')
            observe(range(step.name, step.value ?? 0), step.value === undefined ? 'delete' : 'put');
          else if (step.do === 'taint') {
            const node = live.get(`nodes//${step.name}` as ObjectKey);
            if (node?.kind === 'Node')
              observe(changed(node, { spec: { ...node.spec, taints: [{ key: step.key, effect: 'NoSchedule' }] } }));
          } else if (step.do === 'pod')
            observe(
              boundPod(
                step.name,
                step.on,
                { containers: [{ name: 'app', image: 'i', envFrom: [{ configMapRef: { name: 'env' } }] }] },
                { uid: `${step.name}-${step.on}` },
              ),
            );
          else if (step.do === 'config') observe(configMap('env', { a: step.value }));
          else if (step.do === 'publish') mine.publish();
          else if (step.do === 'begin') {
            const delta = begin(step.node);
            if (delta) sent.set(step.node, delta);
          } else if (step.do === 'forget') mine.forget(step.node);
          else if (step.do === 'handed over') {
            mine.handOver(step.node);
            mine.join(step.node, 0);
          } else if (step.do === 'reconnect') {
            sent.delete(step.node);
            mine.agentHolds(step.node, agents[step.node].version);
          } else {
            const delta = sent.get(step.node);
            sent.delete(step.node);
            const agent = agents[step.node];
            if (step.do === 'reset') agents[step.node] = new Agent();
            else if (delta && step.do !== 'lost before') {
              if (delta.from !== null && delta.from !== agent.version) mine.forget(step.node);
              else {
                agent.take(delta);
                if (step.do === 'taken') mine.acknowledge(step.node, delta);
              }
            }
            if (step.do !== 'taken') mine.agentHolds(step.node, agents[step.node].version);
          }
        }
        mine.publish();
        const clean = new AssignmentTracker('store-1');
        for (const object of live.values()) clean.observe('put', object, 0);
        clean.publish();
        for (const node of NODES) {
          const agent = agents[node];
          for (let moves = 0; mine.isBehind(node); moves += 1) {
            assert.ok(moves < 5);
            const delta = begin(node);
            assert.ok(delta);
            if (delta.from !== null && delta.from !== agent.version) mine.forget(node);
            else {
              agent.take(delta);
              mine.acknowledge(node, delta);
            }
          }
          const whole = new Agent();
          whole.take(clean.wholeDelta(node));
          assert.deepEqual(agent.contents(), whole.contents());
          assert.equal(agent.version, whole.version);
          assert.ok(agent.contents().every((text) => text === projectionText(JSON.parse(text) as Stored)));
        }
      }),
      { numRuns: 500, seed: 11 },
    );
  });
});
