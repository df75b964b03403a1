/** ReplicationControllers: as ReplicaSets, with a selector of labels alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  objectKey,
  ReplicationControllerManifest,
  type ReplicationController,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { replicationController } from '../../../reconciler/controllers/replicaset.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { composeState, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { controllerOf } from '../../../reconciler/core/workloads/owners.ts';
import { pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const KEY = objectKey('ReplicationController', 'default', 'web');
const rc = (spec: object = {}): ReplicationController =>
  ReplicationControllerManifest.parse({
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 2,
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      ...spec,
    },
  });
const ownerOf = ({ metadata }: StoredPod): string | undefined => controllerOf(metadata)?.kind;

describe('a ReplicationController', () => {
  it('makes its pods, of labels that its template has where it names none', () => {
    const w = new World([replicationController(new NodeMonitor())]);
    assert.deepEqual(w.put(rc()).spec.selector, { app: 'web' });
    w.settle();
    assert.equal(w.list('Pod').length, 2);
    assert.deepEqual(w.list('Pod').map(ownerOf), ['ReplicationController', 'ReplicationController']);
    assert.deepEqual([w.get(KEY)?.status?.replicas, w.get(KEY)?.status?.fullyLabeledReplicas], [2, 2]);
    w.put({ ...(w.get(KEY) ?? assert.fail()), spec: rc({ replicas: 1 }).spec });
    w.settle();
    assert.equal(w.list('Pod').length, 1);
  });

  it('takes a pod that matches, and lets go of one that does not any more', () => {
    const w = new World([replicationController(new NodeMonitor())]);
    const lonely = pod('lonely');
    w.put({ ...lonely, metadata: { ...lonely.metadata, labels: { app: 'web' } } });
    w.put(rc({ replicas: 1 }));
    w.settle();
    assert.deepEqual(
      w.list('Pod').map(({ metadata }) => metadata.name),
      ['lonely'],
    );
    const taken = w.list('Pod')[0] ?? assert.fail('no pod');
    assert.equal(ownerOf(taken), 'ReplicationController');
    w.put({ ...taken, metadata: { ...taken.metadata, labels: { app: 'other' } } });
    w.settle();
    assert.equal(w.list('Pod').length, 2);
    const left = w.list('Pod').find(({ metadata }) => metadata.name === 'lonely');
    assert.equal(left && ownerOf(left), undefined);
  });

  it('is refused where its template is not what it selects', () => {
    const text = `apiVersion: v1
kind: ReplicationController
metadata: {name: web}
spec:
  selector: {app: other}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: x}]}}
`;
    const file = parseManifest('a.yaml', 'a', new TextEncoder().encode(text));
    assert.deepEqual(
      composeState([file], []).diagnostics.map(({ code }) => code),
      ['SelectorMismatch'],
    );
  });
});
