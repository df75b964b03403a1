/** A changed ConfigMap as a rollout: held up by the health of pods, taken back by a revert, and remembered by nodes. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StoredPod } from '../../../contracts/objects/index.ts';
import { isActive, isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

/** Ready where its setting is no `bad` one; it tells what it was started with, and what its file says. */
const COMMAND = `["sh", "-c", "trap exit TERM; [ $SETTING = bad ] || touch /tmp/ok; while :; do echo env=$SETTING file=$(cat /config/setting); sleep 0.2; done"]`;

export const config: Theme = (fleet, round) => {
  const namespace = `config-${round}`;
  const manifest = (setting: string): string => `apiVersion: v1
kind: Namespace
metadata: {name: ${namespace}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: ${namespace}}
data: {setting: ${setting}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: registry.lab/busybox:1
          command: ${COMMAND}
          env: [{name: SETTING, valueFrom: {configMapKeyRef: {name: settings, key: setting}}}]
          volumeMounts: [{name: config, mountPath: /config}]
          readinessProbe: {exec: {command: [cat, /tmp/ok]}, periodSeconds: 1}
          resources: {requests: {cpu: 10m, memory: 8Mi}}
      volumes: [{name: config, configMap: {name: settings}}]
`;
  async function put(setting: string): Promise<void> {
    await fleet().write(`${namespace}.yaml`, manifest(setting));
    await fleet().commitAndPush(`Set ${setting}`);
  }
  const pods = async (): Promise<readonly StoredPod[]> => (await fleet().list('Pod', namespace)).filter(isActive);
  const uids = (found: readonly StoredPod[]): string[] => found.map(({ metadata }) => metadata.uid).sort();
  const lastLine = async ({ metadata }: StoredPod): Promise<string> =>
    (await fleet().plumb('logs', metadata.name, '-n', namespace, '--tail', '1')).stdout.trim();
  /** Both pods, ready, once they say that setting in both ways. */
  function running(setting: string): Promise<readonly StoredPod[]> {
    return eventually(`two pods say ${setting}`, 60, async () => {
      const found = await pods();
      if (found.length !== 2 || !found.every(isReady)) return false;
      const said = await Promise.all(found.map(lastLine));
      return said.every((line) => line === `env=${setting} file=${setting}`) && found;
    });
  }

  it('replaces pods where their config changes, halts at a bad one, and goes back with a revert', async () => {
    await put('one');
    const first = await running('one');
    await put('two');
    const second = await running('two');
    assert.ok(uids(second).every((uid) => !uids(first).includes(uid)));

    await put('bad');
    const broken = await eventually('one pod has the bad setting', 60, async () => {
      const found = (await pods()).filter(({ metadata }) => !uids(second).includes(metadata.uid));
      return found.length === 1 && found[0]?.status?.phase === 'Running' && found[0];
    });
    await eventually('it says so', 30, async () => (await lastLine(broken)) === 'env=bad file=bad');
    // Those that were there go on as they were, files included.
    assert.deepEqual(uids(await runningOf(second)), uids(second));
    await fleet().git(['revert', '--no-edit', 'HEAD']);
    assert.equal((await fleet().push()).code, 0);
    assert.deepEqual(uids(await running('two')), uids(second));
    assert.equal((await fleet().plumb('status', '--wait', '--timeout', '60')).code, 0);
  });

  async function runningOf(wanted: readonly StoredPod[]): Promise<readonly StoredPod[]> {
    const found = (await pods()).filter(({ metadata }) => uids(wanted).includes(metadata.uid));
    for (const pod of found) assert.equal(await lastLine(pod), 'env=two file=two');
    return found;
  }

  it('restarts no pod when the store is lost', async () => {
    const before = await running('two');
    await loseStore(fleet());
    assert.deepEqual(uids(await running('two')), uids(before));
    await fleet().removeFiles(`${namespace}.yaml`);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  });
};
