/** What a pod says of its images, its end and its share of a node, from a commit to the containers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import type { Pod } from '../../../contracts/objects/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { offer, SERVE } from '../../integration/nodeagent/registry.ts';
import { makeFolder } from '../../support/folder.ts';
import { tied } from '../../support/tied.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

const BUSYBOX = 'registry.lab/busybox:1';
const NODE = 'node-1';
const PORT = 5077;
const LOGIN = { username: 'ann', password: 'open-sesame' };

export const podFields: Theme = (fleet, round) => {
  const namespace = `fields-${round}`;
  const file = `${namespace}/pods.yaml`;
  const put = async (...objects: readonly object[]): Promise<void> => {
    const home = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    await fleet().write(file, [home, ...objects].map((object) => JSON.stringify(object)).join('\n---\n'));
    await fleet().commit('Change what pods say of themselves');
    const pushed = await fleet().push();
    assert.equal(pushed.code, 0, pushed.stderr);
  };
  const remove = async (): Promise<void> => {
    await fleet().removeFiles(namespace);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  };
  const pod = (name: string, container: object, spec: object = {}): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 10,
      containers: [{ name: 'main', image: BUSYBOX, ...container }],
      ...spec,
    },
  });
  const annotated = (one: object, annotations: Readonly<Record<string, string>>): object => ({
    ...one,
    metadata: { ...(one as Pod).metadata, annotations },
  });
  const podOf = async (name: string): Promise<Pod | undefined> =>
    (await fleet().list('Pod', namespace)).find(({ metadata }) => metadata.name === name);

  it('a pod is held to its bandwidth, and reaches what others do', async () => {
    const limited = pod('limited', {
      command: ['/bin/sh', '-c', 'sleep 1000'],
      readinessProbe: {
        exec: { command: ['/bin/sh', '-c', `nslookup self.${namespace}.svc.cluster.local`] },
        periodSeconds: 1,
        timeoutSeconds: 5,
      },
    });
    const rates = { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '20M' };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'self', namespace },
      spec: { ports: [{ port: 80 }] },
    };
    await put(service, annotated(limited, rates));
    const ready = await eventually('the pod is ready', 60, async () => {
      const found = await podOf('limited');
      return found && isReady(found) ? found : undefined;
    });
    const node = ready.spec.nodeName ?? '';
    const route = await fleet().on(node, ['ip', 'route', 'show', `${ready.status?.podIP ?? ''}/32`]);
    const [, id = ''] = /dev veth([0-9a-f]{8}) /.exec(route.stdout) ?? [];
    const { stdout } = await fleet().on(node, ['tc', 'qdisc', 'show']);
    assert.match(stdout, new RegExp(`qdisc tbf 1: dev veth${id} root .*rate 10Mbit`));
    assert.match(stdout, new RegExp(`qdisc tbf 1: dev plumb-b${id} root .*rate 20Mbit`));
    await remove();
  });

  it('a pod shares what it has, sees an image, and ends by its own signal', async () => {
    const script = 'trap "exit 7" USR1; while true; do sleep 0.1; done';
    await put(
      pod(
        'whole',
        {
          command: ['/bin/sh', '-c', script],
          lifecycle: { stopSignal: 'SIGUSR1' },
          volumeMounts: [{ name: 'image', mountPath: '/image' }],
          readinessProbe: {
            exec: { command: ['/bin/sh', '-c', 'cmp /image/bin/busybox /bin/busybox'] },
            periodSeconds: 1,
          },
        },
        {
          os: { name: 'linux' },
          restartPolicy: 'Never',
          // More than it takes to be ready on a busy machine.
          activeDeadlineSeconds: 30,
          resources: { limits: { cpu: '250m', memory: '64Mi' } },
          volumes: [{ name: 'image', image: { reference: BUSYBOX, pullPolicy: 'IfNotPresent' } }],
        },
      ),
    );
    const ready = await eventually('the pod is ready', 60, async () => {
      const found = await podOf('whole');
      return found && isReady(found) ? found : undefined;
    });
    assert.equal(ready.status?.qosClass, 'Guaranteed');
    assert.deepEqual(ready.spec.resources?.requests, { cpu: '250m', memory: '64Mi' });
    assert.equal(ready.status.containerStatuses?.[0]?.stopSignal, 'SIGUSR1');
    const ended = await eventually('its deadline has ended it', 60, async () => {
      const found = await podOf('whole');
      return found?.status?.containerStatuses?.[0]?.state.terminated && found;
    });
    assert.equal(ended.status?.reason, 'DeadlineExceeded');
    assert.equal(ended.status.containerStatuses?.[0]?.state.terminated?.exitCode, 7);
    await remove();
  });

  it('the pods of a ServiceAccount pull with its secrets, and others do not', async () => {
    const folder = makeFolder('plumb-e2e-registry-');
    await offer(folder, 'v1', 1000);
    const login = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64');
    const net = `--net=/proc/${await fleet().initPid(NODE)}/ns/net`;
    const [program, ...args] = tied('nsenter', net, process.execPath, '-e', SERVE, folder, login, String(PORT));
    const server = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(server.stdout, 'data');
      const registry = `127.0.0.1:${PORT}`;
      const auths = JSON.stringify({ auths: { [registry]: LOGIN } });
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'login', namespace },
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': auths },
      };
      const account = {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'robot', namespace },
        imagePullSecrets: [{ name: 'login' }],
      };
      const image = { image: `${registry}/app:v1`, imagePullPolicy: 'Always', command: ['/data'] };
      const there = { nodeName: NODE, restartPolicy: 'Never' };
      await put(
        secret,
        account,
        pod('let-in', image, { ...there, serviceAccountName: 'robot' }),
        pod('kept-out', image, there),
      );
      // There is nothing in the image to run, but it is there.
      await eventually('the image was pulled', 60, async () => {
        const found = await podOf('let-in');
        return found?.status?.containerStatuses?.[0]?.imageID !== '' && found?.status?.phase === 'Failed';
      });
      const kept = await eventually('the other pod waits', 60, async () =>
        /^(ErrImagePull|ImagePullBackOff)$/.exec(
          (await podOf('kept-out'))?.status?.containerStatuses?.[0]?.state.waiting?.reason ?? '',
        ),
      );
      assert.ok(kept);
    } finally {
      server.kill();
      await removeFolder(folder);
    }
    await remove();
  });
};
