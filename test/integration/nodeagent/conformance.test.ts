/**
 * What Kubernetes' conformance suite looks at on a node, on real containers: all pods at once, and then what became of
 * each. Sources: kubernetes/test/e2e/common/node (lifecycle_hook.go, runtime.go, containers.go, init_container.go,
 * kubelet.go, pods.go, container_probe.go, security_context.go).
 */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PodReport } from '../../../contracts/agent/index.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import { deleted, isReady, main, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';
import { untilLogIsWhole } from './printing.ts';

/** An image with a program of its own. */
const SAYS = 'registry.test/says:1';
const HTTPD = 'mkdir -p /tmp/www; touch /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';
const FOREVER = 'trap "exit 0" TERM; while true; do sleep 0.1; done';
const sh = (line: string, more: Record<string, unknown> = {}) => ({
  name: 'main',
  image: BUSYBOX,
  command: ['/bin/sh', '-c', line],
  ...more,
});
const alone = (line: string, container: Record<string, unknown> = {}, spec: Record<string, unknown> = {}) => ({
  containers: [sh(line, container)],
  ...spec,
});
const once = (line: string, container: Record<string, unknown> = {}, spec: Record<string, unknown> = {}) =>
  alone(line, container, { restartPolicy: 'Never', ...spec });
const DIARY = { volumeMounts: [{ name: 'diary', mountPath: '/diary' }] };
const fails = (probe: Record<string, unknown>) => ({ ...probe, periodSeconds: 1, failureThreshold: 1 });
const passes = (probe: Record<string, unknown>) => ({ ...probe, periodSeconds: 1, failureThreshold: 5 });
const init = (...lines: string[]) => lines.map((line, index) => sh(line, { name: `init${index}` }));

/** A server of the gRPC health protocol that says SERVING (1), and ends at the first question that is another one. */
const GRPC_HEALTH = `
const server = require('node:http2').createServer();
server.on('stream', (stream, headers) => {
  if (headers[':path'] !== '/grpc.health.v1.Health/Check') process.exit(1);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, 1]));
});
server.listen(2333);
process.on('SIGTERM', () => process.exit(0));
`;
/** The machine's Node.js and what it is linked with, for a container. */
const NODE_FOLDERS = ['/usr', '/lib', '/lib64', dirname(process.execPath)].filter(
  (path, at, all) => all.findIndex((other) => path === other || path.startsWith(`${other}/`)) === at,
);

