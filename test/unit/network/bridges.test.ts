/** Bridges of a CNI plugin that is not ours: whether packets between pods of one meet the machine's rules. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBridges } from '../../../nodeagent/adapters/ip/json.ts';
import { bridgeWarnings, type Bridge } from '../../../nodeagent/core/cni/bridges.ts';

describe('bridges of pods', () => {
  const ranges = { IPv4: '198.19.1.0/24', IPv6: 'fd00:1:1::/64' };
  const own: Bridge = { name: 'mine0', addresses: ['198.19.1.1', 'fd00:1:1::1'], ruled: [] };
  const settings = (bridges: readonly Bridge[], of: Partial<typeof ranges> = ranges): readonly string[] =>
    bridgeWarnings(bridges, (family) => of[family]).map((text) => /Set (\S+) to 1/.exec(text)?.[1] ?? text);
  const [four, six] = ['net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables'];
  for (const [what, found, expected] of [
    ['without either', settings([own]), [four, six]],
    ['in a cluster of one family', settings([own], { IPv4: ranges.IPv4 }), [four]],
    ['with one of the two', settings([{ ...own, ruled: ['IPv4'] }]), [six]],
    ['with both', settings([{ ...own, ruled: ['IPv4', 'IPv6'] }]), []],
    ['of others, without pods', settings([{ name: 'virbr0', addresses: ['192.0.2.1'], ruled: [] }]), []],
    ['before the node has a range', settings([own], {}), []],
  ] as const)
    it(what, () => assert.deepEqual(found, expected));
});

describe('what iproute2 tells of bridges', () => {
  const link = (data: object, addresses: readonly object[] = []): object => ({
    ifname: 'mine0',
    linkinfo: { info_kind: 'bridge', info_data: data },
    addr_info: addresses,
  });
  const told = [
    { family: 'inet', local: '198.19.1.1', prefixlen: 24, scope: 'global' },
    { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
  ];
  const [four, six] = ['net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables'];
  for (const [what, data, settings, ruled] of [
    ['without br_netfilter, whatever the bridge asks for', { nf_call_iptables: 1 }, {}, []],
    ['off', { nf_call_iptables: 0 }, { [four]: '0', [six]: '0' }, []],
    ['on for all', { nf_call_iptables: 0 }, { [four]: '1', [six]: '0' }, ['IPv4']],
    ['on for this one', { nf_call_ip6tables: 1 }, { [four]: '0', [six]: '0' }, ['IPv6']],
  ] as const)
    it(what, () =>
      assert.deepEqual(parseBridges([link(data, told)], settings), [
        { name: 'mine0', addresses: ['198.19.1.1'], ruled },
      ]),
    );

  it('is nothing where there is none', () => assert.deepEqual(parseBridges([], {}), []));
});
