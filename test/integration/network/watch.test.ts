/** What the loop does when somebody else changes the packet filter: it hears of it, long before it would look. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { cluster, endpoint, service, slice } from '../../unit/network/world.ts';
import { ask, loadOf, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotRun, NEEDED } from './namespace.ts';
import { patience } from '../../support/patience.ts';

const WEB = '198.19.128.10';

describe('network: the packet filter is watched', { skip: cannotRun() ?? false, timeout: 600_000 }, () => {
  let lab: Lab;
  let a: TestPod;
  let c: TestPod;
  const web = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080 }]);

  before(async () => {
    lab = await makeLab('see', { cluster: cluster() });
    a = await lab.nodes[0].pod(2);
    c = await lab.nodes[1].pod(2);
    await lab.serve(a.ns, 8080, 'a');
    await lab.set(web, slice(web, [endpoint(a.address)]));
    await lab.nodes[1].watches();
  });
  after(() => lab.close());

  async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    // Half of the slow beat, which would show it as well.
    for (const isOver = patience(30_000); !isOver(); await delay(10)) if (await holds()) return;
    assert.fail(`not within 30 s: ${what}`);
  }

  for (const damage of [
    'delete table ip plumbline',
    'flush table ip plumbline',
    'flush ruleset',
    'flush chain ip plumbline services',
    'delete element ip plumbline service-ips { 198.19.128.10 . tcp . 80 }',
  ]) {
    it(`repairs the table after nft ${damage}, and tells it`, async () => {
      const [, n2] = lab.nodes;
      const before = n2.events.length;
      await n2.ns.sh('nft', damage);
      await until('the event', () => n2.events.length > before);
      assert.match(await ask(c.ns, WEB, 80), /^a /);
      assert.equal(n2.writes.at(-1)?.whole, true);
      assert.deepEqual(n2.events.slice(before), ['PacketFilterRepaired']);
    });
  }

  it("takes its own changes for nobody else's", async () => {
    const [, n2] = lab.nodes;
    const before = { events: n2.events.length, writes: n2.writes.length };
    for (let i = 0; i < 5; i += 1) await lab.set(slice(web, [endpoint(a.address), endpoint(`198.19.1.${50 + i}`)]));
    await n2.ns.sh('nft', 'add', 'table', 'inet', 'last');
    await n2.watches();
    assert.equal(n2.events.length, before.events);
    assert.ok(n2.writes.slice(before.writes).every((write) => !write.whole));
  });

  it('tells of a foreign policy that drops forwarded packets, with words that fit it, and stops when it is gone', async () => {
    const [n1] = lab.nodes;
    await n1.watches();
    await n1.ns.sh(
      'nft',
      'add table inet wall; add chain inet wall forward { type filter hook forward priority 0; policy drop; }',
    );
    await until('the drop is told', () => n1.states.at(-1)?.error !== null);
    const told = n1.states.at(-1)?.error ?? '';
    assert.match(told, /^chain inet wall forward drops forwarded packets/);
    assert.equal(n1.states.at(-1)?.version, n1.assignment.current().version);
    for (const command of /Accept them there: (.*)$/.exec(told)?.[1]?.split('; ') ?? [])
      await n1.ns.sh(...command.split(' '));
    await lab.set(web);
    assert.match(await ask(c.ns, a.address, 8080), /^a /);
    await n1.ns.sh('nft', 'delete', 'table', 'inet', 'wall');
    await until('the end is told', () => n1.states.at(-1)?.error === null);
  });
});

for (const kind of ['iptables-nft', 'iptables-legacy'] as const) {
  const missing = cannotRun([...NEEDED, `${kind}-restore`]);
  describe(`network: what is forwarded by ${kind} is watched`, { skip: missing ?? false, timeout: 120_000 }, () => {
    let lab: Lab;
    let c: TestPod;
    const web = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080 }]);

    before(async () => {
      lab = await makeLab(`see-${kind.slice(9, 12)}`, {
        cluster: cluster({ packetFilter: 'iptables' }),
        iptables: kind,
      });
      const a = await lab.nodes[0].pod(2);
      c = await lab.nodes[1].pod(2);
      await lab.serve(a.ns, 8080, 'a');
      await lab.set(web, slice(web, [endpoint(a.address)]));
      await lab.nodes[1].watches();
    });
    after(() => lab.close());

    for (const damage of [
      [kind, '-t', 'nat', '-F'],
      [kind, '-t', 'nat', '-F', 'PLUMB-SERVICES'],
      [kind, '-t', 'nat', '-D', 'PREROUTING', '1'],
      ['nft', 'flush', 'ruleset'],
    ]) {
      it(`is repaired after ${damage.join(' ')}`, async () => {
        const [, n2] = lab.nodes;
        const before = n2.events.length;
        await n2.ns.sh(...damage);
        for (const isOver = patience(30_000); !isOver() && n2.events.length === before; await delay(10));
        assert.equal(n2.events[before], 'PacketFilterRepaired');
        assert.match(await ask(c.ns, WEB, 80), /^a /);
      });
    }

    it('changes to nftables and back without a connection that fails', async () => {
      const client = lab.start(c.ns, [process.execPath, '-e', loadOf(WEB, 4)]);
      await once(client.stdout ?? client, 'data');
      for (const packetFilter of ['nftables', 'iptables', 'nftables']) {
        await lab.set(cluster({ packetFilter }));
        const rules = await lab.nodes[1].ns.sh(`${kind}-save`, '-t', 'nat');
        assert.equal(rules.includes(WEB), packetFilter === 'iptables');
      }
      const report = once(client.stdout ?? client, 'data');
      client.kill('SIGTERM');
      const { done, failed } = JSON.parse(String((await report)[0])) as { done: number; failed: string[] };
      assert.ok(done > 20, `${done} requests`);
      assert.deepEqual(failed, []);
    });
  });
}
