/** The explain report: what it leaves out, and the next step that it names. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetworkPolicyManifest, type Deployment, type ReplicaSet } from '../../../contracts/objects/index.ts';
import { formatExplain } from '../../../cli/commands/explain.ts';
import { explainReport } from '../../../reconciler/api/explain.ts';
import type { ExplainReport } from '../../../reconciler/api/types.ts';
import { condition, deployment, node, pod, running, TIME } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function explained(world: World, kind: 'Deployment' | 'Node', name: string): ExplainReport {
  return explainReport({ view: world, sourceName: 'main', kind, namespace: kind === 'Node' ? '' : 'default', name });
}

function replicaSet(
  name: string,
  owner: Deployment & { readonly metadata: { readonly uid: string } },
  replicas: number,
): ReplicaSet {
  const { selector, template, minReadySeconds } = owner.spec;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: 'default',
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: owner.metadata.uid, controller: true },
      ],
    },
    spec: { replicas, selector, template, minReadySeconds },
    status: {
      replicas,
      fullyLabeledReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      observedGeneration: 1,
    },
  };
}

/** A Deployment with a replica on n1, as well as can be, and the ReplicaSets of two templates before. */
function healthyWorld(): World {
  const world = new World();
  world.put(node('n1'));
  const web = world.put<Deployment>({
    ...deployment({ replicas: 1 }),
    status: {
      observedGeneration: 1,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      unavailableReplicas: 0,
      conditions: [
        condition('Available', 'True', { reason: 'MinimumReplicasAvailable' }),
        condition('Progressing', 'True', { reason: 'NewReplicaSetAvailable' }),
      ],
    },
  });
  for (const old of ['web-1', 'web-2']) world.put(replicaSet(old, web, 0));
  const { uid } = world.put(replicaSet('web-3', web, 1)).metadata;
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-3', uid, controller: true }];
  world.put(running(pod('web-3-a', { nodeName: 'n1' }, { labels: { app: 'web' }, ownerReferences }), true));
  return world;
}

describe('the explain report', () => {
  it('of a Deployment that is well has nothing that is wrong, and no ReplicaSet that is past', () => {
    const report = explained(healthyWorld(), 'Deployment', 'web');
    assert.equal(report.broken, undefined);
    assert.deepEqual(
      report.children.map(({ name, summary }) => [name, summary]),
      [['web-3', '1 of 1 ready']],
    );
  });

  it('of a silent node tells what it said before as of then', () => {
    const world = healthyWorld();
    const silent = node('n1', { ready: 'Unknown' });
    const conditions = [
      ...(silent.status?.conditions ?? []),
      condition('AssignmentApplied', 'True', { message: 'the agent has the newest assignment' }),
    ];
    world.put({ ...silent, status: { ...silent.status, conditions } });
    assert.deepEqual(
      explained(world, 'Node', 'n1').conditions.map(({ type, message }) => [type, message]),
      [
        ['Ready', undefined],
        ['AssignmentApplied', 'before the node fell silent: the agent has the newest assignment'],
      ],
    );
  });

  it('of what waits for a node that is lost names the next steps', () => {
    const world = healthyWorld();
    world.put(node('n1', { ready: 'Unknown' }));
    const [going] = world.list('Pod');
    assert.ok(going);
    world.put({ ...going, metadata: { ...going.metadata, deletionTimestamp: TIME, deletionGracePeriodSeconds: 30 } });
    for (const report of [explained(world, 'Deployment', 'web'), explained(world, 'Node', 'n1')])
      assert.match(
        report.broken ?? '',
        /^node n1 is not ready: .*; its pods end when it is heard again; if it is gone for good, `plumb node rm n1 --commit` and a push let them go, and `plumb delete pod\/web-3-a -n default --force` this one alone$/,
      );
  });
});

describe('policies of a pod', () => {
  const told = (spec: object, selector: object): string => {
    const world = new World();
    world.put(running(pod('web', { nodeName: 'n1', ...spec }, { labels: { app: 'web' } }), true, TIME, '10.0.0.1'));
    world.put(
      NetworkPolicyManifest.parse({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'closed', namespace: 'default' },
        spec: { podSelector: selector, policyTypes: ['Ingress', 'Egress'] },
      }),
    );
    const report = explainReport({ view: world, sourceName: 'main', kind: 'Pod', namespace: 'default', name: 'web' });
    return formatExplain(report, new Date(TIME));
  };

  it('are those that select it', () => {
    assert.match(
      told({}, { matchLabels: { app: 'web' } }),
      /^ {2}policy {5}closed: ingress and egress only as it allows$/m,
    );
    assert.doesNotMatch(told({}, { matchLabels: { app: 'db' } }), /policy/);
    assert.doesNotMatch(told({ hostNetwork: true }, {}), /policy/);
  });
});
