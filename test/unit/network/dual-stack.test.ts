/** A node of a cluster that has IPv6 beside IPv4. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndpointSlice } from '../../../contracts/objects/index.ts';
import { renderConflist } from '../../../nodeagent/core/cni/conflist.ts';
import { MemoryPacketFilter } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { planHostPorts } from '../../../nodeagent/core/data-plane/host-port.ts';
import type { ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { guardOf } from '../../../nodeagent/core/data-plane/policy/guard.ts';
import { ServiceIndex } from '../../../nodeagent/core/data-plane/service-index.ts';
import { AssignedNames } from '../../../nodeagent/core/dns/cluster-names.ts';
import { answerCluster } from '../../../nodeagent/core/dns/zone.ts';
import { NO_LOCAL_PODS } from '../../../nodeagent/core/local-pods.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { renderTransaction } from '../../../nodeagent/core/nftables/render.ts';
import { diffRouting } from '../../../nodeagent/core/routes/diff.ts';
import { wantRouting } from '../../../nodeagent/core/routes/want.ts';
import { DNS_TYPE } from '../../../nodeagent/core/wire/dns-message.ts';
import { createFilterSyncs } from '../../../nodeagent/loops/filter-syncs.ts';
import type { PacketFilter } from '../../../nodeagent/ports/packet-filter.ts';
import { policy } from './policy-world.ts';
import { cluster, endpoint, node, pod, service, slice, TestAssignment, wholePlan } from './world.ts';

const CLUSTER = cluster({
  podCIDRs: ['198.19.0.0/16', 'fd00:19::/56'],
  serviceCIDRs: ['198.18.128.0/17', 'fd00:18::/112'],
  overlay: 'auto',
});
const { network } = CLUSTER.spec;
const NODES = [node('n1', '198.18.0.1', '198.19.1.0/24'), node('n2', '198.18.0.2', '198.19.2.0/24')];
const WEB = service('web', '198.18.128.10', [{ port: 80 }], { clusterIPs: ['198.18.128.10', 'fd00:18::10'] });
const PODS: readonly EndpointSlice[] = [
  slice(WEB, [endpoint('198.19.2.5')]),
  { ...slice(WEB, [endpoint('fd00:19:0:2::5'), endpoint('fd00:19:0:1::6')], 'b'), addressType: 'IPv6' },
];
const view = new TestAssignment('n1', [CLUSTER, ...NODES, WEB, ...PODS]).current();

const plan = (family: 'IPv4' | 'IPv6'): ServicePlan =>
  wholePlan({ family, view, pods: NO_LOCAL_PODS, index: new ServiceIndex() });

describe('a node with both address families', () => {
  it('leads each family to its own endpoints', () => {
    const of = (family: 'IPv4' | 'IPv6'): unknown =>
      [...plan(family).forwardings.values()].flat().map(({ frontends, targets }) => [frontends, targets]);
    assert.deepEqual(of('IPv4'), [
      [[{ at: 'service-address', address: '198.18.128.10', port: 80 }], [{ address: '198.19.2.5', port: 8080 }]],
    ]);
    assert.deepEqual(of('IPv6'), [
      [
        [{ at: 'service-address', address: 'fd00:18::10', port: 80 }],
        [
          { address: 'fd00:19:0:1::6', port: 8080 },
          { address: 'fd00:19:0:2::5', port: 8080 },
        ],
      ],
    ]);
  });

  const hostPorts: readonly (readonly [
    hostIP: string | undefined,
    ipv4: readonly string[],
    ipv6: readonly string[],
  ])[] = [
    [undefined, ['*', '127.0.0.1', '198.18.0.1'], ['*']],
    ['0.0.0.0', ['*', '127.0.0.1', '198.18.0.1'], []],
    ['::', [], ['*']],
    ['198.18.0.1', ['198.18.0.1'], []],
    ['2001:DB8:0::1', [], ['2001:db8::1']],
  ];
  for (const [hostIP, ...expected] of hostPorts)
    it(`opens a host port at ${hostIP ?? 'every address'} in its family alone`, () => {
      const web = pod('web', [{ containerPort: 80, hostPort: 8080, ...(hostIP !== undefined && { hostIP }) }]);
      const local = { address: '198.19.1.5', addressIPv6: 'fd00:19:0:1::6', ready: true, over: false };
      const of = (family: 'IPv4' | 'IPv6'): readonly string[] =>
        planHostPorts(web, local, {
          family,
          address: family === 'IPv4' ? '198.18.0.1' : undefined,
          localRange: undefined,
        }).flatMap(({ frontends }) => frontends.map((one) => ('address' in one && one.address) || '*'));
      assert.deepEqual([of('IPv4'), of('IPv6')], expected);
    });

  it('writes a table ip6 in words of IPv6 alone', () => {
    const { commands } = wholeRuleset(compilePlan(plan('IPv6')));
    const text = renderTransaction('t', commands, '1', 'IPv6');
    assert.match(text, /^add table ip6 t$/m);
    assert.match(text, /add map ip6 t service-ips \{ .* elements = \{ fd00:18::10 \. tcp \. 80 : goto svc-web-80-/);
    for (const target of ['fd00:19:0:1::6', 'fd00:19:0:2::5'])
      assert.ok(text.includes(`dnat to [${target}]:8080`), text);
    assert.match(text, /ip6 daddr fd00:18::\/112 reject with icmpv6 port-unreachable/);
    assert.doesNotMatch(text, /\bip (s|d)addr|ipv4_addr|127\.0\.0|icmp port|loopback-out/);
  });

  it('takes of a policy the blocks of its family', () => {
    const open = policy('p', {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ ipBlock: { cidr: 'fd00:a::/64', except: ['fd00:a::/127'] } }, { ipBlock: { cidr: '10.0.0.0/8' } }] },
        { from: [{ namespaceSelector: {} }] },
      ],
    });
    const guarded = guardOf(pod('web'), 'fd00:19:0:1::6', [open], { podRange: 'fd00:19::/56' });
    const first = 0xfd00_000a_0000_0000_0000_0000_0000_0000n;
    const pods = 0xfd00_0019_0000_0000_0000_0000_0000_0000n;
    assert.deepEqual(guarded?.guard.ingress, [
      {
        ends: {
          are: 'spans',
          spans: [
            [first + 2n, first + 2n ** 64n - 1n],
            [pods, pods + 2n ** 72n - 1n],
          ],
        },
        ports: { are: 'all' },
      },
    ]);
  });

  const links = [{ name: 'eth0', up: true, mtu: 1500, addresses: [{ address: '198.18.0.1', prefixLength: 24 }] }];
  it('sends IPv6 through the overlay where nodes have none themselves, and nothing else', () => {
    const wanted = wantRouting({ node: 'n1', nodes: NODES, network, links });
    const to = (destination: string): unknown => wanted.routes.find((route) => route.destination === destination);
    assert.deepEqual(to('198.19.2.0/24'), {
      destination: '198.19.2.0/24',
      type: 'unicast',
      via: '198.18.0.2',
      device: 'eth0',
    });
    assert.deepEqual(to('fd00:19:0:2::/64'), {
      destination: 'fd00:19:0:2::/64',
      type: 'unicast',
      via: 'fd00:19:0:2::',
      device: 'plumb-vxlan',
      onlink: true,
      source: 'fd00:19:0:1::',
    });
    assert.deepEqual(to('fd00:19:0:1::/64'), { destination: 'fd00:19:0:1::/64', type: 'blackhole' });
    assert.equal(wanted.vxlan?.peers[0]?.innerIPv6, 'fd00:19:0:2::');
    assert.equal(wanted.podMtu, 1450);
  });

  it('sends it over a link that both nodes have addresses of', () => {
    const nodes = NODES.map((one, i) => ({
      ...one,
      status: {
        addresses: [...(one.status?.addresses ?? []), { type: 'InternalIP' as const, address: `2001:db8::${i + 1}` }],
      },
    }));
    const both = links.map((link) => ({ ...link, addressesIPv6: [{ address: '2001:db8::1', prefixLength: 64 }] }));
    const wanted = wantRouting({ node: 'n1', nodes, network, links: both });
    assert.deepEqual(
      wanted.routes.find((route) => route.destination === 'fd00:19:0:2::/64'),
      { destination: 'fd00:19:0:2::/64', type: 'unicast', via: '2001:db8::2', device: 'eth0' },
    );
    assert.equal(wanted.vxlan, undefined);
  });

  it('goes on believing routers where it did, and nowhere else', () => {
    const wanted = wantRouting({ node: 'n1', nodes: [NODES[0] ?? node('n1', undefined, undefined)], network, links });
    const steps = (acceptRa: string): readonly unknown[] =>
      diffRouting(wanted, {
        links,
        routes: wanted.routes,
        vxlan: undefined,
        sysctls: { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/eth0/accept_ra': acceptRa },
      });
    const forward = { tool: 'sysctl', path: 'net/ipv6/conf/all/forwarding', value: '1' };
    assert.deepEqual(steps('1'), [{ tool: 'sysctl', path: 'net/ipv6/conf/eth0/accept_ra', value: '2' }, forward]);
    assert.deepEqual(steps('0'), [forward]);
  });

  it('has no route, device or setting more where the cluster has IPv4 alone', () => {
    const wanted = wantRouting({ node: 'n1', nodes: NODES, network: cluster({ overlay: 'auto' }).spec.network, links });
    assert.ok(!JSON.stringify(wanted).includes('ipv6') && wanted.routes.every((r) => !r.destination.includes(':')));
  });

  it('gives pods an address of each range', () => {
    const text = renderConflist({
      podRange: '198.19.1.0/24',
      podRangeIPv6: 'fd00:19:0:1::/64',
      mtu: 1450,
      dataDir: '/d',
    });
    const { ipam } = (JSON.parse(text) as { plugins: readonly { ipam: object }[] }).plugins[0] ?? { ipam: {} };
    assert.deepEqual(ipam, {
      type: 'host-local',
      dataDir: '/d',
      ranges: [
        [{ subnet: '198.19.1.0/24', rangeStart: '198.19.1.2', gateway: '198.19.1.1' }],
        [{ subnet: 'fd00:19:0:1::/64', rangeStart: 'fd00:19:0:1::2', gateway: 'fd00:19:0:1::1' }],
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
  });

  it('answers names with addresses of the family that is asked for, and addresses with names', () => {
    const names = new AssignedNames(view, NO_LOCAL_PODS);
    const ranges = {
      ...network,
      domain: 'cluster.local',
      ipv6: { podCIDR: 'fd00:19::/56', serviceCIDR: 'fd00:18::/112' },
    };
    const ask = (name: string, type: number): unknown =>
      answerCluster({ name, type }, names, ranges)?.answers.map(({ data }) => data);
    const name = 'web.default.svc.cluster.local';
    assert.deepEqual(ask(name, DNS_TYPE.A), [{ type: 'A', address: '198.18.128.10' }]);
    const bytes = Uint8Array.from([0xfd, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    assert.deepEqual(ask(name, DNS_TYPE.AAAA), [{ type: 'AAAA', bytes }]);
    const reverse = '0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.0.0.0.0.d.f.ip6.arpa';
    assert.deepEqual(ask(reverse, DNS_TYPE.PTR), [{ type: 'PTR', target: name }]);
    assert.equal(ask(reverse.slice(2), DNS_TYPE.PTR), undefined);
    assert.deepEqual(ask('fd00-19-0-2--5.default.pod.cluster.local', DNS_TYPE.AAAA), [
      { type: 'AAAA', bytes: Uint8Array.from([0xfd, 0, 0, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5]) },
    ]);
  });
});

describe('a node of a cluster that has IPv4 alone', () => {
  const alone = new TestAssignment('n1', [cluster({}), ...NODES, WEB]).current();
  const signal = new AbortController().signal;
  const synced = async (filter: PacketFilter, times = 1): Promise<void> => {
    const sync = createFilterSyncs({
      filters: { IPv4: new MemoryPacketFilter(), IPv6: filter },
      pods: NO_LOCAL_PODS,
      log: () => undefined,
      onRepair: () => undefined,
    });
    for (let pass = 0; pass < times; pass += 1) await sync.sync(alone, 'all', signal);
  };

  it('loses the rules of IPv6 that an agent before has left, and looks for them once', async () => {
    const filter = new MemoryPacketFilter();
    await filter.replace(plan('IPv6'), '1', signal);
    let looks = 0;
    const present = filter.present.bind(filter);
    filter.present = (during) => {
      looks += 1;
      return present(during);
    };
    await synced(filter, 2);
    assert.equal(await present(signal), false);
    assert.equal(looks, 1);
  });

  it('goes on where the kernel knows no IPv6', async () => {
    const filter = new MemoryPacketFilter();
    filter.present = () => Promise.reject(new Error('Address family not supported by protocol'));
    await synced(filter);
  });
});
