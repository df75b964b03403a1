/** Host ports of pods on real rules: who reaches them by which address, and that nothing of them is left. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { cluster, pod } from '../../unit/network/world.ts';
import { ask, askUdp, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotRun, NEEDED } from './namespace.ts';
import { patience } from '../../support/patience.ts';

const ports = (hostIP?: string): Record<string, unknown>[] => [
  { containerPort: 80, hostPort: 8080, ...(hostIP && { hostIP }) },
  { containerPort: 53, hostPort: 5353, protocol: 'UDP', ...(hostIP && { hostIP }) },
];

for (const packetFilter of ['nftables', 'iptables'] as const) {
  describe(
    `network: host ports by ${packetFilter}`,
    {
      skip: cannotRun(packetFilter === 'iptables' ? [...NEEDED, 'iptables-nft-restore'] : NEEDED) ?? false,
      timeout: 600_000,
    },
    () => {
      let lab: Lab;
      let target: TestPod;
      let other: TestPod;
      let far: TestPod;

      before(async () => {
        lab = await makeLab(`hp-${packetFilter.slice(0, 1)}`, {
          cluster: cluster({ packetFilter }),
          verifyEveryMs: 100,
        });
        const [n1, n2] = lab.nodes;
        [target, other, far] = [await n1.pod(2), await n1.pod(3), await n2.pod(2)];
        await Promise.all([
          lab.serve(target.ns, 80, 'web'),
          lab.answerUdp(target.ns, 53, 'dns'),
          lab.serve(n1.ns, 9090, 'node'),
        ]);
      });
      after(() => lab.close());

      const open = async (hostIP?: string): Promise<void> => {
        const web = pod('web', ports(hostIP));
        await lab.set(web);
        lab.nodes[0].pods.see(web, target.address);
        await lab.nodes[0].sync.synced();
      };

      it('is refused while there is no pod', async () => {
        assert.equal(await ask(lab.outside, lab.nodes[0].address, 8080), 'ECONNREFUSED');
        assert.equal(await askUdp(lab.outside, lab.nodes[0].address, 5353, 4100), 'ECONNREFUSED');
      });

      it('answers another host, which it sees', async () => {
        await open();
        assert.equal(await ask(lab.outside, lab.nodes[0].address, 8080), `web 198.18.0.9 ${target.address}`);
      });

      it('answers the node, by its own address and by 127.0.0.1', async () => {
        const { ns, address } = lab.nodes[0];
        assert.match(await ask(ns, address, 8080), /^web /);
        assert.equal(await ask(ns, '127.0.0.1', 8080), `web 198.19.1.1 ${target.address}`);
        assert.equal(await askUdp(ns, '127.0.0.1', 5353, 4101), 'dns');
      });

      it('answers pods of this node, of another one, and the pod itself', async () => {
        const { address } = lab.nodes[0];
        assert.equal(await ask(other.ns, address, 8080), `web ${other.address} ${target.address}`);
        assert.equal(await ask(far.ns, address, 8080), `web ${far.address} ${target.address}`);
        assert.match(await ask(target.ns, address, 8080), /^web /);
      });

      it('answers a UDP client that asked from the same port before there was a pod', async () => {
        assert.equal(await askUdp(lab.outside, lab.nodes[0].address, 5353, 4100), 'dns');
      });

      it('leaves other ports of the node alone, on loopback too', async () => {
        const { ns, address } = lab.nodes[0];
        assert.equal(await ask(ns, '127.0.0.1', 9090), 'node 127.0.0.1 127.0.0.1');
        assert.equal(await ask(lab.outside, address, 9090), `node 198.18.0.9 ${address}`);
        assert.equal(await ask(lab.outside, lab.nodes[1].address, 8080), 'ECONNREFUSED');
      });

      it("opens no way to the node's loopback", async () => {
        const { ns } = lab.nodes[0];
        assert.doesNotMatch(await ns.sh('sysctl', '-a', '--pattern', 'route_localnet'), /= 1/);
      });

      it('is open at hostIP alone', async () => {
        const { ns, address } = lab.nodes[0];
        await open('127.0.0.1');
        assert.match(await ask(ns, '127.0.0.1', 8080), /^web /);
        assert.equal(await askUdp(ns, '127.0.0.1', 5353, 4102), 'dns');
        assert.equal(await ask(lab.outside, address, 8080), 'ECONNREFUSED');
        await open(address);
        assert.match(await ask(lab.outside, address, 8080), /^web /);
        assert.equal(await ask(ns, '127.0.0.1', 8080), 'ECONNREFUSED');
      });

      it('leads one port at two addresses of the node to two pods, and takes it at no other address', async () => {
        const [n1] = lab.nodes;
        const [SECOND, THIRD] = ['198.18.0.101', '198.18.0.102'];
        for (const address of [SECOND, THIRD]) await n1.ns.sh('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
        await Promise.all([lab.serve(other.ns, 80, 'second'), lab.answerUdp(other.ns, 53, 'second')]);
        await open(n1.address);
        const second = pod('second', ports(SECOND));
        await lab.set(second);
        n1.pods.see(second, other.address);
        await n1.sync.synced();
        for (const from of [lab.outside, far.ns, n1.ns]) {
          assert.match(await ask(from, n1.address, 8080), /^web /);
          assert.match(await ask(from, SECOND, 8080), /^second /);
          assert.equal(await ask(from, THIRD, 8080), 'ECONNREFUSED');
        }
        assert.equal(await askUdp(lab.outside, n1.address, 5353, 4103), 'dns');
        assert.equal(await askUdp(lab.outside, SECOND, 5353, 4103), 'second');
        assert.equal(await ask(n1.ns, '127.0.0.1', 8080), 'ECONNREFUSED');
        n1.pods.see(second, undefined);
        await n1.sync.synced();
        assert.equal(await ask(lab.outside, SECOND, 8080), 'ECONNREFUSED');
        assert.match(await ask(lab.outside, n1.address, 8080), /^web /);
      });

      it('comes back after a flush of the firewall', async () => {
        await open();
        const [n1] = lab.nodes;
        await n1.ns.sh('nft', 'flush', 'ruleset');
        const answers = async (): Promise<boolean> => (await ask(lab.outside, n1.address, 8080)).startsWith('web ');
        for (const isOver = patience(10_000); !isOver() && !(await answers()); await delay(20));
        assert.equal(await answers(), true);
      });

      it('leaves nothing of a pod that is gone', async () => {
        const [n1] = lab.nodes;
        const rules = (): Promise<string> =>
          packetFilter === 'nftables'
            ? n1.ns.sh('nft', 'list', 'table', 'ip', 'plumbline')
            : n1.ns.sh('iptables-nft-save', '-t', 'nat');
        assert.match(await rules(), /8080/);
        n1.pods.see(pod('web', ports()), undefined);
        await n1.sync.synced();
        assert.equal(await ask(lab.outside, n1.address, 8080), 'ECONNREFUSED');
        assert.doesNotMatch(await rules(), /8080|5353|web/);
        assert.doesNotMatch(await n1.ns.sh('nft', 'list', 'table', 'ip', 'plumbline'), /8080|5353|web/);
      });
    },
  );
}
