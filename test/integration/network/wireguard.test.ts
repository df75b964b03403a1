/**
 * Pods of two nodes by WireGuard, where the kernel has it, and what is told where it has not. The test of a real machine
 * runs this file there too.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { wireGuardKey } from '../../../nodeagent/adapters/disk/wireguard-key.ts';
import { createIpRouting } from '../../../nodeagent/adapters/ip/ip-routing.ts';
import { patience } from '../../support/patience.ts';
import { cluster } from '../../unit/network/world.ts';
import { ask, askUdp, makeLab, readCni, type Lab, type TestNode, type TestPod } from './lab.ts';
import { cannotRun } from './namespace.ts';

const FAMILIES = {
  podCIDRs: ['198.19.0.0/16', 'fd00:19::/56'],
  serviceCIDRs: ['198.19.128.0/17', 'fd00:18::/112'],
};
const ENCRYPTED = cluster({ ...FAMILIES, overlay: 'wireguard' });
const PLAIN = cluster({ ...FAMILIES, overlay: 'vxlan' });
const { signal } = new AbortController();
/** What may come over the wire between the nodes: WireGuard's packets, VXLAN's, and those of pods as they are. */
const ON_WIRE = {
  wireguard: 'udp dport 51820',
  vxlan: 'udp dport 8472',
  IPv4: 'ip saddr 198.19.0.0/16',
  IPv6: 'ip6 saddr fd00:19::/56',
};

