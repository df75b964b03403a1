/**
 * Pods: what they are told and answer, and how they go with their Namespace. Sources:
 * kubernetes/test/e2e/apps/replica_set.go, common/node/{pods,container_probe}.go, apimachinery/namespace.go.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StoredPod } from '../../../contracts/objects/index.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually, type Fleet } from '../fleet.ts';
import type { Theme } from './theme.ts';

const RESTARTS = 5;
const REQUESTS = 'resources: {requests: {cpu: 5m, memory: 4Mi}}';
const namespaceOf = (round: number): string => `pods-${round}`;

/**
 * A container that is killed again and again: its fifth restart comes two and a half minutes after the first, so that it
 * is pushed with the first of all themes and looked at in the last. A CronJob's Job makes its pod: none of the pushed
 * objects is unwell, which other themes wait for.
 */
function restarting(namespace: string): string {
  const probe = 'livenessProbe: {httpGet: {path: /none, port: 8080}, periodSeconds: 1, failureThreshold: 1}';
  const container = `{name: main, image: "registry.lab/busybox:1", command: [httpd, -f, -p, "8080"], ${probe}, ${REQUESTS}}`;
  const pod = `{restartPolicy: OnFailure, terminationGracePeriodSeconds: 1, containers: [${container}]}`;
  const template = `{metadata: {labels: {app: restarting}}, spec: ${pod}}`;
  return [
    'apiVersion: batch/v1',
    'kind: CronJob',
    `metadata: {name: restarting, namespace: ${namespace}}`,
    'spec:',
    '  schedule: "@every 5s"',
    '  concurrencyPolicy: Forbid',
    `  jobTemplate: {spec: {backoffLimit: 1000, template: ${template}}}`,
    '',
  ].join('\n');
}

const PUSHED = new Map<number, Promise<void>>();
/** Once in a round, whichever test comes first. */
function push(fleet: Fleet, round: number): Promise<void> {
  const begun = PUSHED.get(round) ?? pushAll(fleet, round);
  PUSHED.set(round, begun);
  return begun;
}
async function pushAll(fleet: Fleet, round: number): Promise<void> {
  const namespace = namespaceOf(round);
  const manifests = [
    `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`,
    restarting(namespace),
    `apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: hello, namespace: ${namespace}}\nspec: {replicas: 2, selector: {matchLabels: {app: hello}}, template: {metadata: {labels: {app: hello}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "registry.lab/hello:1", readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}, ${REQUESTS}}]}}}\n`,
    `apiVersion: v1\nkind: Service\nmetadata: {name: hello-web, namespace: ${namespace}}\nspec: {selector: {app: hello}, ports: [{name: http, port: 8765, targetPort: 8080}]}\n`,
  ];
  await fleet.write(`${namespace}/all.yaml`, manifests.join('---\n'));
  await fleet.commitAndPush('Run pods');
}

async function podsOf(fleet: Fleet, namespace: string, app: string): Promise<readonly StoredPod[]> {
  return (await fleet.list('Pod', namespace)).filter(({ metadata }) => metadata.labels?.['app'] === app);
}

export const pods: Theme = (fleet, round) => {
  const namespace = namespaceOf(round);
  const found = (app: string): Promise<readonly StoredPod[]> => podsOf(fleet(), namespace, app);

  it('each replica of a ReplicaSet answers [conformance: replica-set-run-basic-image]', async () => {
    await push(fleet(), round);
    const replicas = await eventually('both are ready', 60, async () => {
      const ready = (await found('hello')).filter((pod) => isReady(pod));
      return ready.length === 2 && ready;
    });
    for (const { metadata, status } of replicas) {
      const answer = await eventually(`${metadata.name} answers`, 30, () =>
        fleet().httpFrom(fleet().lab.nodes[0]?.name ?? '', `http://${status?.podIP}:8080/`),
      );
      assert.equal(answer.trim(), `hello from v1, pod ${metadata.name}`);
    }
  });

  it('a container is told of the Services that are there [conformance: pods-service-environment-variables]', async () => {
    await push(fleet(), round);
    const address = await fleet().clusterIP('hello-web');
    await fleet().write(
      `${namespace}/env.yaml`,
      `apiVersion: v1\nkind: Pod\nmetadata: {name: env, namespace: ${namespace}, labels: {app: env}}\nspec: {restartPolicy: Never, containers: [{name: main, image: "registry.lab/busybox:1", command: [env], ${REQUESTS}}]}\n`,
    );
    await fleet().commitAndPush('Print the environment');
    await eventually('it has ended', 60, async () => (await found('env'))[0]?.status?.phase === 'Succeeded');
    const wanted = [
      `HELLO_WEB_PORT=tcp://${address}:8765`,
      `HELLO_WEB_PORT_8765_TCP=tcp://${address}:8765`,
      `HELLO_WEB_PORT_8765_TCP_ADDR=${address}`,
      'HELLO_WEB_PORT_8765_TCP_PORT=8765',
      'HELLO_WEB_PORT_8765_TCP_PROTO=tcp',
      `HELLO_WEB_SERVICE_HOST=${address}`,
      'HELLO_WEB_SERVICE_PORT=8765',
      'HELLO_WEB_SERVICE_PORT_HTTP=8765',
    ];
    // The last lines of a container are written a moment after its end.
    await eventually('it was told', 30, async () => {
      const { stdout } = await fleet().plumb('logs', 'env', '-n', namespace);
      const told = stdout.split('\n').filter((line) => line.startsWith('HELLO_WEB_'));
      assert.deepEqual(told.sort(), wanted);
      return true;
    });
    await fleet().removeFiles(`${namespace}/env.yaml`);
  });
};

/** The end of what {@link pods} began. */
export const podsEnd: Theme = (fleet, round) => {
  const namespace = namespaceOf(round);
  const found = (app: string): Promise<readonly StoredPod[]> => podsOf(fleet(), namespace, app);

  it('the restarts of a container only become more [conformance: pod-liveness-probe-using-http-endpoint-multiple]', async () => {
    await push(fleet(), round);
    const uids = new Set<string>();
    const counts: number[] = [];
    await eventually(`${RESTARTS} restarts`, 240, async () => {
      const [pod] = await found('restarting');
      if (!pod) return false;
      const count = pod.status?.containerStatuses?.[0]?.restartCount ?? 0;
      uids.add(pod.metadata.uid);
      counts.push(count);
      return count >= RESTARTS;
    });
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    assert.equal(uids.size, 1, 'it was one pod all the time');
  });

  it('a Namespace goes with its pods, and comes back without them [conformance: namespace-deletion-removes-pods]', async () => {
    await push(fleet(), round);
    const there = async (): Promise<boolean> =>
      (await fleet().list('Namespace')).some(({ metadata }) => metadata.name === namespace);
    const uids = new Set((await fleet().list('Pod', namespace)).map(({ metadata }) => metadata.uid));
    assert.ok(uids.size > 0);
    await fleet().removeFiles(namespace);
    await eventually('the Namespace is gone', 60, async () => !(await there()));
    for (const { name } of fleet().lab.nodes)
      assert.deepEqual(
        (await fleet().podsOn(name)).filter(({ uid, gone }) => uids.has(uid) && !gone),
        [],
      );
    await fleet().write(
      `${namespace}/namespace.yaml`,
      `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`,
    );
    await fleet().commitAndPush('Bring the Namespace back');
    await eventually('it is back', 30, there);
    assert.deepEqual(await fleet().list('Pod', namespace), []);
    await fleet().removeFiles(namespace);
  });
};
