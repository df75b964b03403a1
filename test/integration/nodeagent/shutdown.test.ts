/** A machine that goes down, as its service manager tells, with a real container runtime. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isReady, main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

describe('a machine that goes down', () => {
  let host: TestHost;
  let agent: TestAgent;
  let told = '';
  before(async () => {
    host = await startHost();
    told = join(host.folder, 'told');
    await mkdir(told);
    await host.importImage(BUSYBOX);
  });
  after(() => host.close());

  /** An agent to which the service manager says so. */
  async function agentOf(state: 'running' | 'stopping'): Promise<TestAgent> {
    const bin = join(host.folder, 'bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, 'systemctl'), `#!/bin/sh\n[ "$*" = is-system-running ] && echo ${state}\nexit 1\n`);
    await chmod(join(bin, 'systemctl'), 0o755);
    return startAgent(host, { env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } });
  }

  /** Writes when it is told to end, and when it has ended in its own time. */
  const notes = (name: string, more: object = {}) =>
    shellPod(
      name,
      `trap 'cat /proc/uptime > /told/${name}.asked; sleep 1; cat /proc/uptime > /told/${name}.ended; exit 0' TERM; while :; do sleep 0.1; done`,
      {
        spec: {
          terminationGracePeriodSeconds: 10,
          volumes: [{ name: 'told', hostPath: { path: told } }],
          ...more,
        },
        container: { volumeMounts: [{ name: 'told', mountPath: '/told' }] },
      },
    );
  const when = async (file: string): Promise<number> =>
    Number((await readFile(join(told, file), 'utf8')).split(' ')[0]);

  it('stays as it is when the agent alone ends, and ends its pods in order when it goes down', async () => {
    agent = await agentOf('running');
    const batch = notes('batch', { restartPolicy: 'Never' });
    await agent.assign({
      upsert: [notes('app'), notes('dns', { priorityClassName: 'system-cluster-critical' }), batch],
    });
    for (const name of ['app', 'dns', 'batch']) await agent.until(name, isReady);
    await agent.stop();
    agent = await agentOf('stopping');
    const before = await agent.until('app', isReady);
    for (const name of ['dns', 'batch']) await agent.until(name, isReady);
    assert.equal(main(before)?.restartCount, 0, 'it ran on');
    await agent.stop();
    assert.ok((await when('app.ended')) - (await when('app.asked')) >= 1);
    assert.ok((await when('dns.asked')) >= (await when('app.ended')), 'what others need ends after them');
    await when('dns.ended');
    const running = await host.run(['ctr', '--address', host.containerdSocket, '-n', 'k8s.io', 'task', 'ls', '-q']);
    assert.equal(running.trim(), '');

    // The machine is back: the same pods go on, but for one that nobody starts again.
    for (const file of ['app.asked', 'app.ended', 'dns.asked', 'dns.ended']) await rm(join(told, file));
    agent = await agentOf('running');
    const again = await agent.until('app', isReady);
    assert.equal(again.uid, before.uid);
    assert.equal(again.status?.phase, 'Running');
    await agent.until('dns', isReady);
    const { status } = await agent.until('batch', (one) => one.status?.phase === 'Failed');
    assert.equal(status?.reason, 'Terminated');
    assert.equal(status.message, 'Pod was terminated in response to imminent node shutdown.');
    const target = status.conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual([target?.status, target?.reason], ['True', 'TerminationByKubelet']);
    assert.equal(status.containerStatuses?.[0]?.state.terminated?.exitCode, 0, 'it ended well, in its own time');
  });
});
