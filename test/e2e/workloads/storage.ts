/** Data that outlives pods: what is there after each thing that may happen to those who use it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import type { StoredOf, StoredPod } from '../../../contracts/objects/index.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

export const storage: Theme = (fleet, round) => {
  const namespace = `storage-${round}`;
  const folder = `storage-${round}`;
  const write = (name: string, text: string): Promise<void> => fleet().write(`${folder}/${name}.yaml`, text);
  const push = async (message: string): Promise<void> => {
    await fleet().commitAndPush(message);
  };
  const NAMESPACE = `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`;
  const claimText = (fields = '', size = '64Mi'): string => `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: ${namespace}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: ${size}}}
${fields}`;
  /** Writes a line each time that it starts. */
  const APP = `apiVersion: apps/v1
kind: Deployment
metadata: {name: keeper, namespace: ${namespace}}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {fsGroup: 4242}
      tolerations:
        - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
        - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
        - name: keeper
          image: registry.lab/busybox:1
          command: [sh, -c, 'hostname >> /data/starts; sync; trap "exit 0" TERM; while :; do sleep 1 & wait $!; done']
          readinessProbe: {exec: {command: [test, -s, /data/starts]}, periodSeconds: 1}
          resources: {requests: {cpu: 10m, memory: 8Mi}}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`;

  const claim = async (): Promise<StoredOf<'PersistentVolumeClaim'> | undefined> =>
    (await fleet().list('PersistentVolumeClaim', namespace)).at(0);
  const volume = async (name: string): Promise<StoredOf<'PersistentVolume'> | undefined> =>
    (await fleet().list('PersistentVolume')).find(({ metadata }) => metadata.name === name);
  const pods = (): Promise<readonly StoredPod[]> => fleet().list('Pod', namespace);
  const running = (what: string, not?: string): Promise<StoredPod> =>
    eventually(what, 60, async () => {
      const found = (await pods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      return found.length === 1 && found[0] && isReady(found[0]) && found[0].metadata.uid !== not && found[0];
    });
  /**
   * Who has written into the volume's folder on its node, each once: a node that comes back starts its pods before it
   * hears that they are to end.
   */
  async function starts(node: string | undefined, name: string): Promise<readonly string[]> {
    const { stdout } = await fleet().on(node ?? '', ['cat', `/var/lib/plumbline/volumes/${name}/data/starts`]);
    return [...new Set(stdout.split('\n').filter((line) => line !== ''))];
  }

  it('a StorageClass and a volume of a folder come, change and go with their files [conformance: storageclass-lifecycle]', async () => {
    const text = (grow: boolean): string => `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: disks-${round}}
provisioner: kubernetes.io/no-provisioner
allowVolumeExpansion: ${grow}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk-${round}}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  storageClassName: disks-${round}
  hostPath: {path: /srv/disk}
`;
    const found = async (): Promise<StoredOf<'StorageClass'> | undefined> =>
      (await fleet().list('StorageClass')).find(({ metadata }) => metadata.name === `disks-${round}`);
    await write('class', text(false));
    await push('Add a class');
    await eventually('the class and its volume', 30, async () => {
      const disk = await volume(`disk-${round}`);
      return (await found())?.allowVolumeExpansion === false && disk?.status?.phase === 'Available';
    });
    const { stdout } = await fleet().plumb('get', 'sc', `disks-${round}`);
    assert.match(stdout, /kubernetes\.io\/no-provisioner\s+Delete\s+Immediate\s+false/);
    await write('class', text(true));
    await push('Let claims of the class grow');
    await eventually('the change', 30, async () => (await found())?.allowVolumeExpansion === true);
    await fleet().removeFiles(`${folder}/class.yaml`);
    await eventually('nothing is left', 30, async () => !(await found()) && !(await volume(`disk-${round}`)));
  });

  it('data is there after its pod, its node, the store, its Deployment and its claim are gone, until it is given up [conformance: persistentvolumes-claims-lifecycle]', async () => {
    await write('claim', `${NAMESPACE}---\n${claimText()}`);
    await push('Add a claim');
    await eventually('the claim waits for a pod', 30, async () => {
      const { status } = (await claim()) ?? {};
      return status?.phase === 'Pending' && status.conditions?.[0]?.reason === 'WaitForFirstConsumer';
    });
    await write('app', APP);
    await push('Add its pod');
    const first = await running('the first pod runs');
    const node = first.spec.nodeName ?? '';
    const bound = await claim();
    const name = bound?.spec.volumeName ?? '';
    assert.deepEqual([bound?.status?.phase, bound?.status?.capacity], ['Bound', { storage: '64Mi' }]);
    assert.deepEqual(await starts(node, name), [first.metadata.name]);

    // Its pod.
    assert.equal((await fleet().plumb('delete', `pod/${first.metadata.name}`, '-n', namespace)).code, 0);
    const second = await running('another pod', first.metadata.uid);
    assert.equal(second.spec.nodeName, node);
    assert.deepEqual(await starts(node, name), [first.metadata.name, second.metadata.name]);

    // The store.
    await loseStore(fleet());
    await eventually('claim and volume are bound again', 60, async () => {
      const again = await claim().catch(() => undefined);
      return again?.status?.phase === 'Bound' && again.spec.volumeName === name && (await pods()).length === 1;
    });
    const same = await running('the pod goes on');
    assert.deepEqual([same.metadata.uid, same.status?.containerStatuses?.[0]?.restartCount], [second.metadata.uid, 0]);
    assert.equal((await starts(node, name)).length, 2);

    // Its node.
    await fleet().powerOff(node);
    try {
      const waiting = await eventually('its successor waits for the volume', 60, async () =>
        (await pods()).find(({ metadata, spec }) => metadata.uid !== same.metadata.uid && spec.nodeName === undefined),
      );
      const told = await eventually('says why', 60, async () => {
        const { stdout } = await fleet().plumb('explain', `pod/${waiting.metadata.name}`, '-n', namespace);
        return stdout.includes(`of claim data is on node ${node}`) && stdout;
      });
      assert.match(told, /didn't match PersistentVolume's node affinity/);
    } finally {
      await fleet().powerOn(node);
    }
    await fleet().nodesReady([node]);
    const third = await running('a pod where the data is', same.metadata.uid);
    assert.equal(third.spec.nodeName, node);
    assert.deepEqual(
      await starts(node, name),
      [first, second, third].map(({ metadata }) => metadata.name),
    );

    // Its Deployment.
    await fleet().removeFiles(`${folder}/app.yaml`);
    await eventually('no pod is left', 30, async () => (await pods()).length === 0);
    assert.equal((await claim())?.status?.phase, 'Bound');
    assert.equal((await starts(node, name)).length, 3);
    const mounts = await fleet().on(node, ['grep', '-c', name, '/proc/self/mountinfo']);
    assert.equal(mounts.stdout.trim(), '0');

    // It grows.
    await write('claim', `${NAMESPACE}---\n${claimText('', '128Mi')}`);
    await push('Let the claim grow');
    await eventually('it has grown', 30, async () => (await claim())?.status?.capacity?.['storage'] === '128Mi');

    // Its claim.
    await write('claim', NAMESPACE);
    await push(`Remove the claim\n\nPlumbline-Allow-Prune: pvc/${namespace}/data`);
    await eventually('the volume is kept', 30, async () => {
      const kept = await volume(name);
      return (await claim()) === undefined && kept?.status?.phase === 'Released';
    });
    assert.equal((await starts(node, name)).length, 3);

    // Given up by name.
    const settings = await fleet().git(['show', 'HEAD:plumbline.yaml']);
    await fleet().write('plumbline.yaml', `${settings.stdout.trimEnd()}\n  storage: {givenUpVolumes: [${name}]}\n`);
    await push('Give the data up');
    await eventually('the volume is gone', 60, async () => (await volume(name)) === undefined);
    assert.deepEqual((await fleet().on(node, ['ls', '-A', '/var/lib/plumbline/volumes'])).stdout, '');
    await fleet().write('plumbline.yaml', settings.stdout);
    await fleet().removeFiles(`${folder}/claim.yaml`);
  });

  it('a claim has a folder of a share, which several pods write, and which is archived once it is given up', async () => {
    // Lab hosts share the machine's kernel, which may have no NFS: a folder of the host stands in for the server's share.
    const [node = ''] = (await fleet().list('Node')).map(({ metadata }) => metadata.name);
    const helper = '#!/bin/sh\nexec mount --bind "/srv${1#files:/srv}" "$2"\n';
    const install = `mkdir -p /srv/share && mount -t tmpfs tmpfs /usr/local/sbin && printf '%s' "$1" > /usr/local/sbin/mount.nfs && chmod 755 /usr/local/sbin/mount.nfs`;
    assert.equal((await fleet().on(node, ['sh', '-c', install, 'sh', helper])).code, 0);
    const shared = APP.replace('replicas: 1', 'replicas: 2')
      .replaceAll('keeper', 'sharer')
      .replace('securityContext: {fsGroup: 4242}', `nodeSelector: {kubernetes.io/hostname: ${node}}`);
    const claimOf = (annotations: string): string => `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: shares-${round}}
provisioner: nfs.csi.k8s.io
volumeBindingMode: WaitForFirstConsumer
parameters: {server: files, share: /srv/share, subDir: "\${pvc.metadata.namespace}/\${pvc.metadata.name}", onDelete: archive}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: ${namespace}, annotations: {${annotations}}}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: shares-${round}
  resources: {requests: {storage: 64Mi}}
`;
    const files = async (name: string): Promise<readonly string[]> => {
      const { stdout } = await fleet().on(node, ['cat', `/srv/share/${namespace}/${name}/starts`]);
      return stdout.trim().split('\n').sort();
    };
    await write('share', `${NAMESPACE}---\n${claimOf('')}---\n${shared}`);
    await push('Share a folder');
    const names = await eventually('both pods run', 60, async () => {
      const found = (await pods()).filter(isReady).map(({ metadata }) => metadata.name);
      return found.length === 2 && found.sort();
    });
    assert.deepEqual(await files('data'), names);
    assert.equal((await claim())?.status?.phase, 'Bound');

    await write('share', `${NAMESPACE}---\n${claimOf('plumbline.dev/delete-data: "true"')}`);
    await push('Its data may go');
    await fleet().removeFiles(`${folder}/share.yaml`);
    await eventually('the volume is gone', 60, async () => (await fleet().list('PersistentVolume')).length === 0);
    assert.deepEqual(await files('archived-data'), names);
    const count = 'grep -c "/var/lib/plumbline/\\(shares\\|mounts\\)" /proc/mounts';
    await eventually(
      'nothing is mounted any more',
      30,
      async () => (await fleet().on(node, ['sh', '-c', count])).stdout.trim() === '0',
    );
    assert.equal((await fleet().on(node, ['umount', '/usr/local/sbin'])).code, 0);
  });

  it('a claim of a generic ephemeral volume goes with its pod, and its data with it', async () => {
    await write(
      'scratch',
      `${NAMESPACE}---
apiVersion: v1
kind: Pod
metadata: {name: scratch, namespace: ${namespace}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: registry.lab/busybox:1
      command: [sh, -c, 'touch /scratch/it; sleep 1000']
      resources: {requests: {cpu: 10m, memory: 8Mi}}
      volumeMounts: [{name: work, mountPath: /scratch}]
  volumes:
    - name: work
      ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}}
`,
    );
    await push('Add a pod with a volume of its own');
    const pod = await running('the pod runs');
    const made = await claim();
    assert.equal(made?.metadata.name, 'scratch-work');
    await fleet().removeFiles(`${folder}/scratch.yaml`);
    await eventually('claim, volume and data are gone', 60, async () => {
      const left = await fleet().on(pod.spec.nodeName ?? '', ['ls', '-A', '/var/lib/plumbline/volumes']);
      return !(await claim()) && !(await volume(made.spec.volumeName ?? '')) && left.stdout === '';
    });
  });

  it('data as in the example repository is there after its pod, until its claim says that it may go', async () => {
    const example = path.join(import.meta.dirname, '../../../examples-repo/apps/notes.yaml');
    const text = (await readFile(example, 'utf8')).replaceAll(/\bnotes$/gm, `notes-${round}`);
    const app = `notes-${round}`;
    await write('notes', text);
    await push('Keep notes');
    const [first] = await fleet().podsReady(app, 1);
    const node = first?.spec.nodeName ?? '';
    const lines = async (): Promise<number> =>
      (await fleet().plumb('logs', `deploy/${app}`)).stdout.split('\n').filter((line) => line.endsWith(' started'))
        .length;
    await eventually('the first note', 60, async () => (await lines()) === 1);
    await fleet().plumb('delete', `pod/${first?.metadata.name}`);
    await eventually('the first note and another one', 60, async () => (await lines()) === 2);
    await write('notes', text.replace('\nspec:', '\n  annotations: {plumbline.dev/delete-data: "true"}\nspec:'));
    await push('Its notes may go');
    await fleet().removeFiles(`${folder}/notes.yaml`);
    await eventually('nothing is left', 60, async () => {
      const left = await fleet().on(node, ['ls', '-A', '/var/lib/plumbline/volumes']);
      return (await fleet().list('PersistentVolume')).length === 0 && left.stdout === '';
    });
  });
};
