/** An agent that is killed at each step of a pod's start, and at each of its end; and the next one, on what it left. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../../contracts/objects/index.ts';
import { bundle, configMap, deleted, isReady, key, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

const HOOK = join(import.meta.dirname, 'kill-at.mjs');
/** Less than the 30 s for which containerd's shim waits for whoever reads what a command prints. */
const STUCK_MS = 25_000;
/** What each part of the pod leaves a line of when it begins. */
const PARTS = ['init', 'side', 'main', 'started', 'stopping'] as const;

describe('an agent that is killed at each step', () => {
  let host: TestHost;
  let file: string;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    file = await bundle(host.folder);
  });
  after(() => host.close());

  const leaves = (part: (typeof PARTS)[number]): string => `echo x >> /left/${part}`;
  const STAYS = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";
  function pod(name: string): Pod {
    const container = (part: 'init' | 'side' | 'main', then: string): Record<string, unknown> => ({
      name: part,
      image: BUSYBOX,
      command: ['/bin/sh', '-c', `${leaves(part)}; ${then}`],
      volumeMounts: [
        { name: 'left', mountPath: '/left' },
        { name: 'own', mountPath: '/own' },
        { name: 'settings', mountPath: '/settings' },
      ],
    });
    const hook = (part: 'started' | 'stopping') => ({ exec: { command: ['/bin/sh', '-c', leaves(part)] } });
    return testPod(name, {
      terminationGracePeriodSeconds: 3,
      initContainers: [container('init', 'true'), { ...container('side', STAYS), restartPolicy: 'Always' }],
      containers: [
        { ...container('main', STAYS), lifecycle: { postStart: hook('started'), preStop: hook('stopping') } },
      ],
      volumes: [
        { name: 'left', hostPath: { path: leftBy(name), type: 'DirectoryOrCreate' } },
        { name: 'own', emptyDir: { medium: 'Memory' } },
        { name: 'settings', configMap: { name: 'settings' } },
      ],
    });
  }
  const leftBy = (name: string): string => join(host.folder, 'left', name);

  /** How often each part of the pod began. */
  async function begun(name: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const part of PARTS) {
      const text = await readFile(join(leftBy(name), part), 'utf8').catch(() => '');
      counts[part] = text.length / 'x\n'.length;
    }
    return counts;
  }

  /** One that is killed at its n-th step from the first that has `mark` in it; that never is where n is 0. */
  const started = (n = 0, mark = ''): Promise<TestAgent> =>
    startAgent(host, {
      file,
      env: n === 0 ? {} : { NODE_OPTIONS: `--import ${HOOK}`, KILL_AT: String(n), KILL_FROM: mark },
    });

  /** Whether it came to that; false where the agent was killed before. */
  async function comes(of: TestAgent, test: () => boolean): Promise<boolean> {
    let isKilled = false;
    void of.ended.then(() => {
      isKilled = true;
    });
    while (!isKilled && !test()) await delay(5);
    return !isKilled;
  }

  const lines = async (...argv: string[]): Promise<readonly string[]> =>
    (await host.run(argv)).split('\n').filter((line) => line !== '');
  const containers = (): Promise<readonly string[]> =>
    lines('ctr', '--address', host.containerdSocket, '--namespace', 'k8s.io', 'containers', 'ls', '--quiet');
  const tasks = (): Promise<readonly string[]> =>
    lines('ctr', '--address', host.containerdSocket, '--namespace', 'k8s.io', 'tasks', 'ls', '--quiet');

  /** What the host has of the pod. */
  async function left({ metadata: { uid = '' } }: Pod): Promise<unknown> {
    const root = join(host.folder, 'root');
    const below = async (folder: string): Promise<readonly string[]> =>
      (await readdir(folder).catch(() => [])).filter((name) => name.includes(uid));
    return {
      containers: await containers(),
      networks: await lines('ls', '/run/netns'),
      links: (await lines('ip', '-o', 'link')).filter((line) => line.includes('veth')),
      addresses: (await lines('find', '/run/cni', '-name', '198.18.77.*')).length,
      mounts: (await lines('cat', '/proc/mounts')).filter((line) => line.includes(uid)),
      files: [
        ...(await below(join(root, 'var/lib/plumbline/pods'))),
        ...(await below(join(root, 'var/log/plumbline/pods'))),
      ],
    };
  }
  const NOTHING = { containers: [], networks: [], links: [], addresses: 0, mounts: [], files: [] };

  it('starts a pod once and ends it whole, whichever step of either an agent was killed at', async () => {
    await mkdir(join(host.folder, 'left'));
    const settings = configMap('settings', { a: '1' });
    let isStartDone = false;
    let isEndDone = false;
    let next = pod('p1');
    let first = await started(1, next.metadata.uid);
    for (let n = 1; !isStartDone || !isEndDone; n += 1) {
      const wanted = next;
      const { name } = wanted.metadata;
      const wasTold = await told(first.assign({ upsert: [settings, wanted] }));
      if (await comes(first, () => isReadyAt(first, name))) {
        isStartDone = true;
        await first.kill();
      }
      const second: TestAgent = await started(isEndDone ? 0 : n, 'deletionTimestamp');
      if (!wasTold) await second.assign({ upsert: [settings, wanted] });
      const report = await second.until(name, isReady, STUCK_MS);
      const at = `start, ${where(first)}: ${JSON.stringify(report.status)}`;
      const { started: hooks = 0, stopping, ...begins } = await begun(name);
      const parts = [...(report.status?.initContainerStatuses ?? []), ...(report.status?.containerStatuses ?? [])];
      for (const { name: part, restartCount, lastState } of parts) {
        // The runtime gives up what it is told to do by one that goes: a container that was made and not started, or ended as
        // it started, has another attempt, as under a kubelet.
        assert.ok(['StartError', undefined].includes(lastState.terminated?.reason), at);
        assert.ok(restartCount <= 1, at);
        const times = begins[part] ?? 0;
        assert.ok(times === 1 || times === 1 + restartCount, `${part} began ${times} times: ${at}`);
      }
      // A hook that was not sent after a start is not sent later, as under a kubelet.
      assert.ok(hooks <= 1 && stopping === 0, at);
      assert.equal((await tasks()).length, 3, `${at}: sandbox, sidecar and main run, and nothing else`);

      const isTold = await told(second.assign({ upsert: [deleted(wanted)] }));
      if (await comes(second, () => second.pods.get(name)?.gone === true)) {
        isEndDone = true;
        await second.kill();
      }
      next = pod(`p${n + 1}`);
      first = await started(isStartDone ? 0 : n + 1, next.metadata.uid);
      if (!isTold) await first.assign({ upsert: [deleted(wanted)] });
      await first.until(name, (pod) => pod.gone, STUCK_MS);
      await first.assign({ remove: [key(wanted)] });
      assert.deepEqual(await left(wanted), NOTHING, `end, ${where(second)}`);
      // One whose agent was killed is run again: at least once is what Kubernetes promises.
      assert.ok(((await begun(name))['stopping'] ?? 0) >= 1, `end, ${where(second)}`);
    }
  });
});

/** At which step an agent was killed. */
function where(agent: TestAgent): string {
  return /^killed at .*$/m.exec(agent.log())?.[0] ?? 'not killed';
}

/** Whether the agent said that it has it. */
function told(answer: Promise<{ readonly status: number }>): Promise<boolean> {
  return answer.then(
    ({ status }) => status === 200,
    () => false,
  );
}

function isReadyAt(agent: TestAgent, pod: string): boolean {
  const report = agent.pods.get(pod);
  return report !== undefined && isReady(report);
}
