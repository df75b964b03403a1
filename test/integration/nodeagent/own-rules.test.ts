/** A node's rules follow its own pods, on a real container runtime, with nobody but the agent there. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { cluster, node, podEndpoint, service, slice } from '../../unit/network/world.ts';
import { deleted, isReady, main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { patience } from '../../support/patience.ts';

const ADDRESS = '198.18.76.1';
const WEB = '198.19.128.10';

describe('the rules of a node', { timeout: 600_000 }, () => {
  let host: TestHost;
  let agent: TestAgent;
  const web = shellPod('web', 'mkdir /www; echo web > /www/index.html; exec httpd -f -p 8080 -h /www', {
    container: { ports: [{ containerPort: 8080, hostPort: 80 }] },
  });
  const svc = service('web', WEB, [{ port: 80, targetPort: 8080 }]);

  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host, { network: true });
    await agent.assign({
      upsert: [cluster({ podCIDR: '198.18.64.0/18' }), node('test-node', ADDRESS, '198.18.77.0/24')],
    });
  });
  after(() => host.close());

  const ask = async (address: string): Promise<string> =>
    (
      await host.run([
        process.execPath,
        '-e',
        `
    require('http').get({ host: '${address}', agent: false, timeout: 2000 }, (r) => r.on('data', (d) => console.log(String(d).trim())))
      .on('timeout', function () { this.destroy(new Error('timeout')); }).on('error', (e) => console.log(e.code ?? e.message))`,
      ])
    ).trim();
  const until = async (address: string, wanted: (answer: string) => boolean): Promise<void> => {
    let answer = '';
    for (const isOver = patience(20_000); !isOver(); await delay(50)) {
      answer = await ask(address);
      if (wanted(answer)) return;
    }
    assert.fail(`${address} said ${answer}\n${agent.log().split('\n').slice(-20).join('\n')}`);
  };

  it('open the host port of the first pod that has one', async () => {
    await agent.assign({ upsert: [web] });
    const { status } = await agent.until('web', isReady);
    await until(ADDRESS, (answer) => answer === 'web');
    assert.equal(await ask('127.0.0.1'), 'web');
    await agent.assign({ upsert: [svc, slice(svc, [podEndpoint(web, 'test-node', status?.podIP ?? '')])] });
    await until(WEB, (answer) => answer === 'web');
  });

  const newSandbox = async (restarts: number): Promise<{ readonly before: string; readonly after: string }> => {
    const before = agent.pods.get('web')?.status?.podIP ?? '';
    await host.run([
      'sh',
      '-c',
      'for p in /proc/[0-9]*; do name=$(cat $p/comm 2>/dev/null) || continue; [ "$name" != pause ] || kill -9 ${p#/proc/}; done',
    ]);
    const pod = await agent.until('web', (one) => isReady(one) && main(one)?.restartCount === restarts);
    return { before, after: pod.status?.podIP ?? '' };
  };

  it('hold for a pod in a new sandbox: it has its address again', async () => {
    const { before, after: now } = await newSandbox(1);
    assert.equal(now, before);
    await until(WEB, (answer) => answer === 'web');
  });

  it('follow a pod whose address was given away, though the assignment has the old one', async () => {
    // What host-local keeps of the address names another's sandbox now: the end of the pod's own does not free it.
    await host.run([
      'sh',
      '-c',
      'printf "another\\r\\neth0" > /run/cni/test/"$1"',
      'sh',
      agent.pods.get('web')?.status?.podIP ?? '',
    ]);
    const { before, after: now } = await newSandbox(2);
    assert.ok(now !== '' && now !== before, `${before}, then ${now}`);
    await until(WEB, (answer) => answer === 'web');
    await until(ADDRESS, (answer) => answer === 'web');
  });

  it('have nothing of a pod that is gone', async () => {
    await agent.assign({ upsert: [deleted(web, 0)] });
    await agent.until('web', (pod) => pod.gone);
    await until(ADDRESS, (answer) => answer === 'ECONNREFUSED');
    await until(WEB, (answer) => answer === 'ECONNREFUSED');
  });
});
