/** Which changes of an object ask which controllers for a pass: those that a pass could do something about. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorText } from '../../../contracts/errors.ts';
import {
  keyOf,
  KindRegistry,
  unstructured,
  type Stored,
  type StoredUnstructured,
  type Taint,
} from '../../../contracts/objects/index.ts';
import { customResourceDefinitionController } from '../../../reconciler/controllers/customresourcedefinition.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { isBinding } from '../../../reconciler/controllers/owned-keys.ts';
import { podGcController } from '../../../reconciler/controllers/pod-gc.ts';
import type { Controller } from '../../../reconciler/controllers/runtime/controller.ts';
import { Dispatch } from '../../../reconciler/controllers/runtime/dispatch.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { OwnWrites } from '../../../reconciler/controllers/runtime/own-writes.ts';
import { taintEvictionController } from '../../../reconciler/controllers/taint-eviction.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { SILENT_REASON } from '../../../reconciler/core/health/eviction.ts';
import { boundPod, changed, configMap, nodeObject, withStatus } from '../nodes/stored.ts';

const [GC, POD_GC, TAINTS] = ['garbage-collector', 'pod-garbage-collector', 'taint-eviction-controller'];
const owner = configMap('owner');
const ofOwner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
const node = nodeObject('n', '198.18.1.0/24');
const ready = (status: string, reason = 'x'): object => ({
  phase: 'Running',
  conditions: [{ type: 'Ready', status, reason, lastTransitionTime: '2026-01-01T00:00:00Z' }],
});
const noExecute = { key: 'a', value: 'b', effect: 'NoExecute' } as Taint;
const silent = withStatus(node, { conditions: [{ type: 'Ready', status: 'Unknown' }] });
const tainted = changed(node, { spec: { ...node.spec, taints: [noExecute] } });
const free = boundPod('p', undefined, {}, { ownerReferences: [ofOwner] });
/** A binding counts the generation up. */
const bound = boundPod('p', 'n', {}, { ownerReferences: [ofOwner], generation: 2 });

/** The controllers that the last of these changes asks for a pass over the object itself. */
function asked(there: readonly Stored[], object: Stored, previous?: Stored): readonly string[] {
  const table = new ObjectTable();
  for (const one of [...there, object]) table.put(one);
  const names: string[] = [];
  const controllers = [garbageCollector, podGcController, taintEvictionController(new NodeMonitor())];
  const dispatch = new Dispatch({
    lanes: controllers.map((controller) => ({ controller, ownWrites: new OwnWrites() })),
    view: table,
    ask: ({ controller }) => names.push(controller.name),
    failed: (_lane, _object, error) => assert.fail(String(error)),
  });
  dispatch.changed('put', object, previous);
  return names.sort();
}

describe('a change asks for no pass that would do nothing', () => {
  for (const [what, there, object, previous, who] of [
    ['a new pod', [owner], free, undefined, []],
    ['a new pod whose owner is gone', [], free, undefined, [GC]],
    ['a pod that was bound to a well node', [owner, node], bound, free, []],
    ['a pod that was bound to a machine that is gone', [owner], bound, free, [POD_GC]],
    ['a pod that was bound to a tainted node', [owner, tainted], bound, free, [TAINTS]],
    ['a pod that became ready on a well node', [owner, node], withStatus(bound, ready('True')), bound, []],
    ['a pod that became ready on a silent node', [owner, silent], withStatus(bound, ready('True')), bound, [TAINTS]],
    ['a pod that was marked', [owner, node], withStatus(bound, ready('False', SILENT_REASON)), bound, [TAINTS]],
    [
      'a pod that lost its owner',
      [node],
      changed(bound, {}),
      { ...bound, metadata: { ...free.metadata, ownerReferences: [] } },
      [GC],
    ],
    ['the end of a pod that never had a node', [owner], ending(free), free, [POD_GC]],
    ['the end of a pod on a well node', [owner, node], ending(bound), bound, []],
  ] as readonly (readonly [string, readonly Stored[], Stored, Stored | undefined, readonly string[]])[])
    it(`${what}: ${who.join(', ') || 'none'}`, () => {
      assert.deepEqual(asked(there, object, previous), who);
    });
});

