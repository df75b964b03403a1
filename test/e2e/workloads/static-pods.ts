/** Pods of files that lie on their node. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StoredPod } from '../../../contracts/objects/index.ts';
import { NODE_PATHS } from '../../../contracts/agent/places.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

export const staticPods: Theme = (fleet, round) => {
  it('pods of a file on their node run there, over the loss of the store and a restart of the node without a control plane, and follow the file', async () => {
    const node = fleet().lab.nodes[0]?.name ?? '';
    const name = `own-${round}-${node}`;
    const file = `${NODE_PATHS.staticPods}/own-${round}.yaml`;
    const write = async (word: string): Promise<void> => {
      const text = POD.replaceAll('NAME', `own-${round}`).replaceAll('WORD', word);
      const script = `mkdir -p "$(dirname "$2")" && printf '%s' "$1" > "$2"`;
      const { code, stderr } = await fleet().on(node, ['sh', '-c', script, 'sh', text, file]);
      assert.equal(code, 0, stderr);
    };
    const found = async (): Promise<StoredPod | undefined> =>
      (await fleet().list('Pod', 'kube-system')).find(({ metadata }) => metadata.name === name);
    const says = async (): Promise<string> => (await fleet().plumb('logs', name, '-n', 'kube-system')).stdout.trim();
    const running = (word: string): Promise<StoredPod> =>
      eventually(`it says ${word}`, 90, async () => {
        const pod = await found();
        // Its name is that of the one before it.
        const isOfFile = pod?.spec.containers[0]?.command?.some((part) => part.includes(`echo ${word};`));
        return pod && isOfFile && isReady(pod) && (await says()) === word && pod;
      });

    await write('one');
    const first = await running('one');
    assert.equal(first.spec.nodeName, node);
    await loseStore(fleet());
    const again = await running('one');
    assert.equal(again.metadata.uid, first.metadata.uid);
    assert.equal(again.status?.containerStatuses?.[0]?.restartCount, 0);

    await fleet().stopControlPlane();
    await fleet().powerOff(node);
    await fleet().powerOn(node);
    await eventually('it runs again', 60, async () =>
      (await fleet().podsOn(node)).some(
        ({ uid, status }) => uid === first.metadata.uid && status?.containerStatuses?.[0]?.state.running !== undefined,
      ),
    );
    await fleet().startControlPlane();
    await fleet().nodesReady([node]);
    assert.equal((await running('one')).metadata.uid, first.metadata.uid);

    await write('two');
    assert.notEqual((await running('two')).metadata.uid, first.metadata.uid);
    await fleet().on(node, ['rm', file]);
    await eventually('it goes with its file', 90, async () => (await found()) === undefined);
  });
};

const POD = `apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: registry.lab/busybox:1
      command: [sh, -c, 'echo WORD; while :; do sleep 60; done']
      resources: {requests: {cpu: 5m, memory: 4Mi}}
`;