/** By the pod's name, what it is. */
function specs(diary: string): Readonly<Record<string, Record<string, unknown>>> {
  const volumes = [{ name: 'diary', hostPath: { path: diary } }];
  const ofMachine = NODE_FOLDERS.map((path, at) => ({ name: `machine-${at}`, path }));
  const machine = {
    volumes: ofMachine.map(({ name, path }) => ({ name, hostPath: { path } })),
    volumeMounts: [
      ...DIARY.volumeMounts,
      ...ofMachine.map(({ name, path }) => ({ name, mountPath: path, readOnly: true })),
    ],
  };
  const hook = (lifecycle: Record<string, unknown>, line = FOREVER) =>
    alone(line, { lifecycle, ...DIARY }, { volumes });
  const note = (word: string) => ({ exec: { command: ['/bin/sh', '-c', `echo ${word} >> /diary/lines`] } });
  // It answers with what it was asked for, into its log.
  const served = `${HTTPD} -vv`;
  return {
    'post-exec': hook({ postStart: note('post-exec') }),
    'pre-exec': hook({ preStop: note('pre-exec') }),
    server: alone(served),
    'message-file': once('echo -n DONE > /dev/termination-log', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
    'message-none': once('echo -n DONE', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
    'message-log': once('echo -n DONE; exit 1', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
    'message-elsewhere': once('echo -n DONE > /dev/custom', {
      terminationMessagePath: '/dev/custom',
      securityContext: { runAsUser: 1000 },
    }),
    'restart-always': alone('[ -f /diary/a ] && exec sleep 1000; touch /diary/a; exit 1', DIARY, { volumes }),
    'restart-on-failure': alone('[ -f /diary/f ] && exit 0; touch /diary/f; exit 1', DIARY, {
      volumes,
      restartPolicy: 'OnFailure',
    }),
    'restart-never': once('exit 1'),
    command: once('', { command: ['/bin/echo', 'command'] }),
    'image-alone': once('', { image: SAYS, command: undefined }),
    'image-with-args': once('', { image: SAYS, command: undefined, args: ['own', 'args'] }),
    'command-and-args': once('', { command: ['/bin/echo'], args: ['command', 'args'] }),
    'init-always': { initContainers: init('true', 'true'), containers: [sh(FOREVER)] },
    'init-never': { restartPolicy: 'Never', initContainers: init('true', 'true'), containers: [sh('true')] },
    'init-fails-never': { restartPolicy: 'Never', initContainers: init('true', 'false'), containers: [sh('true')] },
    'init-fails-always': { initContainers: init('false', 'true'), containers: [sh(FOREVER)] },
    output: once('echo out; echo err >&2'),
    failing: alone('false'),
    'read-only': once('echo x > /file', { securityContext: { readOnlyRootFilesystem: true } }),
    writable: once('echo x > /file && cat /file', { securityContext: { readOnlyRootFilesystem: false } }),
    guaranteed: alone(FOREVER, { resources: { limits: { cpu: '100m', memory: '64Mi' } } }),
    deadline: alone(FOREVER, {}, { activeDeadlineSeconds: 1 }),
    'live-http': alone(HTTPD, { livenessProbe: passes({ httpGet: { port: 8080, path: '/index.html' } }) }),
    'live-exec': alone(`touch /tmp/ok; ${FOREVER}`, {
      livenessProbe: passes({ exec: { command: ['cat', '/tmp/ok'] }, initialDelaySeconds: 1 }),
    }),
    'live-grpc': alone(
      '',
      {
        command: [process.execPath, '/diary/grpc.cjs'],
        volumeMounts: machine.volumeMounts,
        livenessProbe: passes({ grpc: { port: 2333 } }),
      },
      { volumes: [...volumes, ...machine.volumes] },
    ),
    'live-tcp': alone(HTTPD, { livenessProbe: passes({ tcpSocket: { port: 8080 } }) }),
    'dead-http': alone(HTTPD, {
      livenessProbe: fails({ httpGet: { port: 8080, path: '/none' }, initialDelaySeconds: 1 }),
    }),
    'dead-exec': alone(FOREVER, { livenessProbe: fails({ exec: { command: ['cat', '/tmp/none'] } }) }),
    'dead-grpc': alone(HTTPD, { livenessProbe: fails({ grpc: { port: 2333 }, initialDelaySeconds: 1 }) }),
    unready: alone(FOREVER, { readinessProbe: passes({ exec: { command: ['false'] } }) }),
    'ready-late': alone(FOREVER, { readinessProbe: passes({ exec: { command: ['true'] }, initialDelaySeconds: 3 }) }),
    'user-65534': once('id -u', { securityContext: { runAsUser: 65534 } }),
    'group-container': once('id -u; id -g', { securityContext: { runAsUser: 1001, runAsGroup: 2002 } }),
    'group-pod': once('id -u; id -g', {}, { securityContext: { runAsUser: 1001, runAsGroup: 2002 } }),
    unprivileged: once('ip link add dummy0 type dummy || echo refused', { securityContext: { privileged: false } }),
    'no-escalation': once('grep NoNewPrivs /proc/self/status', {
      securityContext: { runAsUser: 1000, allowPrivilegeEscalation: false },
    }),
    lifecycle: alone(FOREVER),
  };
}

describe("Kubernetes' behaviours of a node", { timeout: 600_000 }, () => {
  let host: TestHost;
  let agent: TestAgent;
  let diary: string;
  const pods = new Map<string, Pod>();
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    await host.importImage(SAYS, '1', { entrypoint: ['/bin/echo', 'of the image:'], command: ['all'] });
    agent = await startAgent(host);
    diary = join(host.folder, 'diary');
    await mkdir(diary);
    await writeFile(join(diary, 'grpc.cjs'), GRPC_HEALTH);
    for (const [name, spec] of Object.entries(specs(diary)))
      pods.set(name, testPod(name, { terminationGracePeriodSeconds: 5, ...spec }));
    await agent.assign({ upsert: [...pods.values()] });
  });
  after(async () => {
    await host.close();
  });

  const phase = (name: string, wanted: string) =>
    agent.until(name, (report) => report.status?.phase === wanted, 60_000);
  const ready = (name: string) => agent.until(name, isReady, 60_000);
  const log = async (name: string): Promise<string> =>
    (await agent.call('GET', `/v1/logs?namespace=default&pod=${name}`)).text;
  const logOf = async (name: string, wanted = 'Succeeded'): Promise<string> => {
    await phase(name, wanted);
    await untilLogIsWhole(agent, name, 'main');
    return log(name);
  };
  /** Until the text has it: for a minute, as a hook that failed is tried again with the container, ten seconds later. */
  const untilWritten = async (text: () => Promise<string>, wanted: RegExp): Promise<void> => {
    let last = '';
    await polled(
      () => `no ${wanted.source}: ${last}`,
      async () => wanted.test((last = await text())),
      { timeoutMs: 60_000 },
    );
  };
  const ended = (report: PodReport) => main(report)?.state.terminated;
  const end = async (name: string): Promise<void> => {
    const pod = pods.get(name) ?? assert.fail();
    await agent.assign({ upsert: [deleted(pod)] });
    await agent.until(name, (report) => report.gone, 60_000);
  };
  /** One more, when it is ready. */
  const add = async (name: string, lifecycle: Record<string, unknown>): Promise<void> => {
    const pod = testPod(name, alone(FOREVER, { lifecycle }));
    pods.set(name, pod);
    await agent.assign({ upsert: [pod] });
    await ready(name);
  };
  const lines = async (): Promise<string> => readFile(join(diary, 'lines'), 'utf8').catch(() => '');
  const ids = (...names: string[]): string => ` [conformance: ${names.join(', ')}]`;

  it(`runs a command after the start${ids('pod-lifecycle-post-start-exec-hook')}`, async () => {
    await ready('post-exec');
    await untilWritten(lines, /^post-exec$/m);
  });
  it(`runs a command before the end${ids('pod-lifecycle-prestop-exec-hook', 'pods-prestop-hook')}`, async () => {
    await ready('pre-exec');
    assert.doesNotMatch(await lines(), /pre-exec/);
    await end('pre-exec');
    assert.match(await lines(), /^pre-exec$/m);
  });

  for (const [name, ofEnd, message, id] of [
    ['message-file', 0, 'DONE', 'container-runtime-terminationmessage-from-file-of'],
    ['message-none', 0, undefined, 'container-runtime-terminationmessage-from-log-output'],
    ['message-log', 1, 'DONE', 'container-runtime-terminationmessage-from-container'],
    ['message-elsewhere', 0, 'DONE', 'container-runtime-terminationmessagepath-non-root'],
  ] as const)
    it(`tells the termination message: ${name}${ids(id)}`, async () => {
      await phase(name, ofEnd === 0 ? 'Succeeded' : 'Failed');
      await untilLogIsWhole(agent, name, 'main');
      // A message that is the end of the log is read again when more of that is there.
      const report = await agent.until(name, (one) => message === undefined || ended(one)?.message === message, 60_000);
      const { exitCode, message: told } = ended(report) ?? {};
      assert.deepEqual([exitCode, told], [ofEnd, message]);
    });

  it(`restarts as the policy says, and tells the phase and the count${ids('container-runtime-restart-policy-pod-phases')}`, async () => {
    const always = await agent.until('restart-always', (one) => isReady(one) && main(one)?.restartCount === 1, 60_000);
    assert.equal(always.status?.phase, 'Running');
    assert.equal(main(await phase('restart-on-failure', 'Succeeded'))?.restartCount, 1);
    assert.equal(main(await phase('restart-never', 'Failed'))?.restartCount, 0);
  });

  it(`runs command and arguments of the pod${ids('containers-with-command', 'containers-with-command-and-arguments')}`, async () => {
    assert.equal((await logOf('command')).trim(), 'command');
    assert.equal((await logOf('command-and-args')).trim(), 'command args');
  });

  it(`runs what the image says where the pod does not${ids('containers-without-command-and-arguments', 'containers-with-arguments')}`, async () => {
    assert.equal((await logOf('image-alone')).trim(), 'of the image: all');
    assert.equal((await logOf('image-with-args')).trim(), 'of the image: own args');
  });

  it(`runs init containers first${ids('init-container-starts-app-restartalways-pod', 'init-container-starts-app-restartnever-pod')}`, async () => {
    for (const report of [await ready('init-always'), await phase('init-never', 'Succeeded')]) {
      assert.deepEqual(
        report.status?.initContainerStatuses?.map(({ state, ready: done }) => [state.terminated?.exitCode, done]),
        [
          [0, true],
          [0, true],
        ],
      );
      assert.equal(report.status?.conditions?.find(({ type }) => type === 'Initialized')?.status, 'True');
    }
  });
  it(`starts nothing behind an init container that failed${ids('init-container-fails-stops-app-restartnever-pod', 'init-container-fails-stops-app-restartalways-pod')}`, async () => {
    const never = await phase('init-fails-never', 'Failed');
    assert.equal(never.status?.initContainerStatuses?.[1]?.state.terminated?.exitCode, 1);
    assert.ok(main(never)?.state.waiting);
    const always = await agent.until(
      'init-fails-always',
      (report) => (report.status?.initContainerStatuses?.[0]?.restartCount ?? 0) >= 1,
      60_000,
    );
    assert.equal(always.status?.phase, 'Pending');
    assert.equal(always.status?.initContainerStatuses?.[1]?.state.waiting?.reason, 'PodInitializing');
    assert.equal(main(always)?.state.waiting?.reason, 'PodInitializing');
  });

  it(`keeps what containers write${ids('kubelet-log-output-default')}`, async () => {
    assert.deepEqual((await logOf('output')).trim().split('\n').sort(), ['err', 'out']);
  });
  it(`tells why a container ended, and ends a pod that always fails${ids('kubelet-failed-pod-terminated-reason', 'kubelet-failed-pod-delete')}`, async () => {
    const report = await agent.until('failing', (one) => main(one)?.lastState.terminated !== undefined, 60_000);
    assert.equal(main(report)?.lastState.terminated?.reason, 'Error');
    await end('failing');
  });
  it(`keeps the root file system from being written${ids('kubelet-pod-with-read-only-root-file-system', 'security-context-readonlyrootfilesystem-false')}`, async () => {
    assert.match(await logOf('read-only', 'Failed'), /Read-only file system/);
    assert.equal((await logOf('writable')).trim(), 'x');
  });

  it(`tells the class of the pod and the address of its host${ids('pods-qos', 'pods-assigned-hostip')}`, async () => {
    const { status } = await ready('guaranteed');
    assert.equal(status?.qosClass, 'Guaranteed');
    assert.equal(status.hostIP, '198.18.76.1');
    assert.equal((await ready('lifecycle')).status?.qosClass, 'BestEffort');
  });
  it('ends a pod at its deadline', async () => {
    assert.equal((await phase('deadline', 'Failed')).status?.reason, 'DeadlineExceeded');
  });
  it(`takes new labels without a restart, and ends a pod with its grace${ids('pods-update', 'pods-lifecycle')}`, async () => {
    const before = await ready('lifecycle');
    const pod = pods.get('lifecycle') ?? assert.fail();
    await agent.assign({ upsert: [{ ...pod, metadata: { ...pod.metadata, labels: { time: 'later' } } }] });
    assert.equal((await agent.exec('lifecycle', ['true'])).exitCode, 0);
    assert.equal(main(agent.pods.get('lifecycle') ?? assert.fail())?.containerID, main(before)?.containerID);
    await end('lifecycle');
  });

  for (const [name, id] of [
    ['dead-http', 'pod-liveness-probe-using-http-endpoint-restart'],
    ['dead-exec', 'pod-liveness-probe-using-local-file-restart'],
    ['dead-grpc', 'pod-liveness-probe-using-grpc-call-failure'],
  ] as const)
    it(`starts a container again that is not alive: ${name}${ids(id)}`, async () => {
      await agent.until(name, (report) => (main(report)?.restartCount ?? 0) >= 1, 60_000);
    });
  it(`waits with readiness as long as it is told to${ids('pod-readiness-probe-with-initial-delay')}`, async () => {
    const report = await ready('ready-late');
    const { restartCount, state } = main(report) ?? assert.fail();
    const became = report.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '';
    // Both are told in whole seconds.
    assert.ok(Date.parse(became) - Date.parse(state.running?.startedAt ?? '') >= 2000);
    assert.equal(restartCount, 0);
  });
  it(`never is ready, and is not restarted, while its probe fails${ids('pod-readiness-probe-failure')}`, async () => {
    const failed = ({ name, reason, count }: (typeof agent.events)[number]): boolean =>
      name === 'unready' && reason === 'Unhealthy' && count > 0;
    await agent.until('unready', () => agent.events.some(failed), 60_000);
    const report = agent.pods.get('unready') ?? assert.fail();
    assert.deepEqual([isReady(report), main(report)?.restartCount], [false, 0]);
  });

  for (const [name, wanted, id] of [
    ['user-65534', '65534', 'security-context-runasuser-65534'],
    ['group-container', '1001\n2002', 'security-context-test-runasgroup-at-container-level'],
    ['group-pod', '1001\n2002', 'security-context-test-runasgroup-at-pod-level'],
    ['unprivileged', /^refused$/m, 'security-context-privileged-false'],
    ['no-escalation', /^NoNewPrivs:\s*1$/, 'security-context-allowprivilegeescalation-false'],
  ] as const)
    it(`runs a container as what it is told: ${name}${ids(id)}`, async () => {
      const text = (await logOf(name)).trim();
      if (typeof wanted === 'string') assert.equal(text, wanted);
      else assert.match(text, wanted);
    });

  it(`calls by HTTP after the start of a container${ids('pod-lifecycle-post-start-http-hook')}`, async () => {
    const host = (await ready('server')).status?.podIP ?? assert.fail();
    await add('post-http', { postStart: { httpGet: { host, port: 8080, path: '/index.html' } } });
    await untilWritten(() => log('server'), /url:\/index.html\n.*response:200/);
  });
  it(`calls by HTTP before the end of a container${ids('pod-lifecycle-prestop-http-hook')}`, async () => {
    const host = (await ready('server')).status?.podIP ?? assert.fail();
    await add('pre-http', { preStop: { httpGet: { host, port: 8080, path: '/before-the-end' } } });
    assert.doesNotMatch(await log('server'), /before-the-end/);
    await end('pre-http');
    await untilWritten(() => log('server'), /url:\/before-the-end$/m);
  });

  for (const [name, id] of [
    ['live-http', 'pod-liveness-probe-using-http-endpoint-failure'],
    ['live-exec', 'pod-liveness-probe-using-local-file-no-restart'],
    ['live-grpc', 'pod-liveness-probe-using-grpc-call-success'],
    ['live-tcp', 'pod-liveness-probe-using-tcp-socket-no-restart'],
  ] as const)
    it(`leaves a container alone that is alive: ${name}${ids(id)}`, async () => {
      // Last in this file: by now it was probed for as long as the others took to be killed.
      const report = await ready(name);
      assert.equal(main(report)?.restartCount, 0);
    });
});
