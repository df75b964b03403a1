/** The packet filter of a node that forwards by IPVS, where the kernel has it. The test of a real machine runs this file there too. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Family } from '../../../contracts/ip.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { createIptablesForwarder } from '../../../nodeagent/adapters/iptables/iptables-forwarder.ts';
import { createIpvsForwarder } from '../../../nodeagent/adapters/ipvs/ipvs-forwarder.ts';
import { createNodePacketFilter } from '../../../nodeagent/adapters/nft/node-packet-filter.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import type { IpvsScheduler, NodePolicy } from '../../../nodeagent/core/data-plane/plan.ts';
import { FilterRefusedError, type PacketFilter } from '../../../nodeagent/ports/packet-filter.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';
import { REMOVE_IPVS } from '../../../reconciler/controllers/nodes/node-scripts.ts';
import {
  cannotForwardByIpvs,
  cannotRun,
  makeNamespace,
  removeNamespaces,
  type Namespace,
} from '../../integration/network/namespace.ts';
import { makeFolder } from '../../support/folder.ts';
import { asking, blocksOf, packetFilterContract, plan } from './suite.ts';

const { signal } = new AbortController();
const SCHEDULERS: readonly IpvsScheduler[] = ['rr', 'lc', 'dh', 'sh', 'sed', 'nq'];

let folder: string;
before(() => {
  folder = makeFolder('pnet-');
});
after(async () => {
  removeNamespaces();
  await removeFolder(folder);
});

function filterIn(ns: Namespace, run: RunCommand = ns.run, family: Family = 'IPv4'): PacketFilter {
  const forwarders = {
    iptables: createIptablesForwarder({ family, run, clock: systemClock }),
    ipvs: createIpvsForwarder({ family, run, clock: systemClock }),
  };
  return createNodePacketFilter({ ...ns, family, folder, forwarders });
}

describe('packet filter that forwards by IPVS', { skip: cannotForwardByIpvs() ?? false, timeout: 1_800_000 }, () => {
  let namespace: Namespace;
  const enter = (): Namespace => (namespace ??= makeNamespace('ipvs'));
  const servers = async (): Promise<string[]> =>
    (await enter().sh('ipvsadm', '--save', '-n')).split('\n').filter((line) => line !== '');
  const make = (): PacketFilter => asking(filterIn(enter()), 'ipvs');

  packetFilterContract(() => ({
    filter: make(),
    content: async () => {
      const table = blocksOf(await enter().sh('nft', '-s', 'list', 'table', 'ip', 'plumbline'));
      table.delete('chain generation');
      // One without new connections may be there for those that it had.
      const lines = await servers();
      const targets = lines.filter((line) => / -w 1$/.test(line));
      const at = (line: string): string => line.split(' ').slice(1, 3).join(' ');
      return {
        table,
        targets,
        servers: lines.filter((line) => line.startsWith('-A') && targets.some((one) => at(one) === at(line))),
      };
    },
    deleteRules: async () => {
      await enter().sh('ipvsadm', '-C');
    },
  }));

  it("leaves others' virtual servers, rules and routes alone, also when it takes its own away", async () => {
    const ns = enter();
    await make().remove(signal);
    await ns.sh('ipvsadm', '-A', '-t', '192.0.2.1:80', '-s', 'wlc');
    await ns.sh('ipvsadm', '-a', '-t', '192.0.2.1:80', '-r', '192.0.2.5:80', '-m', '-w', '3');
    await ns.sh('ipvsadm', '-A', '-f', '7', '-s', 'rr');
    await ns.sh('ip', 'rule', 'add', 'pref', '77', 'fwmark', '0x7', 'lookup', '77');
    await ns.sh('ip', 'route', 'add', 'local', '192.0.2.0/24', 'dev', 'lo', 'table', '77');
    const all = async (): Promise<string[]> => [
      ...(await servers()),
      await ns.sh('ip', 'rule', 'show'),
      await ns.sh('ip', 'route', 'show', 'table', 'all'),
    ];
    const before = await all();
    const filter = make();
    for (const remove of [() => filter.remove(signal), () => ns.sh('sh', '-c', REMOVE_IPVS)]) {
      await filter.replace(plan, '1', signal);
      const ours = (await servers()).filter((line) => !line.includes('192.0.2.') && !line.includes('-f 7'));
      assert.deepEqual(ours, [
        '-A -t 198.19.128.10:80 -s rr',
        '-a -t 198.19.128.10:80 -r 198.19.1.5:8080 -m -w 1',
        '-a -t 198.19.128.10:80 -r 198.19.2.5:8080 -m -w 1',
      ]);
      assert.match(await ns.sh('ip', 'route', 'show', 'table', '7846'), /^local 198\.19\.128\.10 dev lo/);
      await remove();
      assert.deepEqual(await all(), before);
    }
  });

  it('chooses by each scheduler that a Cluster may ask for', async () => {
    const filter = filterIn(enter());
    for (const scheduler of SCHEDULERS) {
      const policy: NodePolicy = { ...plan.policy, forwardBy: 'ipvs', scheduler };
      await assert.rejects(filter.change({ policy, forwardings: new Map() }, 'c', signal), FilterRefusedError);
      await filter.replace({ ...plan, policy }, scheduler, signal);
      assert.equal(filter.substitution(), undefined);
      assert.ok((await servers()).includes(`-A -t 198.19.128.10:80 -s ${scheduler}`));
      assert.deepEqual(await filter.survey(signal), { generation: scheduler, damage: undefined });
    }
    await filter.remove(signal);
  });

  for (const damage of [
    ['ipvsadm', '-C'],
    ['ipvsadm', '-D', '-t', '198.19.128.10:80'],
    ['ipvsadm', '-E', '-t', '198.19.128.10:80', '-s', 'wlc'],
    ['ip', 'rule', 'del', 'pref', '7846'],
    ['ip', 'route', 'flush', 'table', '7846'],
  ])
    it(`sees that it is not as it was after ${damage.join(' ')}, and writes it again`, async () => {
      const filter = make();
      await filter.replace(plan, '1', signal);
      await enter().sh(...damage);
      assert.equal(await filter.present(signal), false);
      assert.notEqual((await filter.survey(signal)).damage, undefined);
      await filter.replace(plan, '2', signal);
      assert.deepEqual(await filter.survey(signal), { generation: '2', damage: undefined });
    });

  it('takes the place of nftables, and gives it back', async () => {
    const filter = filterIn(enter());
    const map = async (): Promise<string> =>
      String(blocksOf(await enter().sh('nft', '-s', 'list', 'table', 'ip', 'plumbline')).get('map service-ips'));
    await filter.replace(plan, '1', signal);
    const byTable = await map();
    assert.match(byTable, /198\.19\.128\.10 \. tcp \. 80 : goto svc-web/);
    await filter.replace({ ...plan, policy: { ...plan.policy, forwardBy: 'ipvs' } }, '2', signal);
    assert.match(await map(), /198\.19\.128\.10 \. tcp \. 80 : goto led/);
    await filter.replace(plan, '3', signal);
    assert.equal(await map(), byTable);
    assert.deepEqual(
      await servers(),
      (await servers()).filter((line) => !line.includes('198.19.128.10')),
    );
  });

  it('takes the virtual servers of IPv6', async () => {
    const filter = asking(filterIn(enter(), enter().run, 'IPv6'), 'ipvs');
    const target = { address: 'fd00:1::5', port: 8080 };
    const forwardings = new Map(
      [...plan.forwardings].map(([owner, [one = assert.fail()]]) => [
        owner,
        [
          {
            ...one,
            frontends: [{ at: 'service-address', address: 'fd00:96::a', port: 80 } as const],
            targets: [target],
            localTargets: [],
            affinity: { timeoutSeconds: 60 },
          },
        ],
      ]),
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
    assert.ok((await servers()).includes('-A -t [fd00:96::a]:80 -s rr -p 60'));
    assert.deepEqual(await filter.survey(signal), { generation: '1', damage: undefined });
    await filter.remove(signal);
    assert.ok(!(await servers()).some((line) => line.includes('fd00:')));
  });
});

describe('packet filter that cannot forward by IPVS', { skip: cannotRun() ?? false }, () => {
  for (const [name, answer, reason] of [
    [
      'without ipvsadm',
      Object.assign(new Error('spawn ipvsadm ENOENT'), { code: 'ENOENT' }),
      /there is no ipvsadm on this machine: apt-get install ipvsadm/,
    ],
    [
      'without IPVS in the kernel',
      { code: 2, stdout: '', stderr: "Can't initialize ipvs: Protocol not available\nAre you sure that ...?\n" },
      /the kernel of this machine has no IPVS, or has not loaded it: modprobe ip_vs/,
    ],
  ] as const)
    it(`goes on with nftables ${name}, and says why`, async () => {
      const ns = makeNamespace(`ipvs-${name.length}`);
      const run: RunCommand = async (argv, options) => {
        if (argv[0] !== 'ipvsadm') return ns.run(argv, options);
        if (answer instanceof Error) throw answer;
        return answer;
      };
      const filter = asking(filterIn(ns, run), 'ipvs');
      await filter.replace(plan, '1', signal);
      assert.match(
        filter.substitution() ?? '',
        /cannot forward by ipvs as the Cluster asks, and goes on with nftables: /,
      );
      assert.match(filter.substitution() ?? '', reason);
      assert.equal(await filter.present(signal), true);
      assert.equal((await filter.survey(signal)).generation, '1');
      assert.match(await ns.sh('nft', 'list', 'map', 'ip', 'plumbline', 'service-ips'), /goto svc-web/);
      assert.doesNotMatch(await ns.sh('ip', 'rule', 'show'), /7846/);
    });
});
