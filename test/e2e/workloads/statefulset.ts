import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoredOf } from '../../../contracts/objects/index.ts';
import { eventually, type Fleet } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

interface Wanted {
  readonly name: string;
  readonly replicas?: number;
  readonly version?: string;
  readonly policy?: 'OrderedReady' | 'Parallel';
  readonly partition?: number;
  /** A file in the container without which it is not ready. */
  readonly gate?: string;
  /** Lines of the pod's spec. */
  readonly pod?: string;
}

function manifest({
  name,
  replicas = 3,
  version = '1',
  policy = 'OrderedReady',
  partition = 0,
  gate,
  pod = '',
}: Wanted): string {
  const probe = gate === undefined ? 'httpGet: {path: /healthz, port: 8080}' : `exec: {command: [test, -e, ${gate}]}`;
  return `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  serviceName: ${name}
  podManagementPolicy: ${policy}
  updateStrategy: {rollingUpdate: {partition: ${partition}}}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1
${pod}      containers:
        - name: web
          image: registry.lab/hello:${version}
          resources: {requests: {cpu: 10m, memory: 8Mi}}
          readinessProbe: {${probe}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  clusterIP: None
  selector: {app: ${name}}
  ports: [{port: 80, targetPort: 8080}]
`;
}

type Pods = readonly StoredOf<'Pod'>[];
const names = (pods: Pods): string[] => pods.map(({ metadata }) => metadata.name).sort();
const isReady = ({ status, metadata }: StoredOf<'Pod'>): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');
const image = (pod: StoredOf<'Pod'> | undefined): string | undefined => pod?.spec.containers[0]?.image;
const ordinals = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}-${i}`);

export const statefulSets: Theme = (fleet, round) => {
  const file = (name: string): string => `apps/${name}.yaml`;
  const push = async (wanted: Wanted, message: string): Promise<void> => {
    await fleet().write(file(wanted.name), manifest(wanted));
    await fleet().commitAndPush(message);
  };
  const remove = async (name: string): Promise<void> => {
    await fleet().removeFiles(file(name));
    await eventually(`pods of ${name} are gone`, 30, async () => (await fleet().pods(name)).length === 0);
  };
  const pod = async (name: string, one: string): Promise<StoredOf<'Pod'> | undefined> =>
    (await fleet().pods(name)).find(({ metadata }) => metadata.name === one);
  const set = async (name: string): Promise<StoredOf<'StatefulSet'>> => {
    const found = (await fleet().list('StatefulSet')).find(({ metadata }) => metadata.name === name);
    assert.ok(found);
    return found;
  };
  const open = async (name: string, gate: string): Promise<void> => {
    const { code, stderr } = await fleet().plumb('exec', name, '--', 'touch', gate);
    assert.equal(code, 0, stderr);
  };

  describe('StatefulSets', () => {
    it('scale in the order of their ordinals, and halt at a pod that is not ready [conformance: statefulset-scaling]', async () => {
      const name = `scale-${round}`;
      const gate = '/tmp/open';
      await push({ name, gate }, 'Add a StatefulSet whose pods wait');
      const first = await eventually('the first pod runs', 30, async () => {
        const one = await pod(name, `${name}-0`);
        return one?.status?.phase === 'Running' && one;
      });
      assert.deepEqual([first.spec.hostname, first.spec.subdomain], [`${name}-0`, name]);
      const host = await fleet().plumb('exec', `${name}-0`, '--', 'hostname');
      assert.equal(host.stdout.trim(), `${name}-0`);
      assert.deepEqual(names(await fleet().pods(name)), [`${name}-0`]);
      for (const [i, one] of ordinals(name, 3).entries()) {
        await eventually(`${one} runs`, 30, async () => (await pod(name, one))?.status?.phase === 'Running');
        assert.deepEqual(names(await fleet().pods(name)), ordinals(name, i + 1));
        await open(one, gate);
      }
      await fleet().podsReady(name, 3);
      const shut = await fleet().plumb('exec', `${name}-0`, '--', 'rm', gate);
      assert.equal(shut.code, 0, shut.stderr);
      await eventually('one is not ready', 60, async () => !isReady((await pod(name, `${name}-0`)) ?? first));
      await push({ name, gate, replicas: 1 }, 'Scale it down');
      await eventually('the new number is seen', 60, async () => {
        const { status, metadata, spec } = await set(name);
        return spec.replicas === 1 && status?.observedGeneration === metadata.generation;
      });
      assert.equal(
        (await fleet().pods(name)).filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length,
        0,
      );
      await open(`${name}-0`, gate);
      await eventually('only the first is left', 40, async () => (await fleet().pods(name)).length === 1);
      assert.deepEqual(names(await fleet().pods(name)), [`${name}-0`]);
      await remove(name);
    });

    it('start all pods at once where they may [conformance: statefulset-burst-scaling]', async () => {
      const name = `burst-${round}`;
      await push({ name, gate: '/tmp/open', policy: 'Parallel' }, 'Add a StatefulSet that starts in parallel');
      await eventually('all run, none is ready', 30, async () => {
        const pods = await fleet().pods(name);
        return pods.length === 3 && pods.every(({ status }) => status?.phase === 'Running') && !pods.some(isReady);
      });
      await push({ name, gate: '/tmp/open', policy: 'Parallel', replicas: 1 }, 'Scale it down while none is ready');
      await eventually('one is left', 30, async () => (await fleet().pods(name)).length === 1);
      assert.deepEqual(names(await fleet().pods(name)), [`${name}-0`]);
      await remove(name);
    });

    it('are updated from the last pod down, halt at the partition, and go back [conformance: statefulset-rolling-update, statefulset-rolling-update-with-partition]', async () => {
      const name = `roll-${round}`;
      await push({ name }, 'Add a StatefulSet');
      await fleet().podsReady(name, 3);
      const { status: before } = await set(name);
      assert.equal(before?.currentRevision, before?.updateRevision);

      await push({ name, version: '2', partition: 2 }, 'Update its last pod');
      await eventually('the last pod is new', 40, async () => {
        const last = await pod(name, `${name}-2`);
        return image(last) === 'registry.lab/hello:2' && last !== undefined && isReady(last);
      });
      await fleet().plumb('delete', `pod/${name}-0`);
      await eventually('a deleted pod below the partition has its old template', 40, async () => {
        const pods = await fleet().pods(name);
        return (
          pods.length === 3 &&
          pods.every(isReady) &&
          image(pods.find((p) => p.metadata.name === `${name}-0`)) === 'registry.lab/hello:1'
        );
      });
      const canary = await eventually('they are counted', 60, async () => {
        const found = await set(name);
        return found.status?.currentReplicas === 2 && found.status.updatedReplicas === 1 && found;
      });

      await push({ name, version: '2' }, 'Update all');
      await fleet().podsReady(name, 3, { image: 'registry.lab/hello:2' });
      await eventually('the update is over', 60, async () => {
        const { status } = await set(name);
        return status?.currentRevision === canary.status?.updateRevision && status?.updatedReplicas === 3;
      });

      await push({ name }, 'Go back');
      await fleet().podsReady(name, 3, { image: 'registry.lab/hello:1' });
      await eventually(
        'its revision is the one of before',
        60,
        async () => (await set(name)).status?.currentRevision === before?.currentRevision,
      );
      await remove(name);
    });

    it('make a pod anew that its node refuses [conformance: statefulset-recreate-failed-pod]', async () => {
      const name = `refused-${round}`;
      const node = fleet().lab.nodes[0]?.name ?? '';
      const blocker = `blocker-${round}`;
      const pinned = (one: string): string => `apiVersion: v1
