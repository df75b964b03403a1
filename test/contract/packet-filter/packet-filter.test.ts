/** One suite for everything that is a PacketFilter: the plan in memory and the kernel's table. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { MemoryPacketFilter } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { createIpvsForwarder } from '../../../nodeagent/adapters/ipvs/ipvs-forwarder.ts';
import { createIptablesForwarder } from '../../../nodeagent/adapters/iptables/iptables-forwarder.ts';
import { createNodePacketFilter } from '../../../nodeagent/adapters/nft/node-packet-filter.ts';
import { createNftPacketFilter } from '../../../nodeagent/adapters/nft/nft-packet-filter.ts';
import type { NodePolicy } from '../../../nodeagent/core/data-plane/plan.ts';
import type { Family } from '../../../contracts/ip.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';
import { FilterRefusedError, type PacketFilter } from '../../../nodeagent/ports/packet-filter.ts';
import {
  cannotRun,
  makeNamespace,
  NEEDED,
  removeNamespaces,
  type Namespace,
} from '../../integration/network/namespace.ts';
import { asKind } from '../../integration/network/lab.ts';
import { REMOVE_IPTABLES } from '../../../reconciler/controllers/nodes/node-scripts.ts';
import { makeFolder } from '../../support/folder.ts';
import { planBetween, planRandom } from '../../unit/network/random-cluster.ts';
import { endpoint, slice } from '../../unit/network/world.ts';
import { asking, blocksOf, BOTH, goes, packetFilterContract, plan, web } from './suite.ts';

const { signal } = new AbortController();

describe('packet filter in memory', () => {
  packetFilterContract(() => {
    const filter = new MemoryPacketFilter();
    return {
      filter,
      content: () =>
        Promise.resolve(
          filter.plan && {
            policy: filter.plan.policy,
            forwardings: new Map([...filter.plan.forwardings].sort()),
            guards: new Map([...(filter.plan.guards ?? [])].sort()),
          },
        ),
      deleteRules: () => Promise.resolve(filter.deleteRules()),
    };
  });
});

describe('packet filter of the kernel', { skip: cannotRun() ?? false }, () => {
  let namespace: Namespace;
  const enter = (): Namespace => (namespace ??= makeNamespace('filter'));
  let folder: string;
  before(() => {
    folder = makeFolder('pnet-');
  });
  after(async () => {
    removeNamespaces();
    await removeFolder(folder);
  });

  packetFilterContract(() => {
    const ns = enter();
    return {
      filter: createNftPacketFilter({ ...ns, folder }),
      content: async () => blocksOf(await ns.sh('nft', '-s', 'list', 'table', 'ip', 'plumbline')),
      deleteRules: async () => {
        await ns.sh('nft', 'delete', 'table', 'ip', 'plumbline');
      },
    };
  });

  it('leaves other tables alone and names the one that drops', async () => {
    const ns = enter();
    await ns.sh(
      'nft',
      'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add table inet other; add chain inet other c',
    );
    const foreign = async (): Promise<string[]> => [
      await ns.sh('nft', '-a', 'list', 'table', 'ip', 'filter'),
      await ns.sh('nft', '-a', 'list', 'table', 'inet', 'other'),
    ];
    const before = await foreign();
    const filter = createNftPacketFilter({ ...ns, folder });
    await filter.replace(plan, '9', signal);
    assert.deepEqual(await foreign(), before);
    assert.deepEqual(await filter.forwardDrops('198.19.0.0/17', signal), [
      {
        chain: 'ip filter FORWARD',
        remedy: 'iptables -I FORWARD -s 198.19.0.0/17 -j ACCEPT; iptables -I FORWARD -d 198.19.0.0/17 -j ACCEPT',
      },
    ]);
    await ns.sh('nft', 'add rule ip filter FORWARD ip saddr 198.19.0.0/17 accept');
    assert.deepEqual(await filter.forwardDrops('198.19.0.0/17', signal), []);
    // By its last rule, not by its policy, as firewalld has it.
    await ns.sh('nft', 'add chain inet other f { type filter hook forward priority 10; }');
    for (const [rule, drops] of [
      ['ct state established accept', false],
      ['ip saddr 192.0.2.0/24 drop', false],
      ['counter reject with icmpx type admin-prohibited', true],
    ] as const) {
      await ns.sh('nft', `add rule inet other f ${rule}`);
      const found = (await filter.forwardDrops('198.19.0.0/17', signal)).map(({ chain }) => chain);
      assert.deepEqual(found, drops ? ['inet other f'] : [], rule);
    }
  });

  for (const damage of ['delete table ip plumbline', 'flush table ip plumbline', 'flush ruleset']) {
    it(`sees that the table is not as it was after nft ${damage}`, async () => {
      const ns = enter();
      const filter = createNftPacketFilter({ ...ns, folder });
      await filter.replace(plan, '9', signal);
      assert.equal(await filter.present(signal), true);
      await ns.sh('nft', damage);
      assert.equal(await filter.present(signal), false);
    });
  }

  it('needs one command where one endpoint of a Service leaves', async () => {
    const elsewhere = [...BOTH.slice(0, 3), slice(web, [endpoint('198.19.2.5'), endpoint('198.19.2.6')])];
    const filter = createNftPacketFilter({ ...enter(), folder });
    await filter.replace(planRandom(elsewhere), '1', signal);
    const left = [...BOTH.slice(0, 3), slice(web, [endpoint('198.19.2.5')])];
    assert.deepEqual(await filter.change(planBetween(elsewhere, left), '2', signal), { commands: 1 });
  });

  it('changes nothing of a write that is refused in its midst, says in one sentence why, and writes all then', async () => {
    const ns = enter();
    const filter = createNftPacketFilter({ ...ns, folder });
    const content = async (): Promise<unknown> =>
      blocksOf(await ns.sh('nft', '-s', 'list', 'table', 'ip', 'plumbline'));
    await filter.replace(plan, '1', signal);
    await ns.sh('nft', 'delete element ip plumbline service-ips { 198.19.128.10 . tcp . 80 }');
    const before = await content();
    await assert.rejects(
      filter.change(goes, '2', signal),
      /^FilterRefusedError: nft refused: .*No such file or directory.* in "delete element ip plumbline service-ips/,
    );
    assert.deepEqual(await content(), before);
    await assert.rejects(filter.change(goes, '2', signal), /it is not known what is in the kernel/);
    await filter.replace(plan, '3', signal);
    assert.deepEqual(await filter.survey(signal), { generation: '3', damage: undefined });
  });

  it('tells which chain is not as it was written', async () => {
    const ns = enter();
    const filter = createNftPacketFilter({ ...ns, folder });
    await filter.replace(plan, '1', signal);
    await ns.sh('nft', 'flush chain ip plumbline services');
    assert.deepEqual(await filter.survey(signal), { generation: '1', damage: 'chain services has 0 rules, not 4' });
  });
});

/** Both kinds of iptables, by what Debian calls their programs. */
for (const kind of ['iptables-nft', 'iptables-legacy'] as const) {
  const missing = cannotRun([...NEEDED, `${kind}-restore`]);
  describe(`packet filter that forwards by ${kind}`, { skip: missing ?? false }, () => {
    let namespace: Namespace;
    const enter = (): Namespace => (namespace ??= makeNamespace(kind));
    let folder: string;
    before(() => {
      folder = makeFolder('pnet-');
    });
    after(async () => {
      removeNamespaces();
      await removeFolder(folder);
    });
    const run: RunCommand = (argv, options) => asKind(enter().run, kind)(argv, options);
    const filterBy = (by: RunCommand, family: Family = 'IPv4'): PacketFilter => {
      const iptables = createIptablesForwarder({ family, run: by, clock: systemClock });
      return createNodePacketFilter({
        ...enter(),
        family,
        folder,
        forwarders: { iptables, ipvs: createIpvsForwarder({ family, run: by, clock: systemClock }) },
      });
    };
    const make = (): PacketFilter => asking(filterBy(run), 'iptables');
    const nat = async (): Promise<string[]> =>
      (await enter().sh(`${kind}-save`, '-t', 'nat')).split('\n').filter((line) => /^(?:-A|:PLUMB)/.test(line));
    const content = async (): Promise<unknown> => {
      const lines = (await nat()).filter((line) => !line.startsWith('-A PLUMB-GENERATION'));
      const table = blocksOf(await enter().sh('nft', '-s', 'list', 'table', 'ip', 'plumbline'));
      table.delete('chain generation');
      // iptables lists old chains in another order than new ones; rules of one chain keep theirs.
      const chainOf = (line: string): string => line.split(' ', 2).join(' ');
      return { table, chains: lines.sort((a, b) => (chainOf(a) < chainOf(b) ? -1 : Number(chainOf(a) > chainOf(b)))) };
    };
    const flush = async (): Promise<void> => {
      await enter().sh(kind, '-t', 'nat', '-F');
    };

    packetFilterContract(() => ({ filter: make(), content, deleteRules: flush }));

    it("leaves others' rules alone, also when it takes its own away", async () => {
      await enter().sh(kind, '-t', 'nat', '-N', 'OTHER');
      await enter().sh(kind, '-t', 'nat', '-A', 'PREROUTING', '-d', '198.18.0.77', '-j', 'OTHER');
      const foreign = async (): Promise<string[]> => (await nat()).filter((line) => !line.includes('PLUMB-'));
      const before = await foreign();
      const filter = make();
      await filter.replace(plan, '1', signal);
      assert.deepEqual(await foreign(), before);
      await filter.replace(plan, '2', signal);
      assert.equal((await nat()).filter((line) => line.includes('-j PLUMB-SERVICES')).length, 2);
      await filter.remove(signal);
      assert.deepEqual(await foreign(), before);
      assert.deepEqual(await nat(), before);
    });

    it('takes the place of nftables, and gives it back', async () => {
      const filter = filterBy(run);
      const maps = async (): Promise<unknown> =>
        blocksOf(await enter().sh('nft', '-s', 'list', 'table', 'ip', 'plumbline')).get('map service-ips');
      await filter.replace(plan, '1', signal);
      const byTable = await maps();
      assert.match(String(byTable), /198\.19\.128\.10/);
      const moved: NodePolicy = { ...plan.policy, forwardBy: 'iptables' };
      await assert.rejects(filter.change({ policy: moved, forwardings: new Map() }, '2', signal), FilterRefusedError);
      await filter.replace({ ...plan, policy: moved }, '3', signal);
      assert.equal(filter.substitution(), undefined);
      assert.doesNotMatch(String(await maps()), /198\.19\.128\.10/);
      assert.ok((await nat()).some((line) => line.includes('198.19.128.10/32')));
      await filter.replace(plan, '4', signal);
      assert.deepEqual(await maps(), byTable);
      assert.ok(!(await nat()).some((line) => line.includes('PLUMB-')));
    });

    it('takes the rules of IPv6', async () => {
      const filter = asking(filterBy(run, 'IPv6'), 'iptables');
      const target = { address: 'fd00:1::5', port: 8080 };
      const forwardings = new Map(
        [...plan.forwardings].map(([owner, list]) => {
          const [one] = list;
          assert.ok(one);
          const address = { at: 'service-address', address: 'fd00:96::a', port: 80 } as const;
          const anywhere = { at: 'node-port', port: 30080 } as const;
          const insiders = { pods: 'fd00:1::/64', targets: [target] };
          return [
            owner,
            [
              {
                ...one,
                frontends: [address, anywhere],
                targets: [target],
                insiders,
                localTargets: [],
                affinity: { timeoutSeconds: 60 },
              },
            ],
          ];
        }),
      );
      const policy: NodePolicy = {
        ...plan.policy,
        podRange: 'fd00:1::/64',
        serviceRange: 'fd00:96::/112',
        localRange: 'fd00:1::/80',
        nodeAddresses: ['fd00:9::1'],
      };
      await filter.replace({ policy, forwardings }, '1', signal);
      assert.equal(filter.substitution(), undefined);
      assert.deepEqual(await filter.survey(signal), { generation: '1', damage: undefined });
      await filter.remove(signal);
      assert.equal(await filter.present(signal), false);
    });

    it('is taken away with the machine, and nothing of others', async () => {
      const foreign = async (): Promise<string[]> => (await nat()).filter((line) => !line.includes('PLUMB-'));
      const before = await foreign();
      for (let times = 0; times < 2; times += 1) {
        await make().replace(plan, '1', signal);
        assert.notDeepEqual(await nat(), before);
        await enter().sh('sh', '-c', REMOVE_IPTABLES);
        assert.deepEqual(await nat(), before);
        await enter().sh('sh', '-c', REMOVE_IPTABLES);
      }
    });

    it('goes on with nftables where iptables does not take the rules, and says why', async () => {
      const without: RunCommand = (argv, options) =>
        argv[0]?.endsWith('-restore')
          ? Promise.resolve({
              code: 2,
              stdout: '',
              stderr: "iptables-restore v1.8.9 (nf_tables): Couldn't load match `recent'",
            })
          : run(argv, options);
      const filter = asking(filterBy(without), 'iptables');
      await filter.replace(plan, '1', signal);
      assert.match(
        filter.substitution() ?? '',
        /cannot forward by iptables as the Cluster asks, and goes on with nftables: .*recent/,
      );
      assert.equal(await filter.present(signal), true);
      const { generation } = await filter.survey(signal);
      assert.equal(generation, '1');
      assert.match(await enter().sh('nft', 'list', 'map', 'ip', 'plumbline', 'service-ips'), /198\.19\.128\.10/);
    });
  });
}
