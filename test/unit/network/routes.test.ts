import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diffRouting } from '../../../nodeagent/core/routes/diff.ts';
import type {
  Link,
  PresentVxlan,
  Route,
  RoutingSnapshot,
  RoutingStep,
  WantedRouting,
} from '../../../nodeagent/core/routes/model.ts';
import { overlayMac, wantRouting } from '../../../nodeagent/core/routes/want.ts';
import { cluster, node } from './world.ts';

const LINKS: readonly Link[] = [
  { name: 'lo', up: true, mtu: 65536, addresses: [{ address: '127.0.0.1', prefixLength: 8 }] },
  { name: 'eth0', up: true, mtu: 1500, addresses: [{ address: '198.18.0.1', prefixLength: 24 }] },
];
const NEAR = node('near', '198.18.0.2', '198.19.2.0/24');
const FAR = node('far', '198.18.7.7', '198.19.3.0/24');
const SELF = node('self', '198.18.0.1', '198.19.1.0/24');

function want(nodes = [SELF, NEAR, FAR], overlay = 'auto', links = LINKS): WantedRouting {
  return wantRouting({ node: 'self', nodes, network: cluster({ overlay }).spec.network, links });
}

/** `DESTINATION DEVICE` of every route to a peer. */
function peers(wanted: WantedRouting): string[] {
  return wanted.routes
    .filter((r) => r.via !== undefined)
    .map((r) => `${r.destination} ${r.via ?? ''} ${r.device ?? ''}`);
}

describe('wanted routes', () => {
  const cases: readonly (readonly [string, WantedRouting, readonly string[], number])[] = [
    [
      'auto: plain on the link, overlay beyond it',
      want(),
      ['198.19.2.0/24 198.18.0.2 eth0', '198.19.3.0/24 198.19.3.0 plumb-vxlan'],
      1450,
    ],
    ['auto with near peers only: no overlay', want([SELF, NEAR]), ['198.19.2.0/24 198.18.0.2 eth0'], 1500],
    [
      'vxlan: all through it',
      want([SELF, NEAR, FAR], 'vxlan'),
      ['198.19.2.0/24 198.19.2.0 plumb-vxlan', '198.19.3.0/24 198.19.3.0 plumb-vxlan'],
      1450,
    ],
    ['none: no route to a peer', want([SELF, NEAR, FAR], 'none'), [], 1500],
    ['cni: no route to a peer', want([SELF, NEAR, FAR], 'cni'), [], 1500],
    [
      'a link that is down is no link',
      want(
        [SELF, NEAR],
        'auto',
        LINKS.map((l) => ({ ...l, up: false })),
      ),
      ['198.19.2.0/24 198.19.2.0 plumb-vxlan'],
      1450,
    ],
    [
      'a node without a range or an address waits',
      want([SELF, node('x', undefined, '198.19.4.0/24'), node('y', '198.18.0.5', undefined)]),
      [],
      1500,
    ],
    ['a node that claims our range is left out', want([SELF, node('x', '198.18.0.5', '198.19.1.0/24')]), [], 1500],
    ['without a range of our own there is no overlay', want([node('self', '198.18.0.1', undefined), FAR]), [], 1500],
  ];
  for (const [name, wanted, routes, mtu] of cases) {
    it(name, () => {
      assert.deepEqual(peers(wanted), routes);
      assert.equal(wanted.podMtu, mtu);
    });
  }

  it("has no device and nothing of the own range where pods are a CNI plugin's", () => {
    const wanted = want([SELF, NEAR, FAR], 'cni');
    assert.deepEqual(
      wanted.routes.map(({ destination, device }) => [destination, device]),
      [
        ['169.254.20.10/32', 'lo'],
        ['198.19.128.0/17', 'lo'],
      ],
    );
    assert.equal(wanted.vxlan, undefined);
    assert.deepEqual(wanted.sysctls, { 'net/ipv4/ip_forward': '1' });
  });

  it('have a blackhole for the own range, and on loopback the Service range and the address of DNS', () => {
    assert.deepEqual(want([SELF]).routes, [
      { destination: '169.254.20.10/32', type: 'local', device: 'lo' },
      { destination: '198.19.1.0/24', type: 'blackhole' },
      { destination: '198.19.128.0/17', type: 'unicast', device: 'lo', mtu: 1500, source: '198.18.0.1' },
    ]);
  });

  it('give every peer the MAC that it gives itself', () => {
    const here = want([SELF, FAR]).vxlan;
    const there = wantRouting({
      node: 'far',
      nodes: [SELF, FAR],
      network: cluster().spec.network,
      links: [{ name: 'e', up: true, mtu: 1500, addresses: [{ address: '198.18.7.7', prefixLength: 24 }] }],
    }).vxlan;
    assert.equal(here?.peers[0]?.mac, there?.device.mac);
    assert.equal(there?.device.mac, 'f6:70:c6:12:07:07');
    assert.equal(here?.peers[0]?.inner, there?.device.address);
  });
});

