/** Probes on real containers: what they do to readiness, restarts and endpoints. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { isReady, main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

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
    const pod = shellPod('web', HTTPD, { container: { ports: [{ name: 'http', containerPort: 8080 }], readinessProbe: { httpGet: { port: 'http', path: '/index.html' }, periodSeconds: 1, failureThreshold: 2 } } });
    await agent.assign({ upsert: [pod] });
    await agent.until('web', isReady);
    await agent.exec('web', ['/bin/rm', '/www/index.html']);
    const out = await agent.until('web', (report) => !isReady(report));
    assert.ok(main(out)?.state.running);
    assert.equal(main(out)?.restartCount, 0);
    assert.ok(agent.events.some((event) => event.reason === 'Unhealthy' && event.message === 'Readiness probe failed: HTTP probe failed with statuscode: 404'));
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
    const pod = shellPod('sick', 'touch /tmp/ok; trap "exit 9" TERM; while true; do sleep 0.1; done', { container: { livenessProbe: { exec: { command: ['/bin/cat', '/tmp/ok'] }, periodSeconds: 1, failureThreshold: 1 } } });
    await agent.assign({ upsert: [pod] });
    const before = await agent.until('sick', isReady);
    await agent.exec('sick', ['/bin/rm', '/tmp/ok']);
    const after = await agent.until('sick', (report) => main(report)?.restartCount === 1 && isReady(report));
    assert.notEqual(main(after)?.containerID, main(before)?.containerID);
    assert.equal(main(after)?.lastState.terminated?.exitCode, 9);
    assert.ok(agent.events.some((event) => event.reason === 'Killing' && event.message === 'Container main failed liveness probe, will be restarted'));
  });

  it('count a command that takes too long as failed', async () => {
    const pod = shellPod('stuck', 'exec sleep 1000', { container: { readinessProbe: { exec: { command: ['/bin/sleep', '30'] }, periodSeconds: 1, timeoutSeconds: 1 } } });
    await agent.assign({ upsert: [pod] });
    await agent.until('stuck', (report) => main(report)?.state.running !== undefined);
    for (let tries = 0; !agent.events.some((event) => event.name === 'stuck' && event.message.includes('timed out')); tries += 1) {
      assert.ok(tries < 20_000, JSON.stringify(agent.events.filter((event) => event.name === 'stuck')));
      await agent.info();
    }
    assert.equal(isReady(agent.pods.get('stuck') ?? assert.fail('no report')), false);
  });
});
