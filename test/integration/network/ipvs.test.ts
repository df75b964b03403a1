/** Real traffic to virtual servers, beside what `services.test.ts` asks of every forwarder. The test of a real machine runs this file there too. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { keyOf } from '../../../contracts/objects/index.ts';
import { place, policy, slicesOf, space } from '../../unit/network/policy-world.ts';
import { cluster, endpoint, service, slice } from '../../unit/network/world.ts';
import { patience } from '../../support/patience.ts';
import { ask, loadOf, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotForwardByIpvs } from './namespace.ts';

const WEB = '198.19.128.10';
const BALANCED = '203.0.113.7';

describe('network: IPVS', { skip: cannotForwardByIpvs() ?? false, timeout: 1_800_000 }, () => {
  let lab: Lab;
  let pods: { a: TestPod; b: TestPod; c: TestPod };
  const web = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }]);

  before(async () => {
    lab = await makeLab('vs', { cluster: cluster({ packetFilter: 'ipvs' }) });
    const [n1, n2] = lab.nodes;
    pods = { a: await n1.pod(2), b: await n2.pod(2), c: await n2.pod(3) };
    await Promise.all([lab.serve(pods.a.ns, 8080, 'a'), lab.serve(pods.b.ns, 8080, 'b')]);
    await lab.set(web, slice(web, [endpoint(pods.a.address), endpoint(pods.b.address)]));
    await n2.watches();
  });
  after(() => lab.close());

  for (const scheduler of ['lc', 'dh', 'sh', 'sed', 'nq', 'rr']) {
    it(`answers by ${scheduler}`, async () => {
      await lab.set(cluster({ packetFilter: 'ipvs', ipvs: { scheduler } }));
      const [, n2] = lab.nodes;
      assert.equal(n2.states.at(-1)?.error, null);
      assert.match(await n2.ns.sh('ipvsadm', '-L', '-n'), new RegExp(`TCP  ${WEB}:80 ${scheduler}`));
      const answers: string[] = [];
      for (let i = 0; i < 6; i += 1) answers.push((await ask(pods.c.ns, WEB, 80)).charAt(0));
      const different = new Set(answers);
      if (scheduler === 'rr') assert.deepEqual([...different].sort(), ['a', 'b'], answers.join());
      // By a hash of where the client is, or of what it asks for.
      else if (scheduler === 'sh' || scheduler === 'dh') assert.equal(different.size, 1, answers.join());
      else
        assert.ok(
          answers.every((one) => one === 'a' || one === 'b'),
          answers.join(),
        );
    });
  }

  it('gives connections in turn: as many to each', async () => {
    const counts = { a: 0, b: 0 };
    for (let i = 0; i < 8; i += 1) counts[(await ask(pods.c.ns, WEB, 80)).charAt(0) === 'a' ? 'a' : 'b'] += 1;
    assert.deepEqual(counts, { a: 4, b: 4 });
  });

  it("leads to a load balancer's address only who may come, and no other port of the machine is reached there", async () => {
    const balanced = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }], {
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['198.18.0.9/32'],
    });
    await lab.set({ ...balanced, status: { loadBalancer: { ingress: [{ ip: BALANCED }] } } });
    const [n1] = lab.nodes;
    await lab.outside.sh('ip', 'route', 'replace', BALANCED, 'via', n1.address);
    assert.match(await n1.ns.sh('ipvsadm', '-L', '-n'), new RegExp(`TCP  ${BALANCED}:80 rr`));
    assert.match(await ask(lab.outside, BALANCED, 80), /^[ab] /);
    assert.equal(await ask(lab.outside, BALANCED, 8080), 'ECONNREFUSED');
    // Nobody but the machine that it is led to knows the address.
    assert.doesNotMatch(await n1.ns.sh('ip', 'address'), new RegExp(BALANCED));
    await lab.set(web);
    assert.doesNotMatch(await n1.ns.sh('ipvsadm', '-L', '-n'), new RegExp(BALANCED));
  });

  it('holds policies against what it leads, which is never forwarded', async () => {
    const [, n2] = lab.nodes;
    const placed = [place('x', 'b', pods.b.address, 'n2'), place('x', 'c', pods.c.address, 'n2')];
    for (const { pod, address } of placed) {
      n2.assignment.set(pod);
      n2.pods.see(pod, address);
    }
    await lab.set(slice(web, [endpoint(pods.b.address)]));
    const spaces = [space('x', { ns: 'x' })];
    for (const [closed, policyTypes] of [
      ['b', ['Ingress']],
      ['c', ['Egress']],
    ] as const) {
      assert.match(await ask(pods.c.ns, WEB, 80), /^b /);
      const deny = policy('x', { podSelector: { matchLabels: { pod: closed } }, policyTypes });
      const objects = [...spaces, deny, ...slicesOf([deny], spaces, placed)];
      await lab.set(...objects);
      assert.equal(await ask(pods.c.ns, WEB, 80), 'ETIMEDOUT', `${closed} is closed`);
      await lab.remove(...objects.map(keyOf));
    }
    assert.match(await ask(pods.c.ns, WEB, 80), /^b /);
    await lab.set(slice(web, [endpoint(pods.a.address), endpoint(pods.b.address)]));
  });

  it('begins connections of the machine at its own address, not at that of the Service', async () => {
    const [n1] = lab.nodes;
    await lab.set(slice(web, [endpoint(pods.a.address)]));
    assert.doesNotMatch(await ask(n1.ns, WEB, 80), new RegExp(WEB));
    await lab.set(slice(web, [endpoint(pods.a.address), endpoint(pods.b.address)]));
  });

  for (const damage of [
    ['ipvsadm', '-C'],
    ['ipvsadm', '-d', '-t', `${WEB}:80`, '-r', '198.19.1.2:8080'],
    ['ip', 'rule', 'del', 'pref', '7846'],
    ['nft', 'flush', 'ruleset'],
  ]) {
    it(`is repaired after ${damage.join(' ')}, which leaves others' alone`, async () => {
      const [, n2] = lab.nodes;
      await n2.ns.sh('ipvsadm', '-A', '-t', '192.0.2.1:80', '-s', 'wlc');
      const before = n2.events.length;
      const began = performance.now();
      await n2.ns.sh(...damage);
      for (const isOver = patience(30_000); !isOver() && n2.events.length === before; await delay(10));
      assert.equal(n2.events[before], 'PacketFilterRepaired');
      console.log(`# ${damage.join(' ')}: repaired after ${Math.round(performance.now() - began)} ms`);
      assert.match(await ask(pods.c.ns, WEB, 80), /^[ab] /);
      if (damage[1] !== '-C') {
        assert.match(await n2.ns.sh('ipvsadm', '-L', '-n'), /TCP {2}192\.0\.2\.1:80 wlc/);
        await n2.ns.sh('ipvsadm', '-D', '-t', '192.0.2.1:80');
      }
    });
  }

  it('changes to nftables and back without a connection that fails, and leaves nothing behind', async () => {
    const client = lab.start(pods.c.ns, [process.execPath, '-e', loadOf(WEB, 4)]);
    await once(client.stdout ?? client, 'data');
    const [, n2] = lab.nodes;
    for (const packetFilter of ['nftables', 'ipvs', 'nftables']) {
      await lab.set(cluster({ packetFilter }));
      const map = await n2.ns.sh('nft', 'list', 'map', 'ip', 'plumbline', 'service-ips');
      assert.equal(/198\.19\.128\.10 \. tcp \. 80 : goto led/.test(map), packetFilter === 'ipvs', map);
    }
    const report = once(client.stdout ?? client, 'data');
    client.kill('SIGTERM');
    const { done, failed } = JSON.parse(String((await report)[0])) as { done: number; failed: string[] };
    assert.deepEqual(failed, []);
    assert.ok(done > 20, `${done} requests`);
    // The kernel remembers what is over for two minutes.
    const isGone = async (): Promise<boolean> =>
      !(await n2.ns.sh('ipvsadm', '-L', '-n')).includes(WEB) &&
      !(await n2.ns.sh('ip', 'rule', 'show')).includes('7846');
    for (const isOver = patience(300_000); !isOver() && !(await isGone()); await delay(1000));
    assert.ok(await isGone());
  });
});
