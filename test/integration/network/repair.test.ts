/** What the loop does when somebody else changes the machine's routes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { cluster, endpoint, node, service, slice } from '../../unit/network/world.ts';
import { ask, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotRun } from './namespace.ts';
import { patience } from '../../support/patience.ts';

const WEB = '198.19.128.10';

describe('network: what others change', { skip: cannotRun() ?? false, timeout: 600_000 }, () => {
  let lab: Lab;
  let a: TestPod;
  let c: TestPod;
  const web = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080 }]);

  before(async () => {
    lab = await makeLab('fix', { cluster: cluster({ overlay: 'vxlan' }), verifyEveryMs: 100 });
    a = await lab.nodes[0].pod(2);
    c = await lab.nodes[1].pod(2);
    await lab.serve(a.ns, 8080, 'a');
    await lab.set(web, slice(web, [endpoint(a.address)]));
  });
  after(() => lab.close());

  /** Asks until the answer is right: the loop looks at the machine every 100 ms. */
  const answers = async (): Promise<void> => {
    for (const isOver = patience(10_000); !isOver(); await delay(20)) {
      if ((await ask(c.ns, WEB, 80)).startsWith('a ')) return;
    }
    assert.fail('the Service did not come back');
  };

  /** Everything of ours that `ip` and `bridge` show, without what changes by itself. */
  const routing = async (): Promise<string> => {
    const { ns } = lab.nodes[1];
    const shown = await Promise.all([
      ns.sh('ip', 'route', 'show', 'proto', '78'),
      ns.sh('ip', 'neighbour', 'show', 'dev', 'plumb-vxlan', 'nud', 'permanent'),
      ns.sh('bridge', 'fdb', 'show', 'dev', 'plumb-vxlan'),
      ns.sh('ip', '-brief', 'address', 'show', 'dev', 'plumb-vxlan'),
    ]).catch((error: unknown) => [String(error)]);
    // IPv6 gives every link an address in its own time; the device's number rises when it is made again.
    return shown
      .join('')
      .split('\n')
      .filter((line) => !line.includes('33:33:'))
      .map((line) => line.replaceAll(/ fe80\S+/g, '').trim())
      .sort()
      .join('\n');
  };

  for (const damage of [
    'ip link delete plumb-vxlan',
    'ip route flush proto 78',
    'ip neigh flush dev plumb-vxlan nud permanent',
    'ip address flush dev plumb-vxlan',
    'ip link set plumb-vxlan down',
  ]) {
    it(`is repaired after ${damage}`, async () => {
      const whole = await routing();
      assert.match(whole, /198\.19\.1\.0\/24 via 198\.19\.1\.0 dev plumb-vxlan/);
      await lab.nodes[1].ns.sh(...damage.split(' '));
      for (const isOver = patience(10_000); !isOver() && (await routing()) !== whole; await delay(20));
      assert.equal(await routing(), whole);
      await answers();
    });
  }

  it('touches neither tables nor routes of others', async () => {
    const { ns } = lab.nodes[0];
    await ns.sh(
      'nft',
      'add table inet other; add chain inet other c { type filter hook forward priority 5; }; add rule inet other c counter',
    );
    await ns.sh('ip', 'route', 'add', '198.19.77.0/24', 'via', '198.18.0.9');
    const others = async (): Promise<string[]> => [
      await ns.sh('nft', '-s', '-a', 'list', 'table', 'inet', 'other'),
      await ns.sh('ip', 'route', 'show', '198.19.77.0/24'),
    ];
    const before = await others();
    await lab.set(node('n3', '198.18.0.3', '198.19.77.0/24'));
    await lab.remove('nodes//n3');
    await ns.sh('nft', 'delete', 'table', 'ip', 'plumbline');
    lab.nodes[0].assignment.set(web);
    await lab.nodes[0].sync.synced();
    assert.deepEqual(await others(), before);
  });
});