/** Undefined where there is WireGuard. */
function missing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root';
  try {
    execFileSync('ip', ['link', 'add', 'plumb-try', 'type', 'wireguard'], { stdio: 'pipe' });
    execFileSync('ip', ['link', 'delete', 'plumb-try']);
    execFileSync('wg', ['--version'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no WireGuard here: ${String(error).split('\n')[0] ?? ''}`;
  }
}

// What forgets flows is not needed here, and a machine may lack it.
const cannot = cannotRun(['nft', 'ip', 'nsenter']);
const isMissing = cannot ?? missing();

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const isOver = patience(120_000); !isOver(); await delay(50)) if (await isSo()) return;
  throw new Error(`not so: ${what}`);
}

describe('network: WireGuard', { skip: cannot ?? false, timeout: 900_000 }, () => {
  let lab: Lab;
  let near: TestPod;
  let far: TestPod;

  before(async () => {
    lab = await makeLab('wg', { cluster: PLAIN, verifyEveryMs: 500 });
    const [n1, n2] = lab.nodes;
    [near, far] = [await n1.pod(2), await n2.pod(2)];
    await Promise.all([
      lab.serve(near.ns, 8080, 'near'),
      lab.serve(far.ns, 8080, 'far'),
      lab.serve(n2.ns, 9090, 'node'),
      lab.recordUdp(near.ns, 7000),
      lab.answerUdp(far.ns, 7001, 'long'),
    ]);
  });
  after(() => lab.close());

  const reaches = async (): Promise<boolean> =>
    (await ask(near.ns, far.address, 8080)) === `far ${near.address} ${far.address}`;
  /** Which of these came to each node while something was done. */
  const onWire = async (act: () => Promise<void>): Promise<readonly (readonly string[])[]> => {
    const rules = Object.entries(ON_WIRE).map(([name, match]) => `${match} counter comment "${name}";`);
    const table = `table netdev look { chain in { type filter hook ingress device eth0 priority 0; ${rules.join(' ')} }; }`;
    await Promise.all(lab.nodes.map(({ ns }) => ns.sh('nft', table)));
    try {
      await act();
      return await Promise.all(
        lab.nodes.map(async ({ ns }) => {
          const listed = await ns.sh('nft', 'list', 'table', 'netdev', 'look');
          const counts = [...listed.matchAll(/counter packets (\d+) bytes \d+ comment "(\w+)"/g)];
          assert.equal(counts.length, rules.length, listed);
          return counts.flatMap(([, packets, name = '']) => (packets === '0' ? [] : [name]));
        }),
      );
    } finally {
      await Promise.all(lab.nodes.map(({ ns }) => ns.sh('nft', 'delete', 'table', 'netdev', 'look')));
    }
  };
  const encrypt = (): void => {
    for (const { assignment } of lab.nodes) assignment.set(ENCRYPTED);
  };
  /** As the control plane tells every node of each. */
  const tellKeys = (): void => {
    for (const { assignment } of lab.nodes)
      for (const { object, wireguardKey } of lab.nodes) {
        const publicKey = wireguardKey();
        if (publicKey !== undefined)
          assignment.set({ ...object, status: { ...object.status, wireguard: { publicKey } } });
      }
  };

  it('is preceded by VXLAN', async () => {
    const came = await onWire(async () => assert.equal(await reaches(), true));
    assert.deepEqual(came, [['vxlan'], ['vxlan']]);
  });

  describe('where the kernel has none', { skip: isMissing === undefined ? 'there is WireGuard here' : false }, () => {
    it('says what to do, and sends nothing in the clear instead', async () => {
      encrypt();
      for (const { states, wireguardKey, ns, object } of lab.nodes) {
        await until('it is told', async () => /WireGuard|`wg`/.test(states.at(-1)?.error ?? ''));
        assert.match(
          states.at(-1)?.error ?? '',
          /routes: the kernel of this node has no WireGuard .*boot one that has .*or choose another spec\.network\.overlay|run: apt-get install -y wireguard-tools/,
        );
        assert.equal(wireguardKey(), undefined);
        const other = object.metadata.name === 'n1' ? 2 : 1;
        await until('the way is shut', async () =>
          (await ns.sh('ip', 'route', 'show', 'type', 'blackhole')).includes(`198.19.${other}.0/24`),
        );
      }
      const came = await onWire(async () => assert.equal(await reaches(), false));
      assert.deepEqual(came, [[], []]);
    });

    it('is forgotten as soon as the Cluster has another overlay', async () => {
      await lab.set(PLAIN);
      assert.equal(await reaches(), true);
      assert.equal(lab.nodes[0].states.at(-1)?.error, null);
    });
  });

  describe('where the kernel has it', { skip: isMissing ?? false }, () => {
    const wg = ({ ns }: TestNode, what: string): Promise<string> => ns.sh('wg', 'show', 'plumb-wg', what);
    const sent = async (of: TestNode): Promise<number> => Number((await wg(of, 'transfer')).split(/\s/)[2] ?? '0');

    it('sends nothing to a node whose key nobody told', async () => {
      encrypt();
      await until('both have keys', async () => lab.nodes.every(({ wireguardKey }) => wireguardKey() !== undefined));
      await Promise.all(lab.nodes.map(({ sync }) => sync.synced()));
      const [n1] = lab.nodes;
      assert.match(await n1.ns.sh('ip', 'route', 'show', 'type', 'blackhole'), /198\.19\.2\.0\/24/);
      assert.equal(await wg(n1, 'peers'), '');
      const came = await onWire(async () => assert.equal(await reaches(), false));
      assert.deepEqual(came, [[], []]);
      assert.doesNotMatch(await n1.ns.sh('ip', '-o', 'link'), /plumb-vxlan/);
    });

    it('carries packets between pods of two nodes, and nothing of them in the clear', async () => {
      const [n1, n2] = lab.nodes;
      tellKeys();
      await Promise.all(lab.nodes.map(({ sync }) => sync.synced()));
      const came = await onWire(async () => {
        assert.equal(await reaches(), true);
        assert.equal(await ask(far.ns, near.address, 8080), `near ${far.address} ${near.address}`);
      });
      assert.deepEqual(came, [['wireguard'], ['wireguard']]);
      assert.match(await n1.ns.sh('ip', 'route', 'get', far.address), /dev plumb-wg /);
      for (const node of [n1, n2]) assert.ok((await sent(node)) > 0);
    });

    it('answers pods from the address of a node', async () => {
      const [, n2] = lab.nodes;
      assert.match(await ask(near.ns, n2.address, 9090), /^node /);
      assert.match(await ask(n2.ns, near.address, 8080), /^near 198\.19\.2\.0 /);
    });

    it('has room for what it adds: 60 bytes', async () => {
      const [n1] = lab.nodes;
      assert.match(await n1.ns.sh('ip', 'link', 'show', 'plumb-wg'), / mtu 1440 /);
      assert.equal((await readCni(n1.cniPath)).plugins[0]?.mtu, 1440);
      assert.equal(await askUdp(near.ns, far.address, 7001, 4400, 'x'.repeat(1440 - 28)), 'long');
    });

    it('carries IPv6', async () => {
      const [n1, n2] = lab.nodes;
      const child = lab.start(n2.ns, [
        process.execPath,
        '-e',
        `require('http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(8081, '::', () => console.log('up'))`,
      ]);
      assert.ok(child.stdout);
      await once(child.stdout, 'data');
      const came = await onWire(async () => assert.equal(await ask(n1.ns, 'fd00:19:0:2::', 8081), 'fd00:19:0:1::'));
      assert.deepEqual(came, [['wireguard'], ['wireguard']]);
    });

    it('takes from a node only what was allocated to it', async () => {
      const [n1, n2] = lab.nodes;
      const send = (text: string, from: string): Promise<string> =>
        n2.ns.sh(
          process.execPath,
          '-e',
          `const s = require('dgram').createSocket('udp4'); s.bind(0, '${from}', () => s.send('${text}', 7000, '${near.address}', () => s.close()))`,
        );
      await n2.ns.sh('ip', 'address', 'add', '198.19.77.5/32', 'dev', 'lo');
      await send('anothers', '198.19.77.5');
      await send('own', '198.19.2.0');
      await until('its own is heard', async () =>
        (await askUdp(n1.ns, near.address, 7000, 4401, 'list')).includes('own'),
      );
      assert.equal(await askUdp(n1.ns, near.address, 7000, 4402, 'list'), 'own');
      const allowed = await wg(n1, 'allowed-ips');
      assert.deepEqual(allowed.trim().split(/\s/).slice(1).sort(), [
        '198.18.0.2/32',
        '198.19.2.0/24',
        'fd00:19:0:2::/64',
      ]);
    });

    it('keeps its key, in a file that only root reads and in no process list', async () => {
      const [n1] = lab.nodes;
      const path = `${n1.keyFolder}/private-key`;
      const { mode } = await stat(path);
      assert.equal(mode & 0o777, 0o600);
      const text = await readFile(path, 'utf8');
      const { publicKey } = await createIpRouting({
        run: n1.ns.run,
        key: () => wireGuardKey(n1.keyFolder),
      }).prepareWireGuard(signal);
      assert.equal(publicKey, n1.wireguardKey());
      assert.equal((await wg(n1, 'public-key')).trim(), publicKey);
      assert.equal(await readFile(path, 'utf8'), text);
    });

    it('finds nothing to change at a second look, and mends what others took away', async () => {
      const [n1] = lab.nodes;
      const key = n1.wireguardKey();
      await n1.ns.sh('ip', 'link', 'delete', 'plumb-wg');
      await until('it is back', reaches);
      assert.equal((await wg(n1, 'public-key')).trim(), key);
    });

    it('goes with the setting', async () => {
      await lab.set(PLAIN);
      assert.equal(await reaches(), true);
      for (const { ns } of lab.nodes) assert.doesNotMatch(await ns.sh('ip', '-o', 'link'), /plumb-wg/);
    });
  });
});
