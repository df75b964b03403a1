/** Probes on real containers: what they do to readiness, restarts and endpoints. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { isReady, key, main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';

describe('probes', () => {
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

  const HTTPD = 'httpd -f -p 8080 -h /www';

  it('follow an HTTP answer in and out of readiness', async () => {
    const pod = shellPod('web', HTTPD, {
      container: {
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { httpGet: { port: 'http', path: '/index.html' }, periodSeconds: 1, failureThreshold: 2 },
      },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('web', isReady);
    await agent.exec('web', ['/bin/rm', '/www/index.html']);
    const out = await agent.until('web', (report) => !isReady(report));
    assert.ok(main(out)?.state.running);
    assert.equal(main(out)?.restartCount, 0);
    assert.ok(
      agent.events.some(
        (event) =>
          event.reason === 'Unhealthy' &&
          event.message === 'Readiness probe failed: HTTP probe failed with statuscode: 404',
      ),
    );
    await agent.exec('web', ['/bin/touch', '/www/index.html']);
    await agent.until('web', isReady);
  });

  it('hold the others back until a startup probe has passed', async () => {
    const pod = shellPod('slow', `sleep 2; ${HTTPD}`, {
      container: {
        startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 30 },
        livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 1 },
      },
    });
    await agent.assign({ upsert: [pod] });
    const early = await agent.until('slow', (report) => main(report)?.state.running !== undefined);
    assert.equal(main(early)?.started, false);
    assert.equal(isReady(early), false);
    const ready = await agent.until('slow', isReady);
    assert.equal(main(ready)?.started, true);
    assert.equal(main(ready)?.restartCount, 0);
  });

  it('restart a container whose liveness fails', async () => {
    const pod = shellPod('sick', 'touch /tmp/ok; trap "exit 9" TERM; while true; do sleep 0.1; done', {
      container: {
        livenessProbe: {
          exec: { command: ['/bin/cat', '/tmp/ok'] },
          periodSeconds: 1,
          timeoutSeconds: 20,
          failureThreshold: 1,
        },
      },
    });
    await agent.assign({ upsert: [pod] });
    const before = await agent.until('sick', isReady);
    await agent.exec('sick', ['/bin/rm', '/tmp/ok']);
    const after = await agent.until('sick', (report) => main(report)?.restartCount === 1 && isReady(report));
    assert.notEqual(main(after)?.containerID, main(before)?.containerID);
    assert.equal(main(after)?.lastState.terminated?.exitCode, 9);
    assert.ok(
      agent.events.some(
        (event) =>
          event.reason === 'Killing' && event.message === 'Container main failed liveness probe, will be restarted',
      ),
    );
  });

  it('count a command that takes too long as failed', async () => {
    const pod = shellPod('stuck', 'exec sleep 1000', {
      container: { readinessProbe: { exec: { command: ['/bin/sleep', '30'] }, periodSeconds: 1, timeoutSeconds: 1 } },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('stuck', (report) => main(report)?.state.running !== undefined);
    await polled(
      () => JSON.stringify(agent.events.filter((event) => event.name === 'stuck')),
      () => agent.events.some((event) => event.name === 'stuck' && event.message.includes('timed out')),
      { timeoutMs: 60_000 },
    );
    assert.equal(isReady(agent.pods.get('stuck') ?? assert.fail('no report')), false);
  });

  for (const [name, command, left] of [
    ['forks', '/bin/sleep 1234 & /bin/sleep 1234', 0],
    ['forks-and-ends', '/bin/sleep 1234 & exit 0', 0],
    ['forks-sessions', '/bin/busybox setsid /bin/sleep 1234 & /bin/sleep 1234', 0],
    ['leaves-a-daemon', '/bin/sleep 1234 > /dev/null 2>&1 & exit 0', 1],
  ] as const) {
    it(`end what a command has started when its time is over: ${name}`, async () => {
      const pod = shellPod(name, '/bin/sleep 4321 & exec sleep 1000', {
        container: {
          livenessProbe: {
            exec: { command: ['/bin/sh', '-c', command] },
            periodSeconds: 3600,
            // One that ends by itself is to be seen to, however late.
            timeoutSeconds: left > 0 ? 20 : 1,
            failureThreshold: 3,
          },
        },
      });
      await agent.assign({ upsert: [pod] });
      await agent.until(name, (report) => main(report)?.state.running !== undefined);
      const sleepers = async (seconds: number): Promise<number> => {
        const { stdout } = await agent.exec(name, [
          '/bin/sh',
          '-c',
          `/bin/busybox ps -o args | /bin/busybox grep -c "^/bin/sleep ${seconds}" || true`,
        ]);
        return Number(stdout);
      };
      const isOver = (): boolean =>
        left > 0 ||
        agent.events.some(
          (event) => event.name === name && event.message === 'Liveness probe failed: command timed out after 1s',
        );
      let found = 0;
      await polled(
        () => `${found} left; ${JSON.stringify(agent.events.filter((event) => event.name === name))}`,
        async () => isOver() && (found = await sleepers(1234)) === left,
        { timeoutMs: 60_000 },
      );
      assert.equal(await sleepers(4321), 1);
      await agent.assign({ remove: [key(pod)] });
    });
  }

  it('end what an agent that was killed has left running', async () => {
    const pod = shellPod('orphan', 'exec sleep 1000', {
      container: {
        livenessProbe: { exec: { command: ['/bin/sleep', '2345'] }, periodSeconds: 1, timeoutSeconds: 3600 },
      },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('orphan', (report) => main(report)?.state.running !== undefined);
    const sleepers = async (): Promise<string[]> => {
      const { stdout } = await agent.exec('orphan', [
        '/bin/sh',
        '-c',
        '/bin/busybox ps -o pid,args | /bin/busybox grep "/bin/sleep 2345$" | /bin/busybox grep -v grep || true',
      ]);
      return stdout.split('\n').filter((line) => line !== '');
    };
    const before = await polled(
      'the probe runs',
      async () => {
        const found = await sleepers();
        return found.length > 0 && found;
      },
      { timeoutMs: 60_000 },
    );
    await agent.kill();
    agent = await startAgent(host);
    await agent.until('orphan', (report) => main(report)?.state.running !== undefined);
    let now = before;
    await polled(
      () => `${before.join()} became ${now.join()}`,
      async () => {
        now = await sleepers();
        return now.length === 1 && now[0] !== before[0];
      },
      { timeoutMs: 60_000 },
    );
    await agent.assign({ remove: [key(pod)], whole: true });
  });

  it('keep the beginning of what a command writes, in bounded memory', async () => {
    const pod = shellPod('loud', 'exec sleep 1000', {
      container: {
        readinessProbe: {
          exec: { command: ['/bin/sh', '-c', 'echo begin; dd if=/dev/zero bs=1M count=15 2>/dev/null; exit 3'] },
          periodSeconds: 1,
          timeoutSeconds: 20,
        },
      },
    });
    const peak = async (): Promise<number> =>
      Number(/^VmHWM:\s+(\d+) kB$/m.exec(await host.run(['cat', `/proc/${agent.pid}/status`]))?.[1]) * 1024;
    // Forgets the peak so far. Source: proc_pid_clear_refs(5).
    await host.run(['sh', '-c', `echo 5 > /proc/${agent.pid}/clear_refs`]);
    const before = await peak();
    await agent.assign({ upsert: [pod] });
    const failures = (): number =>
      agent.events.filter((event) => event.name === 'loud' && event.message.startsWith('Readiness probe failed: begin'))
        .length;
    await polled(
      () => JSON.stringify(agent.events.filter((event) => event.name === 'loud')),
      () => failures() > 0,
      { timeoutMs: 60_000 },
    );
    const grown = (await peak()) - before;
    assert.ok(grown < 15 * 1024 * 1024, `${grown} bytes more`);
    await agent.assign({ remove: [key(pod)] });
  });
});
