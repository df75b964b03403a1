/** A database whose data is on a volume that is held to its size, while it is written to. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import type { StoredOf, StoredPod } from '../../../contracts/objects/index.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { tied } from '../../support/tied.ts';
import { eventually, type Fleet } from '../fleet.ts';
import { giveUpVolumes } from './give-up.ts';
import type { Theme } from './theme.ts';

export const database: Theme = (fleet, round) => {
  const namespace = `database-${round}`;
  const folder = `database-${round}`;
  const NAMESPACE = `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n---\n`;
  const push = async (name: string, text: string): Promise<void> => {
    await fleet().write(`${folder}/${name}.yaml`, NAMESPACE + text);
    await fleet().commitAndPush(`Write ${name}`);
  };
  const claims = (): Promise<readonly StoredOf<'PersistentVolumeClaim'>[]> =>
    fleet().list('PersistentVolumeClaim', namespace);
  const running = (name: string, not?: string): Promise<StoredPod> =>
    eventually(`${name} is ready`, 60, async () => {
      const found = (await fleet().list('Pod', namespace)).find(({ metadata }) => metadata.name === name);
      return (
        found && isReady(found) && found.metadata.deletionTimestamp === undefined && found.metadata.uid !== not && found
      );
    });
  const exec = async (pod: string, ...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await fleet().plumb('exec', pod, '-n', namespace, '--', ...argv);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  it('a database under load has every write that it acknowledged, after its pod was deleted, its agent killed and its node cut off from power', async () => {
    await push('redis', REDIS.replaceAll('NAMESPACE', namespace));
    const first = await running('redis-0');
    const node = first.spec.nodeName ?? '';
    const other = fleet().lab.nodes.find(({ name }) => name !== node)?.name ?? '';
    await eventually('its size is said to be enforced', 30, async () =>
      /its size is enforced/.test((await fleet().list('PersistentVolume')).at(0)?.status?.message ?? ''),
    );
    const address = await eventually('its Service', 60, async () => {
      const services = await fleet().list('Service', namespace);
      return services[0]?.spec.clusterIP;
    });
    const writer = await startWriter(fleet(), other, address);
    try {
      await writer.more(100);

      await fleet().plumb('delete', 'pod/redis-0', '-n', namespace);
      const second = await running('redis-0', first.metadata.uid);
      assert.equal(second.spec.nodeName, node);
      await writer.more(100);

      const { pid } = await fleet().agent(node);
      await fleet().on(node, ['kill', '-KILL', String(pid)]);
      await writer.more(100);
      await eventually('another agent', 30, async () => (await fleet().agent(node)).pid !== pid);
      assert.equal((await running('redis-0')).metadata.uid, second.metadata.uid);

      // The processes and the mounts of the host end at once. Its kernel does not: what it had in memory is written out. A
      // disk as a cut leaves it is in test/integration/nodeagent/volume-images.test.ts.
      await fleet().powerOff(node);
      await fleet().powerOn(node);
      await fleet().nodesReady([node]);
      await running('redis-0');
      await writer.more(100);
    } finally {
      await writer.stop();
    }
    // Until the control plane has noticed that the connection from before the cut leads nowhere.
    const members = await eventually('its node is spoken to again', 30, async () => {
      const { code, stdout } = await fleet().plumb(
        ...['exec', 'redis-0', '-n', namespace, '--', 'redis-cli', 'SMEMBERS', 'acknowledged'],
      );
      return code === 0 && stdout;
    });
    const kept = new Set(members.split('\n'));
    const lost = writer.acknowledged.filter((number) => !kept.has(number));
    assert.deepEqual([lost, writer.acknowledged.length >= 400], [[], true]);
    await giveUpVolumes(fleet(), `${folder}/redis.yaml`);
  });

  it('a volume that is held to its size is full at it, grows with its claim, and hurts nobody', async () => {
    const text = (size: string): string => KEEPER.replaceAll('NAMESPACE', namespace).replaceAll('SIZE', size);
    const kib = async (): Promise<number> =>
      Number((await exec('keeper-0', 'df', '-k', '/data')).trim().split(/\s+/).at(-5));
    await push('keeper', text('32Mi'));
    await running('keeper-0');
    const full = await exec('keeper-0', 'sh', '-c', 'dd if=/dev/zero of=/data/large bs=1M count=64 2>&1 || echo ended');
    assert.match(full, /No space left on device[\s\S]*ended/);
    assert.ok((await kib()) < 32 * 1024);
    assert.equal(await exec('keeper-0', 'sh', '-c', 'ls -A /data; ls /dev | grep -c loop || :'), 'large\n0\n');
    const pressure = (await fleet().list('Node')).flatMap(({ status }) => status?.conditions ?? []);
    assert.ok(pressure.every(({ type, status }) => type !== 'DiskPressure' || status === 'False'));

    await push('keeper', text('64Mi'));
    const claim = async (): Promise<StoredOf<'PersistentVolumeClaim'> | undefined> => (await claims()).at(0);
    const told = await eventually('it grows, or says what it waits for', 30, async () => {
      const { status } = (await claim()) ?? {};
      const waits = status?.conditions?.find(({ type }) => type === 'FileSystemResizePending')?.message;
      return status?.capacity?.['storage'] === '64Mi' ? 'grown' : waits?.includes('in use') === true && waits;
    });
    // A kernel without CAP_SYS_RESOURCE lets nothing grow that is in use.
    if (told !== 'grown') await fleet().plumb('delete', 'pod/keeper-0', '-n', namespace);
    await eventually('the claim has what it asks for', 60, async () => {
      const { spec, status } = (await claim()) ?? {};
      return spec && status?.capacity?.['storage'] === '64Mi' && status.conditions === undefined;
    });
    await running('keeper-0');
    assert.ok((await kib()) > 48 * 1024);
    assert.equal(await exec('keeper-0', 'ls', '/data'), 'large\n');

    await fleet().write(`${folder}/keeper.yaml`, NAMESPACE + text('48Mi'));
    await fleet().commit('Let it shrink');
    const refused = await fleet().push();
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /spec\.resources\.requests\.storage cannot become less/);
    await fleet().git(['reset', '--hard', '-q', 'HEAD~1']);
    await giveUpVolumes(fleet(), `${folder}/keeper.yaml`);
  });
};

const REDIS = `apiVersion: v1
kind: Service
metadata: {name: redis, namespace: NAMESPACE}
spec:
  selector: {app: redis}
  ports: [{port: 6379}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis, namespace: NAMESPACE}
spec:
  serviceName: redis
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 5
      securityContext: {runAsUser: 65534, fsGroup: 65534}
      containers:
        - name: redis
          image: registry.lab/redis:lab
          command: [redis-server, --dir, /data, --appendonly, 'yes', --appendfsync, always, --save, '', --protected-mode, 'no']
          readinessProbe: {exec: {command: [redis-cli, PING]}, periodSeconds: 1}
          resources: {requests: {cpu: 20m, memory: 16Mi}}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        storageClassName: local-enforced
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: 64Mi}}
`;

const KEEPER = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: keeper, namespace: NAMESPACE}
spec:
  storageClassName: local-enforced
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: SIZE}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: keeper, namespace: NAMESPACE}
spec:
  serviceName: keeper
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: keeper
          image: registry.lab/busybox:1
          command: [sh, -c, 'while :; do sleep 60; done']
          resources: {requests: {cpu: 10m, memory: 8Mi}}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: keeper}}]
`;

interface Writer {
  /** As they came. */
  readonly acknowledged: readonly string[];
  /** Resolves when so many more writes were acknowledged. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** From another host's network, as a client outside of the pods. */
async function startWriter(fleet: Fleet, node: string, address: string): Promise<Writer> {
  const [program, ...args] = tied(
    'nsenter',
    `--net=/proc/${await fleet.initPid(node)}/ns/net`,
    process.execPath,
    path.join(import.meta.dirname, '../redis-writer.mjs'),
    address,
    '6379',
  );
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const acknowledged: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => acknowledged.push(line));
  return {
    acknowledged,
    async more(count) {
      const until = acknowledged.length + count;
      await eventually(`${count} more writes are acknowledged`, 60, () =>
        Promise.resolve(acknowledged.length >= until),
      );
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
