/** Pods from assignment to status, on a real container runtime. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { PodReport } from '../../../contracts/agent/index.ts';
import {
  configMap,
  deleted,
  isReady,
  key,
  main,
  secret,
  shellPod,
  startAgent,
  testPod,
  type TestAgent,
} from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';
import { untilSays, untilLogIsWhole } from './printing.ts';

describe('pods on a node', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(async () => {
    await host.close();
  });

  const logs = async (pod: string, query = ''): Promise<string> =>
    (await agent.call('GET', `/v1/logs?namespace=default&pod=${pod}${query}`)).text;
  /** A container that runs has not said everything yet. */
  const logsWith = async (pod: string, wanted: RegExp): Promise<string> => {
    let text = '';
    await polled(
      () => `the log of ${pod} has no ${wanted.source}: ${text}`,
      async () => wanted.test((text = await logs(pod))),
      { timeoutMs: 20_000 },
    );
    return text;
  };
  const remove = async (...pods: Parameters<typeof deleted>[0][]): Promise<void> => {
    await agent.assign({ upsert: pods.map((pod) => deleted(pod, 0)) });
    await Promise.all(pods.map((pod) => agent.until(pod.metadata.name, (report) => report.gone)));
    await agent.assign({ remove: pods.map(key) });
  };
  const waiting = (pod: PodReport): string | undefined => main(pod)?.state.waiting?.reason;

  it('runs a pod: address, conditions, logs, hostname', async () => {
    const pod = shellPod('web', 'echo one; echo two >&2; hostname; cat /etc/hosts; exec sleep 1000');
    await agent.assign({ upsert: [pod] });
    const { status } = await agent.until('web', isReady);
    assert.equal(status?.phase, 'Running');
    assert.match(status?.podIP ?? '', /^198\.18\.77\.\d+$/);
    assert.equal(status?.hostIP, '198.18.76.1');
    assert.deepEqual(status?.conditions?.map((c) => [c.type, c.status]).sort(), [
      ['ContainersReady', 'True'],
      ['Initialized', 'True'],
      ['PodReadyToStartContainers', 'True'],
      ['PodScheduled', 'True'],
      ['Ready', 'True'],
    ]);
    // Two streams have no order between them.
    const text = await logsWith('web', /^(?=[^]*\tweb\n)(?=[^]*^two\n)/m);
    assert.match(text, /^one\n/m);
    assert.match(text, /^two\n/m);
    assert.match(text, /^web\n/m);
    assert.match(text, new RegExp(`^${status?.podIP ?? ''}\tweb$`, 'm'));
    assert.equal(await logs('web', '&tail=2'), text.split('\n').slice(-3).join('\n'));
    assert.match(await logs('web', '&timestamps=true'), /^\d{4}-\d\d-\d\dT\S+ one\n/m);
    await remove(pod);
  });

  it('follows a log until its container ends', async () => {
    const pod = shellPod('talker', 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done', {
      spec: { restartPolicy: 'Never' },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until(
      'talker',
      (report) => main(report)?.state.running !== undefined || main(report)?.state.terminated !== undefined,
    );
    assert.equal(await logs('talker', '&follow=true'), 'line 1\nline 2\nline 3\nline 4\nline 5\n');
    await remove(pod);
  });

  it('runs commands: streams, end of input, exit code', async () => {
    const pod = shellPod('tool', 'exec sleep 1000');
    await agent.assign({ upsert: [pod] });
    await agent.until('tool', isReady);
    assert.deepEqual(await agent.exec('tool', ['/bin/sh', '-c', 'cat; echo err >&2; exit 7'], 'typed'), {
      stdout: 'typed',
      stderr: 'err\n',
      exitCode: 7,
    });
    assert.deepEqual(await agent.exec('tool', ['/bin/true']), { stdout: '', stderr: '', exitCode: 0 });
    const large = await agent.exec('tool', ['/bin/sh', '-c', 'seq 1 100000']);
    assert.equal(large.stdout.split('\n').length, 100_001);
    await assert.rejects(agent.exec('nobody', ['/bin/true']), /PodNotFound/);
    await remove(pod);
  });

  it('gives a container its environment and files, and follows a ConfigMap', async () => {
    const settings = configMap('settings', { COLOR: 'blue', 'app.conf': 'first' });
    const password = secret('login', { PASSWORD: 'hunter2' });
    const pod = testPod(
      'configured',
      {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'main',
            image: BUSYBOX,
            command: ['/bin/sh', '-c'],
            args: [
              "echo color=$(COLOR) 'double=$$(COLOR)' password=$PASSWORD name=$NAME ip=$IP label=$LABEL prefixed=$P_COLOR; cat /config/app.conf /secret/PASSWORD; mount | grep -c '/secret type tmpfs'; exec sleep 1000",
            ],
            env: [
              { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOR' } } },
              { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'PASSWORD' } } },
              { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['tier']" } } },
            ],
            envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }],
            volumeMounts: [
              { name: 'config', mountPath: '/config' },
              { name: 'secret', mountPath: '/secret' },
              { name: 'scratch', mountPath: '/scratch' },
              { name: 'fast', mountPath: '/fast' },
            ],
          },
        ],
        volumes: [
          { name: 'config', configMap: { name: 'settings' } },
          { name: 'secret', secret: { secretName: 'login', defaultMode: 0o400 } },
          { name: 'scratch', emptyDir: {} },
          { name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        ],
      },
      { labels: { tier: 'front' } },
    );
    await agent.assign({ upsert: [pod] });
    await agent.until('configured', (report) => report.status !== undefined);
    await agent.assign({ upsert: [settings, password] });
    const { status } = await agent.until('configured', isReady);
    assert.equal(
      (await logsWith('configured', /hunter21\n/)).trim(),
      `color=blue double=$(COLOR) password=hunter2 name=configured ip=${status?.podIP ?? ''} label=front prefixed=blue\nfirsthunter21`,
    );
    assert.deepEqual(
      (
        await agent.exec('configured', [
          '/bin/sh',
          '-c',
          'stat -c %a /secret/..data/PASSWORD; touch /scratch/a && echo scratch; dd if=/dev/zero of=/fast/big bs=1024 count=2048 2>/dev/null || echo full; touch /config/x 2>/dev/null || echo read-only',
        ])
      ).stdout,
      '400\nscratch\nfull\nread-only\n',
    );
    await agent.assign({ upsert: [configMap('settings', { COLOR: 'blue', 'app.conf': 'second' }, '2')] });
    await untilSays(agent, 'configured', 'cat /config/app.conf', 'second');
    assert.ok(!agent.log().includes('hunter2'));
    await remove(pod);
    assert.equal(await host.run(['sh', '-c', `mount | grep -c ${pod.metadata.uid} || true`]), '0\n');
  });

  it('says why a container cannot be made, and makes it when it can', async () => {
    const pod = testPod('unconfigured', {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: BUSYBOX,
          command: ['/bin/sleep', '1000'],
          env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'late', key: 'a' } } }],
        },
      ],
    });
    await agent.assign({ upsert: [pod] });
    const waits = await agent.until('unconfigured', (report) => waiting(report) === 'CreateContainerConfigError');
    assert.equal(main(waits)?.state.waiting?.message, 'configmap "late" not found');
    await agent.assign({ upsert: [configMap('late', { b: '1' })] });
    await agent.until(
      'unconfigured',
      (report) => main(report)?.state.waiting?.message === "couldn't find key a in ConfigMap default/late",
    );
    await agent.assign({ upsert: [configMap('late', { a: '1' }, '2')] });
    await agent.until('unconfigured', isReady);
    await remove(pod);
  });

  it('restarts a container at once, then after a pause', async () => {
    const pod = shellPod('crasher', 'echo run; exit 3');
    await agent.assign({ upsert: [pod] });
    const paused = await agent.until('crasher', (report) => waiting(report) === 'CrashLoopBackOff');
    const status = main(paused);
    assert.equal(status?.restartCount, 1);
    assert.equal(status?.lastState.terminated?.exitCode, 3);
    assert.equal(status?.lastState.terminated?.reason, 'Error');
    assert.match(
      status?.state.waiting?.message ?? '',
      /^back-off 10s restarting failed container=main pod=crasher_default\(/,
    );
    assert.equal(paused.status?.phase, 'Running');
    await untilLogIsWhole(agent, 'crasher', 'main');
    assert.equal(await logs('crasher', '&previous=true'), 'run\n');
    const began = Date.parse(status?.lastState.terminated?.finishedAt ?? '');
    const again = await agent.until('crasher', (report) => main(report)?.restartCount === 2, 30_000);
    const next =
      main(again)?.state.running?.startedAt ??
      main(again)?.state.terminated?.startedAt ??
      main(again)?.lastState.terminated?.startedAt ??
      '';
    assert.ok(Date.parse(next) - began >= 9000, `started again after ${Date.parse(next) - began} ms`);
    await remove(pod);
  });

  it('ends pods as their restart policy says', async () => {
    const done = shellPod('done', 'exit 0', { spec: { restartPolicy: 'OnFailure' } });
    const failed = shellPod('failed', 'echo why > /dev/termination-log; exit 4', { spec: { restartPolicy: 'Never' } });
    const killed = shellPod('killed', 'kill -9 $$', {
      spec: { restartPolicy: 'Never' },
      container: { command: ['/bin/sh', '-c', '/bin/sh -c "kill -9 \\$\\$"; exit $?'] },
    });
    const late = shellPod('late', 'exec sleep 1000', {
      spec: { activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 0 },
    });
    await agent.assign({ upsert: [done, failed, killed, late] });
    const over = await agent.until('done', (report) => report.status?.phase === 'Succeeded');
    assert.equal(main(over)?.state.terminated?.reason, 'Completed');
    const bad = await agent.until('failed', (report) => report.status?.phase === 'Failed');
    assert.equal(main(bad)?.state.terminated?.exitCode, 4);
    assert.equal(main(bad)?.state.terminated?.message, 'why\n');
    const dead = await agent.until('killed', (report) => report.status?.phase === 'Failed');
    assert.equal(main(dead)?.state.terminated?.exitCode, 137);
    const deadline = await agent.until('late', (report) => report.status?.phase === 'Failed');
    assert.equal(deadline.status?.reason, 'DeadlineExceeded');
    await agent.until('late', (report) => main(report)?.state.running === undefined);
    await remove(done, failed, killed, late);
  });

  it('tells an out-of-memory kill by name', async () => {
    const pod = shellPod('hungry', 'tail /dev/zero', {
      spec: { restartPolicy: 'Never' },
      container: { resources: { limits: { memory: '8Mi' } } },
    });
    await agent.assign({ upsert: [pod] });
    const report = await agent.until('hungry', (one) => one.status?.phase === 'Failed');
    assert.equal(main(report)?.state.terminated?.reason, 'OOMKilled');
    assert.equal(main(report)?.state.terminated?.exitCode, 137);
    await remove(pod);
  });

  it('runs init containers one after the other before the rest', async () => {
    const step = (name: string, line: string) => ({
      name,
      image: BUSYBOX,
      command: ['/bin/sh', '-c', line],
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
    });
    const pod = testPod('staged', {
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [
        step('first', 'sleep 0.5; echo first >> /shared/order'),
        step('second', 'echo second >> /shared/order'),
      ],
      containers: [step('main', 'cat /shared/order; exec sleep 1000')],
    });
    await agent.assign({ upsert: [pod] });
    const early = await agent.until('staged', (report) => waiting(report) === 'PodInitializing');
    assert.equal(early.status?.phase, 'Pending');
    const ready = await agent.until('staged', isReady);
    assert.deepEqual(
      ready.status?.initContainerStatuses?.map((s) => s.state.terminated?.reason),
      ['Completed', 'Completed'],
    );
    assert.equal(await logsWith('staged', /second\n/), 'first\nsecond\n');
    const stuck = testPod('stuck', {
      restartPolicy: 'Never',
      initContainers: [step('first', 'exit 1')],
      volumes: [{ name: 'shared', emptyDir: {} }],
      containers: [step('main', 'true')],
    });
    await agent.assign({ upsert: [stuck] });
    await agent.until('stuck', (report) => report.status?.phase === 'Failed');
    await remove(pod, stuck);
  });

  it('names what is wrong with an image', async () => {
    const image = (name: string, ref: string, policy: string) =>
      testPod(name, {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: ref, imagePullPolicy: policy }],
      });
    const pods = [
      image('absent', 'registry.test/absent:1', 'Never'),
      image('unreachable', '198.18.76.9:5000/app:1', 'IfNotPresent'),
      image('malformed', 'Bad Name', 'IfNotPresent'),
    ];
    await agent.assign({ upsert: pods });
    await agent.until('absent', (report) => waiting(report) === 'ErrImageNeverPull');
    await agent.until('malformed', (report) => waiting(report) === 'InvalidImageName');
    const error = await agent.until('unreachable', (report) => waiting(report) === 'ErrImagePull');
    assert.match(main(error)?.state.waiting?.message ?? '', /198\.18\.76\.9/);
    const pause = await agent.until('unreachable', (report) => waiting(report) === 'ImagePullBackOff');
    assert.equal(main(pause)?.state.waiting?.message, 'Back-off pulling image "198.18.76.9:5000/app:1"');
    await remove(...pods);
  });

  it('names a program that is not in the image', async () => {
    const pod = shellPod('missing', '', { container: { command: ['/no/such/program'] } });
    await agent.assign({ upsert: [pod] });
    const report = await agent.until('missing', (one) => waiting(one) === 'RunContainerError');
    assert.match(main(report)?.state.waiting?.message ?? '', /no such file or directory/);
    await remove(pod);
  });

  it('stops a pod: hook, then SIGTERM, then SIGKILL after the grace', async () => {
    const polite = shellPod('polite', 'trap "echo term; exit 0" TERM; while true; do sleep 0.1; done', {
      spec: { terminationGracePeriodSeconds: 20 },
      container: { lifecycle: { preStop: { exec: { command: ['/bin/sh', '-c', 'echo hook > /proc/1/fd/1'] } } } },
    });
    const stubborn = shellPod('stubborn', 'trap "" TERM; while true; do sleep 0.1; done', {
      spec: { terminationGracePeriodSeconds: 1 },
    });
    await agent.assign({ upsert: [polite, stubborn] });
    await agent.until('polite', isReady);
    await agent.until('stubborn', isReady);
    const follow = logs('polite', '&follow=true');
    const began = Date.now();
    await agent.assign({ upsert: [deleted(polite), deleted(stubborn)] });
    const ended = await agent.until(
      'stubborn',
      (report) => report.gone || main(report)?.state.terminated !== undefined,
    );
    if (!ended.gone) assert.equal(main(ended)?.state.terminated?.exitCode, 137);
    await agent.until('stubborn', (report) => report.gone);
    assert.ok(Date.now() - began >= 1000);
    await agent.until('polite', (report) => report.gone);
    assert.ok(Date.now() - began < 15_000);
    assert.equal(await follow, 'hook\nterm\n');
    await agent.assign({ remove: [key(polite), key(stubborn)] });
  });

  it('shortens a grace that has begun', async () => {
    const pod = shellPod('slow', 'trap "" TERM; while true; do sleep 0.1; done', {
      spec: { terminationGracePeriodSeconds: 600 },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('slow', isReady);
    await agent.assign({ upsert: [deleted(pod)] });
    await polled(
      'its end is told',
      () => agent.events.some((event) => event.name === 'slow' && event.reason === 'Killing'),
      { timeoutMs: 20_000 },
    );
    await agent.assign({ upsert: [deleted(pod, 0)] });
    await agent.until('slow', (report) => report.gone);
    await agent.assign({ remove: [key(pod)] });
  });

  it('reports a pod that it never had as gone, and ends one that is no longer assigned', async () => {
    const never = deleted(shellPod('never', 'true'));
    await agent.assign({ upsert: [never] });
    await agent.until('never', (report) => report.gone);
    await agent.assign({ remove: [key(never)] });
    const dropped = shellPod('dropped', 'exec sleep 1000', { spec: { terminationGracePeriodSeconds: 0 } });
    await agent.assign({ upsert: [dropped] });
    await agent.until('dropped', isReady);
    await agent.assign({ remove: [key(dropped)] });
    await agent.until('dropped', (report) => report.gone);
    assert.equal(
      await host.run(['sh', '-c', 'ctr --address "$0" -n k8s.io containers ls -q | wc -l', host.containerdSocket]),
      '0\n',
    );
    assert.equal(
      await host.run([
        'sh',
        '-c',
        `ls ${host.folder}/root/var/lib/plumbline/pods ${host.folder}/root/var/log/plumbline/pods | grep -c uid- || true`,
      ]),
      '0\n',
    );
    assert.equal(
      await host.run([
        'sh',
        '-c',
        `ls -d /sys/fs/cgroup/memory/plumbline/pod${dropped.metadata.uid} 2>/dev/null | wc -l`,
      ]),
      '0\n',
    );
  });

  it('rotates a log that grew, and keeps writing', async () => {
    const pod = shellPod(
      'chatty',
      'dd if=/dev/zero bs=1024 count=11000 2>/dev/null | busybox tr "\\0" "x" | busybox fold -w 1000; echo; i=0; while true; do i=$((i+1)); echo after $i; sleep 0.2; done',
      { spec: { terminationGracePeriodSeconds: 0 } },
    );
    await agent.assign({ upsert: [pod] });
    await agent.until('chatty', isReady);
    const folder = `${host.folder}/root/var/log/plumbline/pods/default_chatty_${pod.metadata.uid ?? ''}/main`;
    const files = async (): Promise<readonly string[]> => (await host.run(['ls', folder])).trim().split('\n');
    await polled('the log is rotated', async () => (await files()).includes('0.log.1'), { timeoutMs: 30_000 });
    const first = /after (\d+)\n$/.exec(await logsWith('chatty', /^after \d+\n$/m))?.[1];
    assert.ok(Number(first) > 0);
    assert.ok((await logs('chatty')).length < 100_000);
    await remove(pod);
  });

  it('refuses an older control plane, a version that does not follow, and what it cannot read', async () => {
    assert.equal((await agent.assign({ epoch: 5 })).status, 200);
    const stale = await agent.assign({ epoch: 4 });
    assert.equal(stale.status, 409);
    assert.match(stale.text, /StaleEpoch/);
    const skipped = await agent.call('POST', '/v1/assignment', {
      epoch: 5,
      node: 'test-node',
      from: 'v0',
      to: 'v999',
      upsert: [],
      remove: [],
    });
    assert.equal(skipped.status, 409);
    assert.match(skipped.text, /VersionMismatch/);
    assert.equal((await agent.call('POST', '/v1/assignment', { epoch: 5 })).status, 400);
    assert.equal((await agent.call('GET', '/v1/nothing')).status, 404);
    assert.equal((await agent.info()).epoch, 5);
  });
});
