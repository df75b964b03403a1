import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, type KubeObject } from '../../../contracts/objects/index.ts';
import type { Inventory, PodReport } from '../../../contracts/agent/index.ts';
import { mergeInventories } from '../../../reconciler/core/nodes/merge-inventories.ts';
import { deployment, service } from '../controllers/objects.ts';
import { boundPod, configMap, nodeObject, secret, stored } from './stored.ts';

function inventory(epoch: number, objects: readonly KubeObject[], pods: readonly PodReport[] = []): Inventory {
  return { info: { agentVersion: '1', bundleHash: '', runtimeHash: '', pid: 1, startedAt: '', epoch, assignmentVersion: 'v' }, node: {} as Inventory['node'], objects: [...objects], pods: [...pods] };
}
const at = <T extends KubeObject>(object: T, resourceVersion: string, over: object = {}): T => ({ ...object, ...over, metadata: { ...object.metadata, resourceVersion } });

describe('merging inventories', () => {
  it('of nothing is nothing', () => assert.deepEqual(mergeInventories([]), { objects: [], epoch: 0 }));

  it('takes the newest of each key: by epoch, then by resourceVersion, then by node', () => {
    const web = stored<'Service'>(service('web'));
    const ip = (clusterIP: string) => ({ spec: { ...web.spec, clusterIP } });
    const pick = (...found: readonly (readonly [string, number, string, string])[]) => {
      const { objects } = mergeInventories(found.map(([node, epoch, version, clusterIP]) => ({ node, inventory: inventory(epoch, [at(web, version, ip(clusterIP))]) })));
      return objects.map((o) => o.kind === 'Service' && o.spec.clusterIP);
    };
    assert.deepEqual(pick(['a', 1, '9', 'old'], ['b', 1, '10', 'new']), ['new']);
    assert.deepEqual(pick(['a', 1, '900', 'before the loss'], ['b', 2, '3', 'after it']), ['after it']);
    assert.deepEqual(pick(['b', 1, '5', 'second'], ['a', 1, '5', 'first']), ['first']);
  });

  it('takes a pod from its own node only, with the status that node reports for that uid', () => {
    const p = boundPod('p', 'a');
    const q = boundPod('q', 'a');
    const status = { phase: 'Running' as const, podIP: '10.0.0.9', conditions: [{ type: 'Ready', status: 'True' as const }] };
    const { objects } = mergeInventories([
      { node: 'a', inventory: inventory(1, [p, q], [{ namespace: 'default', name: 'p', uid: 'uid-p', gone: false, status }, { namespace: 'default', name: 'q', uid: 'an-earlier-q', gone: false, status }]) },
      { node: 'b', inventory: inventory(2, [at(p, '99')]) },
    ]);
    const [first, second] = objects;
    assert.ok(first?.kind === 'Pod' && second?.kind === 'Pod' && objects.length === 2);
    assert.equal(first.status?.podIP, '10.0.0.9');
    assert.deepEqual(first.status.conditions?.map((c) => c.type), ['PodScheduled', 'Ready']);
    assert.equal(second.status?.phase, 'Pending');
    assert.equal(first.metadata.uid, 'uid-p');
    assert.equal(first.metadata.resourceVersion, undefined);
    assert.ok(first.metadata.creationTimestamp);
  });

  it('leaves Secrets to Git, puts owners first, says the highest epoch', () => {
    const { objects, epoch } = mergeInventories([
      { node: 'b', inventory: inventory(7, [boundPod('p', 'b'), secret('s'), configMap('c'), nodeObject('a', '10.0.1.0/24')]) },
      { node: 'a', inventory: inventory(3, [stored<'Deployment'>(deployment()), nodeObject('b', '10.0.2.0/24')]) },
    ]);
    assert.deepEqual(objects.map(keyOf), ['Node//a', 'Node//b', 'ConfigMap/default/c', 'Deployment/default/web', 'Pod/default/p']);
    assert.equal(epoch, 7);
  });
});
