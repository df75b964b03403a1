/** ReplicationControllers: they run pods, take and let go of them by their labels, and say when they cannot make them. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { findCondition, type StoredPod } from '../../../contracts/objects/index.ts';
import { isActive, isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { controllerOf } from '../../../reconciler/core/workloads/owners.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

export const replicationControllers: Theme = (fleet, round) => {
  const namespace = `rc-${round}`;
  const file = (name: string): string => `rc-${round}/${name}.yaml`;
  const SPEC =
    '{terminationGracePeriodSeconds: 0, containers: [{name: c, image: "registry.lab/hello:1", resources: {requests: {cpu: 10m}}}]}';
  const controller = (replicas: number): string =>
    `apiVersion: v1\nkind: ReplicationController\nmetadata: {name: web, namespace: ${namespace}}\nspec: {replicas: ${replicas}, selector: {app: web}, template: {metadata: {labels: {app: web}}, spec: ${SPEC}}}\n`;
  const bare = (app: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: ${namespace}, labels: {app: ${app}}}\nspec: ${SPEC}\n`;
  const pods = async (): Promise<readonly StoredPod[]> => (await fleet().list('Pod', namespace)).filter(isActive);
  const isOwned = ({ metadata }: StoredPod): boolean => controllerOf(metadata)?.kind === 'ReplicationController';
  const running = (count: number, what: (pod: StoredPod) => boolean = isOwned): Promise<readonly StoredPod[]> =>
    eventually(`${count} pods of it run`, 60, async () => {
      const found = (await pods()).filter(what);
      return found.length === count && found.every(isReady) && found;
    });

  it('runs pods that answer, takes one that matches, and lets it go [conformance: replication-controller-run-basic-image, replication-controller-adopt-matching-pods, replication-controller-release-pods]', async () => {
    await fleet().write(file('bare'), bare('web'));
    await fleet().write(file('namespace'), `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`);
    await fleet().commitAndPush('Run a pod alone');
    const [alone] = await running(1, () => true);
    await fleet().write(file('web'), controller(2));
    await fleet().commitAndPush('Take it over');
    const both = await running(2);
    assert.ok(both.some(({ metadata }) => metadata.uid === alone?.metadata.uid));
    for (const { metadata, status } of both) {
      const answer = await eventually(`${metadata.name} answers`, 30, () =>
        fleet().httpFrom(fleet().lab.nodes[0]?.name ?? '', `http://${status?.podIP}:8080/`),
      );
      assert.equal(answer.trim(), `hello from v1, pod ${metadata.name}`);
    }
    await fleet().write(file('bare'), bare('other'));
    await fleet().commitAndPush('Let it go');
    await running(2, (pod) => isOwned(pod) && pod.metadata.name !== 'bare');
    assert.equal((await pods()).filter(({ metadata }) => metadata.uid === alone?.metadata.uid).length, 1);
  });

  it('says that a quota is in its way [conformance: replication-controller-check-for-issues-like]', async () => {
    const failure = async (): Promise<string | undefined> =>
      findCondition((await fleet().list('ReplicationController', namespace))[0]?.status?.conditions, 'ReplicaFailure')
        ?.message;
    await fleet().write(
      file('quota'),
      `apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: ${namespace}}\nspec: {hard: {pods: 3}}\n`,
    );
    await fleet().write(file('web'), controller(3));
    await fleet().commitAndPush('Run more than fits');
    assert.match(await eventually('it says so', 60, failure), /^exceeded quota: q, requested: pods=1/);
    await fleet().write(file('web'), controller(2));
    await fleet().commitAndPush('Run what fits');
    await eventually('nothing is wrong', 60, async () => (await failure()) === undefined);
    await fleet().removeFiles(`rc-${round}`);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  });
};
