/** Autoscalers: the number of pods follows what they really take, and Git leaves it to them. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { findCondition, type StoredOf } from '../../../contracts/objects/index.ts';
import { isActive, isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

/**
 * A sample is there after two looks, 15 s apart, and is decided on within 15 s more; a pod that just started has first
 * to be measured.
 */
const MEASURED_S = 120;
/**
 * Works as hard as it may while there is a file, which is for one pod to have. Else it sleeps for long: to begin a program
 * five times a second takes a third of what such a pod asks for.
 */
const WORKER =
  'while :; do if [ -e /tmp/work ]; then i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done; else sleep 2; fi; done';

export const autoscalers: Theme = (fleet, round) => {
  const namespace = `scale-${round}`;
  const folder = `scale-${round}`;
  const workload = (label: string): string => `apiVersion: v1
kind: Namespace
metadata: {name: ${namespace}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}, labels: {form: ${label}}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: registry.lab/busybox:1
          command: [sh, -c, ${JSON.stringify(WORKER)}]
          resources: {requests: {cpu: 20m, memory: 8Mi}, limits: {cpu: 200m}}
`;
  const autoscaler = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: ${namespace}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
`;
  const deployment = async (): Promise<StoredOf<'Deployment'> | undefined> =>
    (await fleet().list('Deployment', namespace))[0];
  const running = (count: number): Promise<readonly StoredOf<'Pod'>[]> =>
    eventually(`${count} pods run`, MEASURED_S, async () => {
      const pods = (await fleet().list('Pod', namespace)).filter(isActive);
      return pods.length === count && pods.every(isReady) && (await deployment())?.spec.replicas === count && pods;
    });
  const healthy = (): Promise<unknown> =>
    eventually('the autoscaler measures', MEASURED_S, async () => {
      const [found] = await fleet().list('HorizontalPodAutoscaler', namespace);
      return findCondition(found?.status?.conditions, 'ScalingActive')?.status === 'True';
    });

  it('have more pods of what works hard, also over the loss of the store, and fewer when it has done', async () => {
    await fleet().write(`${folder}/web.yaml`, workload('first'));
    await fleet().write(`${folder}/autoscaler.yaml`, autoscaler);
    await fleet().commitAndPush('Scale by what is used');
    const [first] = await running(1);
    await healthy();
    const name = first?.metadata.name ?? '';
    const inFirst = (...argv: readonly string[]): Promise<unknown> =>
      eventually(
        `${argv.join(' ')} in ${name}`,
        60,
        async () => (await fleet().plumb('exec', name, '-n', namespace, '--', ...argv)).code === 0,
      );
    await inFirst('touch', '/tmp/work');
    await running(3);

    // A sample of which only a part was spent working may have asked for two before.
    const why = 'New size: 3; reason: cpu resource utilization (percentage of request) above target';
    await eventually(`an event says ${why}`, 30, async () =>
      (await fleet().list('Event', namespace)).some(
        ({ reason, message }) => reason === 'SuccessfulRescale' && message === why,
      ),
    );
    assert.match(
      (await fleet().plumb('get', 'hpa', '-n', namespace)).stdout,
      /web +Deployment\/web +cpu: \d+%\/50% +1 +3 +\d/,
    );
    const owners = (await deployment())?.metadata.managedFields?.map(({ manager }) => manager);
    assert.ok(owners?.includes('horizontal-pod-autoscaler'), String(owners));

    // Git writes no number: a commit of something else leaves it, and nothing is put back.
    assert.match((await fleet().plumb('plan', '--live')).stdout, /no changes/i);
    await fleet().write(`${folder}/web.yaml`, workload('second'));
    await fleet().commitAndPush('Change something else');
    await eventually(
      'the commit is in force',
      30,
      async () => (await deployment())?.metadata.labels?.['form'] === 'second',
    );
    assert.equal((await deployment())?.spec.replicas, 3);

    // After the loss of the store there are the pods that run, and the autoscaler goes on.
    const before = (await running(3)).map(({ metadata }) => metadata.uid).sort();
    await loseStore(fleet());
    assert.deepEqual((await running(3)).map(({ metadata }) => metadata.uid).sort(), before);
    await healthy();
    await inFirst('rm', '-f', '/tmp/work');
    await running(1);
    await fleet().removeFiles(folder);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  });
};