kind: Pod
metadata: {name: ${one}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers:
    - name: web
      image: registry.lab/hello:1
      ports: [{containerPort: 8080, hostPort: 18080}]
`;
      await fleet().write(file(blocker), pinned(blocker));
      await fleet().commitAndPush('Add a pod that has a port of a node');
      await eventually('it runs', 30, async () =>
        (await fleet().list('Pod')).some((p) => p.metadata.name === blocker && p.status?.phase === 'Running'),
      );
      const wanted = manifest({ name, replicas: 1, pod: `      nodeName: ${node}\n` }).replace(
        '          readinessProbe',
        '          ports: [{containerPort: 8080, hostPort: 18080}]\n          readinessProbe',
      );
      await fleet().write(file(name), wanted);
      await fleet().commitAndPush('Add a StatefulSet that wants that port too');
      const refused = await eventually('its pod is refused', 30, async () => {
        const one = await pod(name, `${name}-0`);
        return one?.status?.phase === 'Failed' && one;
      });
      await eventually('it is made anew', 40, async () => {
        const one = await pod(name, `${name}-0`);
        return one !== undefined && one.metadata.uid !== refused.metadata.uid;
      });
      await fleet().removeFiles(file(blocker));
      await eventually('it runs once the port is free', 60, async () => {
        const one = await pod(name, `${name}-0`);
        return one !== undefined && isReady(one);
      });
      await remove(name);
    });

    it('never have a second pod of an ordinal while a node is silent, until a person decides', async () => {
      const name = `silent-${round}`;
      const leave =
        '      tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 0}]\n';
      await push({ name, replicas: 2, pod: leave }, 'Add a StatefulSet');
      const [, lost] = await fleet().podsReady(name, 2);
      assert.ok(lost?.spec.nodeName);
      const node = lost.spec.nodeName;
      await fleet().partition(node);
      try {
        const marked = await eventually('its pod is told to end', 60, async () => {
          const one = await pod(name, lost.metadata.name);
          return one?.metadata.deletionTimestamp !== undefined && one;
        });
        assert.equal(marked.metadata.uid, lost.metadata.uid);
        const told = await eventually('the reason and the command are told', 60, async () => {
          const { stdout } = await fleet().plumb('status', '-o', 'json');
          return stdout.includes(`plumb delete pod/${lost.metadata.name} -n default --force`) && stdout;
        });
        assert.match(told, new RegExp(`may still run on node ${node}`));
        const explained = await fleet().plumb('explain', `pod/${lost.metadata.name}`);
        assert.match(explained.stdout, /--force/);
        // It runs there all the while, and nobody made another.
        assert.equal(await runsOn(fleet(), node, lost.metadata.uid), true);
        assert.equal((await pod(name, lost.metadata.name))?.metadata.uid, lost.metadata.uid);

        const forced = await fleet().plumb('delete', `pod/${lost.metadata.name}`, '--force');
        assert.equal(forced.code, 0, forced.stderr);
        assert.match(forced.stderr, /may go on running/);
        await eventually('another is made elsewhere', 40, async () => {
          const one = await pod(name, lost.metadata.name);
          return (
            one !== undefined && one.metadata.uid !== lost.metadata.uid && one.spec.nodeName !== node && isReady(one)
          );
        });
      } finally {
        await fleet().heal(node);
      }
      await eventually(
        'the old one ends when its node is heard',
        60,
        async () => !(await runsOn(fleet(), node, lost.metadata.uid)),
      );
      await fleet().nodesReady([node]);
      await remove(name);
    });

    it('have no second pod of an ordinal either when the state was lost while a node was silent', async () => {
      const name = `lost-${round}`;
      await push({ name, replicas: 3, policy: 'Parallel' }, 'Add a StatefulSet');
      const before = await fleet().podsReady(name, 3);
      const identities = (pods: Pods): string[] =>
        pods.map(({ metadata }) => `${metadata.name} ${metadata.uid}`).sort();
      const node = before[2]?.spec.nodeName ?? '';
      await fleet().partition(node);
      try {
        await eventually('the node is not heard', 40, async () =>
          (await fleet().list('Node')).some(
            ({ metadata, status }) =>
              metadata.name === node &&
              status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'Unknown'),
          ),
        );
        await loseStore(fleet());
        await eventually('what is held back, and what decides, is told', 90, async () => {
          const { stdout } = await fleet().plumb('explain', `statefulset/${name}`);
          return stdout.includes(`plumb node rm ${node} --commit`);
        });
        const heard = before.filter(({ spec }) => spec.nodeName !== node);
        assert.deepEqual(identities(await fleet().pods(name)), identities(heard));
      } finally {
        await fleet().heal(node);
      }
      await fleet().nodesReady([node]);
      assert.deepEqual(identities(await fleet().podsReady(name, 3)), identities(before));
      await eventually(
        'nothing is held back any more',
        30,
        async () => (await set(name)).status?.conditions === undefined,
      );
      await remove(name);
    });
  });
};

async function runsOn(fleet: Fleet, node: string, uid: string): Promise<boolean> {
  return (await fleet.podsOn(node)).some((one) => one.uid === uid && !one.gone);
}
