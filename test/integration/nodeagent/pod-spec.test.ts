/** What a pod's spec says of its containers, and what the containers find. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../../contracts/objects/index.ts';
import { deleted, isReady, key, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

describe("a pod's spec", { timeout: 120_000 }, () => {
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

  const remove = async (...pods: Pod[]): Promise<void> => {
    await agent.assign({ upsert: pods.map((pod) => deleted(pod, 0)) });
    await Promise.all(pods.map((pod) => agent.until(pod.metadata.name, (report) => report.gone)));
    await agent.assign({ remove: pods.map(key) });
  };

  /** A folder of the host that containers write what they did to, in turn. */
  async function diary(name: string) {
    const path = join(host.folder, name);
    await mkdir(path);
    return {
      volume: { name: 'diary', hostPath: { path } },
      container: (of: string, line: string, more: Record<string, unknown> = {}) => ({
        name: of,
        image: BUSYBOX,
        command: ['/bin/sh', '-c', line],
        volumeMounts: [{ name: 'diary', mountPath: '/diary' }],
        ...more,
      }),
      lines: async () => (await readFile(join(path, 'lines'), 'utf8')).trim().split('\n'),
    };
  }
  const write = (what: string): string => `echo ${what} >> /diary/lines`;
  const untilTerm = (what: string, seconds = 0): string =>
    `trap "sleep ${seconds}; ${write(what)}; exit 0" TERM; while true; do sleep 0.05; done`;

  it('starts sidecars in order, each when it has started, and ends them behind the containers, the last one first', async () => {
    const { volume, container, lines } = await diary('sidecars');
    const pod = testPod('sidecars', {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 20,
      volumes: [volume],
      initContainers: [
        container(
          'proxy',
          `${write('proxy')}; sleep 0.5; ${write('proxy-up')}; touch /up; ${untilTerm('proxy-ended', 0.3)}`,
          {
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['test', '-f', '/up'] }, periodSeconds: 1, failureThreshold: 30 },
          },
        ),
        container('setup', write('setup')),
        container('logger', `${write('logger')}; ${untilTerm('logger-ended', 0.3)}`, {
          restartPolicy: 'Always',
          lifecycle: { preStop: { exec: { command: ['/bin/sh', '-c', write('logger-hook')] } } },
        }),
      ],
      containers: [container('main', `sleep 0.5; ${write('main')}; exit 3`)],
    });
    await agent.assign({ upsert: [pod] });
    const over = await agent.until('sidecars', (report) => report.status?.phase === 'Failed');
    const order = await lines();
    assert.deepEqual(
      order.filter((line) => line !== 'logger'),
      ['proxy', 'proxy-up', 'setup', 'main', 'logger-hook', 'logger-ended', 'proxy-ended'],
    );
    assert.ok(order.indexOf('setup') < order.indexOf('logger') && order.indexOf('logger') < order.indexOf('main'));
    assert.deepEqual(
      over.status?.initContainerStatuses?.map(({ name, state }) => [name, state.terminated?.exitCode]),
      [
        ['proxy', 0],
        ['setup', 0],
        ['logger', 0],
      ],
    );
    await remove(pod);
  });

  it('starts a sidecar again that ended, and ends the pod as it was told to, sidecars behind the rest', async () => {
    const { volume, container, lines } = await diary('deletion');
    const pod = testPod('deletion', {
      terminationGracePeriodSeconds: 20,
      volumes: [volume],
      initContainers: [
        container('proxy', `[ -f /diary/once ] || { touch /diary/once; exit 1; }; ${untilTerm('proxy')}`, {
          restartPolicy: 'Always',
        }),
      ],
      containers: [container('slow', untilTerm('slow', 1)), container('quick', untilTerm('quick'))],
    });
    await agent.assign({ upsert: [pod] });
    const ready = await agent.until('deletion', isReady);
    assert.equal(ready.status?.initContainerStatuses?.[0]?.restartCount, 1);
    assert.equal(ready.status?.initContainerStatuses?.[0]?.ready, true);
    await agent.assign({ upsert: [deleted(pod)] });
    await agent.until('deletion', (report) => report.gone);
    assert.deepEqual(await lines(), ['quick', 'slow', 'proxy']);
    await agent.assign({ remove: [key(pod)] });
  });
});