describe('steps', () => {
  const empty: RoutingSnapshot = {
    links: LINKS,
    routes: [],
    vxlan: undefined,
    sysctls: { 'net/ipv4/ip_forward': '0' },
  };
  const text = (steps: readonly RoutingStep[]): string[] =>
    steps.map((s) => (s.tool === 'sysctl' ? `${s.path}=${s.value}` : `${s.tool} ${s.args.join(' ')}`));
  const wanted = want();
  const vxlan = wanted.vxlan;
  assert.ok(vxlan);
  const there: PresentVxlan = {
    ...vxlan.device,
    up: true,
    learning: false,
    addresses: [vxlan.device.address],
    forwarding: vxlan.peers.map((p) => ({ mac: p.mac, outer: p.outer })),
    neighbours: vxlan.peers.map((p) => ({ address: p.inner, mac: p.mac })),
  };
  const done: RoutingSnapshot = { links: LINKS, routes: wanted.routes, vxlan: there, sysctls: wanted.sysctls };

  it('from nothing', () => {
    assert.deepEqual(text(diffRouting(wanted, empty)), [
      'ip link add plumb-vxlan address f6:70:c6:12:00:01 mtu 1450 type vxlan id 7846 dstport 8472 local 198.18.0.1 nolearning',
      'ip address add 198.19.1.0/32 dev plumb-vxlan',
      'ip link set plumb-vxlan up',
      'net/ipv4/ip_forward=1',
      'net/ipv4/conf/plumb-vxlan/rp_filter=2',
      'bridge fdb replace f6:70:c6:12:07:07 dev plumb-vxlan dst 198.18.7.7 self permanent',
      'ip neighbour replace 198.19.3.0 lladdr f6:70:c6:12:07:07 dev plumb-vxlan nud permanent',
      'ip route replace local 169.254.20.10/32 table local dev lo proto 78 metric 78',
      'ip route replace blackhole 198.19.1.0/24 proto 78 metric 78',
      'ip route replace 198.19.128.0/17 dev lo src 198.18.0.1 mtu 1450 proto 78 metric 78',
      'ip route replace 198.19.2.0/24 via 198.18.0.2 dev eth0 proto 78 metric 78',
      'ip route replace 198.19.3.0/24 via 198.19.3.0 dev plumb-vxlan src 198.19.1.0 onlink proto 78 metric 78',
    ]);
  });

  const stale: Route = { destination: '198.19.9.0/24', type: 'unicast', via: '198.18.0.9', device: 'eth0' };
  const cases: readonly (readonly [string, RoutingSnapshot, readonly string[]])[] = [
    ['none where all is as wanted', done, []],
    [
      'a route that is not wanted any more',
      { ...done, routes: [...done.routes, stale] },
      ['ip route delete 198.19.9.0/24 proto 78 metric 78'],
    ],
    [
      'a peer that is gone',
      {
        ...done,
        vxlan: {
          ...there,
          forwarding: [...there.forwarding, { mac: overlayMac('198.18.8.8'), outer: '198.18.8.8' }],
          neighbours: [...there.neighbours, { address: '198.19.8.0', mac: overlayMac('198.18.8.8') }],
        },
      },
      [
        'bridge fdb delete f6:70:c6:12:08:08 dev plumb-vxlan dst 198.18.8.8 self',
        'ip neighbour delete 198.19.8.0 lladdr f6:70:c6:12:08:08 dev plumb-vxlan',
      ],
    ],
    ['an MTU', { ...done, vxlan: { ...there, mtu: 1400 } }, ['ip link set plumb-vxlan mtu 1450']],
    ['a setting', { ...done, sysctls: { ...done.sysctls, 'net/ipv4/ip_forward': '0' } }, ['net/ipv4/ip_forward=1']],
  ];
  for (const [name, present, steps] of cases)
    it(name, () => {
      assert.deepEqual(text(diffRouting(wanted, present)), steps);
    });

  it('none in any layout where all is as wanted', () => {
    for (const nodes of [[SELF], [SELF, NEAR], [SELF, FAR], [SELF, NEAR, FAR]]) {
      for (const overlay of ['auto', 'vxlan', 'none']) {
        const next = want(nodes, overlay);
        const present = next.vxlan && {
          ...there,
          ...next.vxlan.device,
          addresses: [next.vxlan.device.address],
          forwarding: next.vxlan.peers.map((p) => ({ mac: p.mac, outer: p.outer })),
          neighbours: next.vxlan.peers.map((p) => ({ address: p.inner, mac: p.mac })),
        };
        assert.deepEqual(
          text(diffRouting(next, { links: LINKS, routes: next.routes, vxlan: present, sysctls: next.sysctls })),
          [],
          `${nodes.length} nodes, ${overlay}`,
        );
      }
    }
  });

  it('a device with another id is made again, with all that was on it', () => {
    const steps = text(diffRouting(wanted, { ...done, vxlan: { ...there, id: 1 } }));
    assert.equal(steps[0], 'ip link delete plumb-vxlan');
    assert.ok(steps.some((s) => s.startsWith('bridge fdb replace')) && steps.some((s) => s.endsWith('rp_filter=2')));
    assert.ok(steps.some((s) => s.startsWith('ip route replace 198.19.3.0/24')));
    assert.ok(!steps.some((s) => s.startsWith('ip route replace 198.19.2.0/24')));
  });

  it('the device goes when no peer needs it', () => {
    assert.deepEqual(text(diffRouting(want([SELF, NEAR]), { ...done, sysctls: { 'net/ipv4/ip_forward': '1' } })), [
      'ip link delete plumb-vxlan',
      'ip route replace 198.19.128.0/17 dev lo src 198.18.0.1 mtu 1500 proto 78 metric 78',
    ]);
  });
});