describe('the end of an object', () => {
  /** Controller and key, of every pass that it asks for. */
  function passes(there: readonly Stored[], gone: Stored): readonly string[] {
    const table = new ObjectTable();
    for (const one of there) table.put(one);
    const asked: string[] = [];
    const dispatch = new Dispatch({
      lanes: allControllers().map((controller) => ({ controller, ownWrites: new OwnWrites() })),
      view: table,
      ask: ({ controller }, keys) => asked.push(...keys.map((key) => `${controller.name} ${key}`)),
      failed: (_lane, _object, error) => assert.fail(String(error)),
    });
    dispatch.changed('delete', gone, gone);
    return asked.sort();
  }
  const replicaSet = { ...owner, apiVersion: 'apps/v1', kind: 'ReplicaSet' } as Stored;
  const ofReplicaSet = { ...ofOwner, apiVersion: 'apps/v1', kind: 'ReplicaSet', controller: true };

  it('asks for a pass over what made it, and none over itself', () => {
    const pod = boundPod('p', 'n', {}, { ownerReferences: [ofReplicaSet] });
    assert.deepEqual(passes([node, replicaSet], pod), ['replicaset-controller replicasets.apps/default/owner']);
  });

  it('asks for a pass over what it owned', () => {
    const { kind, metadata } = owner;
    assert.equal(kind, 'ConfigMap');
    assert.deepEqual(passes([free], { ...owner, metadata }), ['garbage-collector pods/default/p']);
  });

  it('asks for a pass over itself where that begins work of its own', () => {
    assert.deepEqual(passes([], node), ['node-lifecycle-controller nodes//n']);
  });
});

describe('a change of a custom object', () => {
  const widget = (name: string, owner?: string): StoredUnstructured => ({
    ...unstructured('widgets.example.com', {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name, namespace: 'default' },
    }),
    metadata: {
      name,
      namespace: 'default',
      uid: `uid of ${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(owner !== undefined && {
        ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Widget', name: owner, uid: `uid of ${owner}` }],
      }),
    },
  });
  const kinds = new KindRegistry([
    { group: 'example.com', version: 'v1', plural: 'widgets', kind: 'Widget', scope: 'Namespaced' },
  ]);

  for (const [what, there, object, who] of [
    ['a new one', [], widget('a'), []],
    ['a new one whose owner is there', [widget('b')], widget('a', 'b'), []],
    ['a new one whose owner is gone', [], widget('a', 'b'), [GC]],
  ] as const)
    it(`${what}: ${who.join(', ') || 'none'}`, () => {
      const table = new ObjectTable(kinds);
      for (const one of [...there, object]) table.custom.put(one);
      const names: string[] = [];
      const dispatch = new Dispatch({
        lanes: [garbageCollector, customResourceDefinitionController].map((controller) => ({
          controller,
          ownWrites: new OwnWrites(),
        })),
        view: table,
        ask: ({ controller }) => names.push(controller.name),
        failed: (_lane, _object, error) => assert.fail(String(error)),
      });
      dispatch.customChanged('put', object, undefined);
      assert.deepEqual(names, who);
    });
});

describe('a pod that gets its node', () => {
  for (const [what, after, before, expected] of [
    ['and nothing else', bound, free, true],
    ['with a status', withStatus(bound, ready('True')), free, false],
    ['and a label', { ...bound, metadata: { ...bound.metadata, labels: { a: 'b' } } }, free, false],
    ['had it before', withStatus(bound, ready('True')), bound, false],
    ['loses it again', free, bound, false],
    ['is none', node, node, false],
  ] as const)
    it(`${what}: ${expected ? 'is no news to who counts pods' : 'is news'}`, () =>
      assert.equal(isBinding(after, before), expected));

  it('asks who ignores that for nothing, and for a pass where that cannot be told', () => {
    const table = new ObjectTable();
    table.put(bound);
    const asked: string[] = [];
    const ignoring = (name: string, ignores: Controller['ignores']): Controller => ({
      name,
      kind: 'ConfigMap',
      ...(ignores && { ignores }),
      watches: { Pod: () => [keyOf(owner)] },
      decide: () => ({ steps: [] }),
    });
    const controllers = [
      ignoring('counts', isBinding),
      ignoring('heeds all', undefined),
      ignoring('fails', () => assert.fail('it does not know')),
    ];
    const dispatch = new Dispatch({
      lanes: controllers.map((controller) => ({ controller, ownWrites: new OwnWrites() })),
      view: table,
      ask: ({ controller }) => asked.push(controller.name),
      failed: () => undefined,
    });
    dispatch.changed('put', bound, free);
    assert.deepEqual([...new Set(asked)], ['heeds all', 'fails']);
  });
});

describe('a controller that fails at a change', () => {
  it('costs the others nothing, and is asked for a pass in any case', () => {
    const table = new ObjectTable();
    table.put(free);
    const [names, failed]: [string[], string[]] = [[], []];
    const failing = {
      ...podGcController,
      name: 'failing',
      concerns: () => assert.fail('it does not know'),
    };
    const dispatch = new Dispatch({
      lanes: [failing, garbageCollector].map((controller) => ({ controller, ownWrites: new OwnWrites() })),
      view: table,
      ask: ({ controller }) => names.push(controller.name),
      failed: ({ controller }, _object, error) => failed.push(`${controller.name}: ${errorText(error)}`),
    });
    dispatch.changed('put', free, undefined);
    assert.deepEqual([names, failed], [['failing', GC], ['failing: it does not know']]);
  });
});

function ending<T extends Stored>(object: T): T {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}
