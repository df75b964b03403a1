/** What an agent finds when it starts: its own pods, somebody else's containers, a machine that was rebooted. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, PodStatus } from '../../../contracts/objects/index.ts';
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
import { BUSYBOX, startHost, UID_MARK, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';

describe('an agent that starts', () => {
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

  const running = async (): Promise<string> =>
    host.run(['sh', '-c', 'ctr --address "$0" -n k8s.io tasks ls -q | sort', host.containerdSocket]);

  const readyOf = (status: PodStatus | undefined) => status?.conditions?.find(({ type }) => type === 'Ready');
  const statusesFile = (): string =>
    `/proc/${host.pid}/root${join(host.folder, 'root')}/var/lib/plumbline/statuses.json`;
  /** The condition of a pod that the agent has on its disk. */
  const keptReady = async (uid: string) => {
    const { statuses } = JSON.parse(await readFile(statusesFile(), 'utf8').catch(() => '{"statuses":[]}')) as {
      readonly statuses: readonly (readonly [uid: string, status: PodStatus])[];
    };
    return readyOf(statuses.find(([of]) => of === uid)?.[1]);
  };

  it('adopts what runs, without a restart and without a word of unreadiness', async () => {
    const probed = shellPod('probed', 'touch /tmp/up; exec sleep 1000', {
      container: {
        readinessProbe: {
          exec: { command: ['/bin/test', '-e', '/tmp/up'] },
          periodSeconds: 1,
          timeoutSeconds: 20,
          failureThreshold: 1,
        },
      },
    });
    const plain = shellPod('plain', 'exec sleep 1000');
    await agent.assign({ upsert: [probed, plain] });
    const before = await agent.until('probed', isReady);
    await agent.until('plain', isReady);
    const tasks = await running();
    for (const end of ['stop', 'kill'] as const) {
      // A crash may lose the last quarter of a second of statuses.
      await polled(
        'what it told is on the disk',
        async () => isDeepStrictEqual(await keptReady(before.uid), readyOf(before.status)),
        {
          timeoutMs: 20_000,
        },
      );
      await agent[end]();
      agent = await startAgent(host);
      const seen: boolean[] = [];
      const first = await agent.until('probed', (report) => {
        seen.push(isReady(report));
        return isReady(report);
      });
      assert.deepEqual(seen, [true], `after ${end}: the first report is already ready`);
      assert.equal(main(first)?.containerID, main(before)?.containerID);
      assert.equal(main(first)?.restartCount, 0);
      assert.equal(first.status?.startTime, before.status?.startTime);
      assert.deepEqual(readyOf(first.status), readyOf(before.status));
      assert.equal(await running(), tasks);
    }
    assert.equal((await agent.info()).assignmentVersion, 'v1');
  });

  it('refuses what the node has no room for, and nothing that it has said yes to', async () => {
    const node = (cpu: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'test-node' },
      spec: {},
      status: { allocatable: { cpu, memory: '1Gi', pods: '10' } },
    });
    const port = (name: string, at: string) =>
      testPod(
        name,
        {
          containers: [
            {
              name: 'main',
              image: BUSYBOX,
              command: ['/bin/sleep', '1000'],
              ports: [{ containerPort: 80, hostPort: 8099 }],
              resources: { requests: { cpu: '1' } },
            },
          ],
          terminationGracePeriodSeconds: 1,
        },
        { creationTimestamp: at },
      );
    const large = testPod('large', {
      containers: [
        { name: 'main', image: BUSYBOX, command: ['/bin/sleep', '1000'], resources: { requests: { cpu: '64' } } },
      ],
    });
    const [first, second] = [port('port-b', '2026-01-01T00:00:00Z'), port('port-a', '2026-01-01T00:00:01Z')];
    await agent.assign({ upsert: [node('4'), first, second, large] });
    await agent.until('port-b', isReady);
    const refused = await agent.until('port-a', (report) => report.status?.phase === 'Failed');
    assert.deepEqual(
      [refused.status?.reason, refused.status?.message, refused.status?.containerStatuses],
      [
        'NodePorts',
        "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
        undefined,
      ],
    );
    assert.equal(
      (await agent.until('large', (report) => report.status?.phase === 'Failed')).status?.reason,
      'OutOfcpu',
    );
    assert.ok(
      agent.events.some((event) => event.name === 'large' && event.type === 'Warning' && event.reason === 'OutOfcpu'),
    );

    // The node shrinks below what runs: that stays, also for an agent that starts anew.
    await agent.assign({ upsert: [node('1')] });
    const tasks = await running();
    await agent.stop();
    agent = await startAgent(host);
    await agent.until('port-b', isReady);
    assert.equal((await agent.until('port-a', () => true)).status?.reason, 'NodePorts');
    assert.equal(await running(), tasks);
    await agent.assign({ remove: [key(first), key(second), key(large), 'nodes//test-node'] });
    await agent.until('port-b', (report) => report.gone);
  });

  it('lets a pod that is being deleted go on with the grace that it had', async () => {
    const stubborn = shellPod('stubborn', 'trap "" TERM; while :; do sleep 1; done', {
      spec: { terminationGracePeriodSeconds: 15 },
    });
    await agent.assign({ upsert: [stubborn] });
    await agent.until('stubborn', isReady);
    await agent.assign({ upsert: [deleted(stubborn)] });
    await agent.until('stubborn', () =>
      agent.events.some((event) => event.name === 'stubborn' && event.reason === 'Killing'),
    );
    const begun = performance.now();
    while (performance.now() - begun < 10_000) await agent.info();
    await agent.kill();
    agent = await startAgent(host);
    const again = performance.now();
    await agent.until('stubborn', (report) => report.gone);
    const [took, since] = [performance.now() - begun, performance.now() - again];
    // With a grace that begins anew it takes fifteen seconds from the start of the agent on.
    assert.ok(took > 14_000 && since < 14_000, `took ${took} ms, ${since} ms of them with another agent`);
    await agent.assign({ remove: [key(stubborn)] });
  });

  it('tells nobody of a rebooted machine what ran before', async () => {
    await agent.until('plain', isReady);
    await agent.stop();
    const file = statusesFile();
    const written = JSON.parse(await readFile(file, 'utf8')) as { bootID: string };
    assert.equal(written.bootID, (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim());
    await writeFile(file, JSON.stringify({ ...written, bootID: 'one-before' }));
    // No pod can be looked at before the runtime answers.
    const late = `${host.folder}/after-reboot.sock`;
    agent = await startAgent(host, { flags: ['--containerd', late] });
    const first = await agent.until('plain', () => true);
    assert.deepEqual([isReady(first), main(first)?.ready, main(first)?.state.running], [false, false, undefined]);
    await host.run(['ln', '-s', host.containerdSocket, late]);
    await agent.until('plain', isReady);
  });

  it('keeps restarting what ends, with nobody calling', async () => {
    const before = main(await agent.until('plain', isReady))?.containerID;
    const id = before?.replace('containerd://', '') ?? '';
    await host.run(['ctr', '--address', host.containerdSocket, '-n', 'k8s.io', 'tasks', 'kill', '-s', 'KILL', id]);
    const again = await agent.until('plain', (report) => main(report)?.restartCount === 1 && isReady(report));
    assert.notEqual(main(again)?.containerID, before);
    assert.equal(main(again)?.lastState.terminated?.exitCode, 137);
    assert.equal(main(again)?.lastState.terminated?.containerID, before);
  });

  it('makes a pod anew whose sandbox died, and counts on', async () => {
    const before = await agent.until('plain', isReady);
    const sandbox = (
      await host.run([
        'ctr',
        '--address',
        host.containerdSocket,
        '-n',
        'k8s.io',
        'containers',
        'ls',
        '-q',
        'labels."io.cri-containerd.kind"==sandbox,labels."io.kubernetes.pod.name"==plain',
      ])
    ).trim();
    await host.run(['ctr', '--address', host.containerdSocket, '-n', 'k8s.io', 'tasks', 'kill', '-s', 'KILL', sandbox]);
    const again = await agent.until('plain', (report) => isReady(report) && (main(report)?.restartCount ?? 0) > 1);
    assert.notEqual(again.status?.podIP, undefined);
    assert.notEqual(main(again)?.containerID, main(before)?.containerID);
    assert.equal((await agent.exec('plain', ['/bin/echo', 'alive'])).stdout, 'alive\n');
  });

  it('leaves containers alone that are not its own, and ends pods that nobody assigned', async () => {
    const stranger = `stranger${UID_MARK}1`;
    await host.run([
      'ctr',
      '--address',
      host.containerdSocket,
      '-n',
      'k8s.io',
      'run',
      '-d',
      BUSYBOX,
      stranger,
      '/bin/sleep',
      '1000',
    ]);
    const other = `uid${UID_MARK}0-other`;
    const orphan = shellPod('orphan', 'exec sleep 1000');
    await agent.assign({ upsert: [orphan] });
    await agent.until('orphan', isReady);
    await agent.stop();
    // As if the assignment had moved on while the agent was away.
    await host.run([
      'sh',
      '-c',
      'cd "$0" && sed -i "s/uid-[0-9]*-[0-9]*-orphan/$1/g" assignment.j* && rm statuses.json',
      `${host.folder}/root/var/lib/plumbline`,
      other,
    ]);
    agent = await startAgent(host);
    await agent.until('orphan', (report) => report.uid === other && isReady(report));
    await polled(
      'its own pods and the stranger run',
      async () => (await running()).split('\n').length === 1 + 2 * 3 + 1,
      { timeoutMs: 30_000 },
    );
    assert.ok((await running()).split('\n').includes(stranger));
    await agent.until('probed', isReady);
  });

  it('removes the files of a pod of which an agent before it had removed everything else', async () => {
    const root = `${host.folder}/root`;
    const folders = [
      `var/lib/plumbline/pods/left`,
      `run/plumbline/pods/left`,
      `var/log/plumbline/pods/default_left_left`,
    ];
    const there = (): Promise<string> =>
      host.run(['sh', '-c', 'cd "$0"; for f; do [ ! -e "$f" ] || echo "$f"; done', root, ...folders]);
    await agent.stop();
    agent = await startAgent(host);
    await host.run(['sh', '-ec', 'cd "$0"; for f; do mkdir -p "$f"; echo x > "$f/file"; done', root, ...folders]);
    await polled('they are gone', async () => (await there()) === '', { timeoutMs: 40_000, everyMs: 100 });
    await agent.until('probed', isReady);
  });

  it('touches nothing before it was ever given an assignment', async () => {
    await agent.stop();
    await host.run([
      'sh',
      '-c',
      'mkdir "$0/aside" && mv "$0"/assignment.j* "$0/aside/"',
      `${host.folder}/root/var/lib/plumbline`,
    ]);
    const tasks = await running();
    agent = await startAgent(host);
    assert.equal((await agent.info()).assignmentVersion, null);
    // The second list is a second later.
    for (const from = Date.now(); Date.now() - from < 2500;) await agent.info();
    assert.equal(await running(), tasks);
    await agent.stop();
    await host.run([
      'sh',
      '-c',
      'rm -f "$0"/assignment.j*; mv "$0"/aside/* "$0/"',
      `${host.folder}/root/var/lib/plumbline`,
    ]);
    agent = await startAgent(host);
    await agent.until('probed', isReady);
  });

  const untilReason = async (reason: string): Promise<void> => {
    await polled(
      () => `${reason}, not ${agent.node()?.reason}`,
      () => agent.node()?.reason === reason,
      { timeoutMs: 30_000 },
    );
  };

  it('asks for Secrets again when they did not survive, and starts what needs none of them', async () => {
    const pod = testPod('guarded', {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: BUSYBOX,
          command: ['/bin/sleep', '1000'],
          env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'key', key: 'a' } } }],
        },
      ],
    });
    const value = secret('key', { a: 'top-secret-value' });
    await agent.assign({ upsert: [value, configMap('other', {}), pod] });
    await agent.until('guarded', isReady);
    assert.notEqual((await agent.info()).assignmentVersion, null);
    const told = await agent.inventory();
    assert.ok(!JSON.stringify(told).includes(Buffer.from('top-secret-value').toString('base64')));
    assert.ok(told.some((line) => 'held' in line && line.held.includes('secrets/default/key')));
    assert.deepEqual(told.at(-1), { end: true });
    const state = `${host.folder}/root/var/lib/plumbline`;
    await host.run(['sh', '-c', '! grep -r "$1" "$0"', state, Buffer.from('top-secret-value').toString('base64')]);
    await agent.stop();
    await host.run(['rm', `${host.folder}/root/run/plumbline/secrets.json`]);
    agent = await startAgent(host);
    assert.equal((await agent.info()).assignmentVersion, null);
    await agent.until('probed', isReady);
    await agent.until('guarded', isReady);
    const objects = (await agent.inventory()).flatMap((line) => ('object' in line ? [line.object] : []));
    const answer = await agent.assign({ whole: true, upsert: [...objects, configMap('other', {}), value] });
    assert.equal(answer.status, 200);
    await agent.assign({ remove: [key(pod)] });
    await agent.until('guarded', (report) => report.gone);
  });

  it('waits for a container runtime that starts after it', async () => {
    await agent.stop();
    const late = `${host.folder}/late.sock`;
    agent = await startAgent(host, { flags: ['--containerd', late] });
    await untilReason('ContainerRuntimeNotReady');
    const pod = shellPod('patient', 'exec sleep 1000');
    await agent.assign({ upsert: [pod] });
    await host.run(['ln', '-s', host.containerdSocket, late]);
    await agent.until('patient', isReady);
    await agent.until('probed', isReady);
    await untilReason('AgentReady');
  });

  it('lets one agent at a time serve the socket', async () => {
    await assert.rejects(
      startAgent(host, { flags: ['--debug'] }).then(async (second) => {
        if (second.pid === agent.pid) throw new Error('the first still answers');
      }),
      /another agent answers|the first still answers/,
    );
    await agent.until('probed', isReady);
  });
});
