import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, StatefulSetStatus } from '../../../contracts/objects/index.ts';
import { statefulSetHealth } from '../../../reconciler/core/health/statefulset.ts';
import { controllerRef } from '../../../reconciler/core/workloads/owners.ts';
import { PODS_HELD } from '../../../reconciler/core/workloads/unheard.ts';
import { condition, node, pod, running } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { statefulSet } from '../workloads/stateful.ts';

const DONE: StatefulSetStatus = {
  observedGeneration: 1,
  replicas: 3,
  readyReplicas: 3,
  availableReplicas: 3,
  currentReplicas: 3,
  updatedReplicas: 3,
  currentRevision: 'db-a',
  updateRevision: 'db-a',
};
const UPDATING = { updateRevision: 'db-b', currentReplicas: 2, updatedReplicas: 1 };
const partition = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } };

function judged(
  status: Partial<StatefulSetStatus> | undefined,
  spec: object = {},
  pods: readonly Pod[] = [],
  nodeIs?: 'True' | 'Unknown',
): string {
  const world = new World();
  const set = world.put({ ...statefulSet(spec), ...(status && { status: { ...DONE, ...status } }) });
  if (nodeIs) world.put(node('n1', { ready: nodeIs }));
  for (const one of pods) world.put({ ...one, metadata: { ...one.metadata, ownerReferences: [controllerRef(set)] } });
  const { status: health, message } = statefulSetHealth(set, world);
  return `${health}: ${message}`;
}
const ending = pod(
  'db-1',
  { nodeName: 'n1' },
  { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 },
);

describe('the health of a StatefulSet', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['nobody looked at it yet', judged(undefined), /^Progressing: its newest form/],
    ['all pods are available', judged({}), /^Healthy: 3 of 3 pods are available$/],
    ['pods are missing', judged({ replicas: 2, availableReplicas: 2 }), /^Progressing: 2 of 3 pods are available$/],
    [
      'one says why it is not ready',
      judged({ availableReplicas: 2 }, {}, [running(pod('db-2', { nodeName: 'n1' }), false)]),
      /^Progressing: 2 of 3 .*; pod db-2: /,
    ],
    ['pods are too many', judged({ replicas: 5 }), /^Progressing: 2 pods too many/],
    ['an update goes on', judged(UPDATING), /^Progressing: 1 of 3 pods have the new template$/],
    ['an update stands at its partition', judged(UPDATING, partition), /^Healthy: /],
    ['an update waits for a person', judged(UPDATING, { updateStrategy: { type: 'OnDelete' } }), /^Healthy: /],
    [
      'pods are held back',
      judged({ conditions: [condition(PODS_HELD, 'True', { message: 'node n2 did not answer' })] }),
      /^Degraded: node n2 did not answer$/,
    ],
    ['a pod ends on a node that is heard', judged({ availableReplicas: 2 }, {}, [ending], 'True'), /^Progressing: /],
    [
      'a pod ends on a node that is silent',
      judged({ availableReplicas: 2 }, {}, [ending], 'Unknown'),
      /^Degraded: pod db-1 may still run on node n1, .* `plumb delete pod\/db-1 -n default --force`/,
    ],
  ];
  for (const [what, told, wanted] of cases) it(`where ${what}`, () => assert.match(told, wanted));
});
