/** WireGuard between nodes, as it is decided: who is a peer, what is shut, which steps. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ClusterManifest, WIREGUARD_KEY, type Node } from '../../../contracts/objects/index.ts';
import { wireGuardKey } from '../../../nodeagent/adapters/disk/wireguard-key.ts';
import { diffRouting } from '../../../nodeagent/core/routes/diff.ts';
import type { Link, RoutingSnapshot, RoutingStep, WantedRouting } from '../../../nodeagent/core/routes/model.ts';
import { wantRouting } from '../../../nodeagent/core/routes/want.ts';
import { readWireGuardPeers } from '../../../nodeagent/core/routes/wireguard.ts';
import { makeFolder } from '../../support/folder.ts';
import { cluster, node } from './world.ts';

const LINKS: readonly Link[] = [
  { name: 'eth0', up: true, mtu: 1500, addresses: [{ address: '198.18.0.1', prefixLength: 24 }] },
];
const keyOf = (name: string): string => `${name.padEnd(42, 'x')}A=`;
const keyed = (of: Node, key = keyOf(of.metadata.name)): Node => ({
  ...of,
  status: { ...of.status, wireguard: { publicKey: key } },
});
const SELF = keyed(node('self', '198.18.0.1', '198.19.1.0/24'));
const NEAR = keyed(node('near', '198.18.0.2', '198.19.2.0/24'));
const FAR = keyed(node('far', '198.18.7.7', '198.19.3.0/24'));
const ONE = { overlay: 'wireguard', wireguard: { port: 51821, keepaliveSeconds: 25 } };
const BOTH = {
  ...ONE,
  podCIDRs: ['198.19.0.0/16', 'fd00:19::/56'],
  serviceCIDRs: ['198.19.128.0/17', 'fd00:18::/112'],
};

function want(nodes: readonly Node[], network: Record<string, unknown> = ONE, hasWireGuard = true): WantedRouting {
  return wantRouting({ node: 'self', nodes, network: cluster(network).spec.network, links: LINKS, hasWireGuard });
}
/** To the ranges of other nodes: by which device, or nowhere. */
function ways({ routes }: WantedRouting): string[] {
  return routes
    .filter(({ destination }) => /^198\.19\.[23]\.|^fd00:19:0:[23]:/.test(destination))
    .map(({ destination, type, device, source }) =>
      type === 'blackhole' ? `${destination} nowhere` : `${destination} ${device ?? ''} from ${source ?? ''}`,
    );
}
const allowed = ({ wireguard }: WantedRouting): unknown =>
  wireguard?.peers.map((peer) => [peer.publicKey, ...peer.allowed]);

describe('WireGuard between nodes', () => {
  it('takes all to other nodes, near or far, with 60 bytes less', () => {
    const wanted = want([SELF, NEAR, FAR]);
    assert.deepEqual(ways(wanted), [
      '198.19.2.0/24 plumb-wg from 198.19.1.0',
      '198.19.3.0/24 plumb-wg from 198.19.1.0',
    ]);
    assert.equal(wanted.vxlan, undefined);
    assert.equal(wanted.podMtu, 1440);
    assert.deepEqual(wanted.wireguard, {
      device: { name: 'plumb-wg', port: 51821, mtu: 1440, addresses: ['198.19.1.0'] },
      peers: [
        {
          publicKey: keyOf('far'),
          endpoint: '198.18.7.7:51821',
          allowed: ['198.18.7.7/32', '198.19.3.0/24'],
          keepalive: 25,
        },
        {
          publicKey: keyOf('near'),
          endpoint: '198.18.0.2:51821',
          allowed: ['198.18.0.2/32', '198.19.2.0/24'],
          keepalive: 25,
        },
      ],
    });
  });

  it('takes IPv6 along', () => {
    const wanted = want([SELF, NEAR], BOTH);
    assert.deepEqual(ways(wanted), [
      '198.19.2.0/24 plumb-wg from 198.19.1.0',
      'fd00:19:0:2::/64 plumb-wg from fd00:19:0:1::',
    ]);
    assert.deepEqual(wanted.wireguard?.device.addresses, ['198.19.1.0', 'fd00:19:0:1::']);
    assert.deepEqual(allowed(wanted), [[keyOf('near'), '198.18.0.2/32', '198.19.2.0/24', 'fd00:19:0:2::/64']]);
  });

  const { status: _, ...keyless } = NEAR;
  const bare: Node = { ...keyless, status: { addresses: NEAR.status?.addresses ?? [] } };
  const shut: readonly (readonly [string, WantedRouting, readonly string[]])[] = [
    [
      'a node whose key nobody knows',
      want([SELF, bare, FAR]),
      ['198.19.2.0/24 nowhere', '198.19.3.0/24 plumb-wg from 198.19.1.0'],
    ],
    [
      'all nodes where this one has no WireGuard',
      want([SELF, NEAR, FAR], BOTH, false),
      ['198.19.2.0/24 nowhere', '198.19.3.0/24 nowhere', 'fd00:19:0:2::/64 nowhere', 'fd00:19:0:3::/64 nowhere'],
    ],
    [
      "a node that tells this one's key",
      want([SELF, keyed(NEAR, keyOf('self')), FAR]),
      ['198.19.2.0/24 nowhere', '198.19.3.0/24 plumb-wg from 198.19.1.0'],
    ],
    [
      "the second of two nodes that have one key: neither gets the other's packets",
      want([SELF, keyed(NEAR, keyOf('far')), FAR]),
      ['198.19.2.0/24 nowhere', '198.19.3.0/24 plumb-wg from 198.19.1.0'],
    ],
  ];
  for (const [what, wanted, expected] of shut)
    it(`shuts the way to ${what}`, () => {
      assert.deepEqual(ways(wanted), expected);
    });

  it('has no device where the machine cannot, and the same MTU', () => {
    const wanted = want([SELF, NEAR], ONE, false);
    assert.equal(wanted.wireguard, undefined);
    assert.equal(wanted.podMtu, 1440);
  });

  it('is told by Git with bounds', () => {
    const parse = (wireguard: object): boolean =>
      ClusterManifest.safeParse({
        apiVersion: 'plumbline.dev/v1alpha1',
        kind: 'Cluster',
        metadata: { name: 'c' },
        spec: { network: { overlay: 'wireguard', wireguard } },
      }).success;
    assert.deepEqual(
      [
        {},
        { port: 1, keepaliveSeconds: 65_535 },
        { port: 0 },
        { port: 65_536 },
        { keepaliveSeconds: -1 },
        { keepaliveSeconds: 65_536 },
        { privateKey: 'x' },
      ].map(parse),
      [true, true, false, false, false, false, false],
    );
  });
});

describe('steps to WireGuard', () => {
  const text = (steps: readonly RoutingStep[]): string[] =>
    steps.map((s) => (s.tool === 'sysctl' ? `${s.path}=${s.value}` : `${s.tool} ${s.args.join(' ')}`));
  const wanted = want([SELF, NEAR, FAR], BOTH);
  const { wireguard } = wanted;
  assert.ok(wireguard);
  const made = { name: 'plumb-wg', up: false, mtu: 1420, port: 40000, addresses: [], peers: [] };
  const done: RoutingSnapshot = {
    links: LINKS,
    routes: wanted.routes,
    vxlan: undefined,
    wireguard: { ...wireguard.device, up: true, peers: wireguard.peers },
    sysctls: wanted.sysctls,
  };
  const far = `peer ${keyOf('far')} endpoint 198.18.7.7:51821 persistent-keepalive 25 allowed-ips 198.18.7.7/32,198.19.3.0/24,fd00:19:0:3::/64`;
  const near = `peer ${keyOf('near')} endpoint 198.18.0.2:51821 persistent-keepalive 25 allowed-ips 198.18.0.2/32,198.19.2.0/24,fd00:19:0:2::/64`;

  it('from a device that was just made: peers before it is up, routes last', () => {
    const steps = text(diffRouting(wanted, { ...done, routes: [], sysctls: {}, wireguard: made }));
    assert.deepEqual(steps.slice(0, 6), [
      'ip link set plumb-wg mtu 1440',
      'wg set plumb-wg listen-port 51821',
      `wg set plumb-wg ${far} ${near}`,
      'ip address add 198.19.1.0/32 dev plumb-wg',
      'ip address add fd00:19:0:1::/128 dev plumb-wg nodad',
      'ip link set plumb-wg up',
    ]);
    assert.ok(steps.includes('net/ipv4/conf/plumb-wg/rp_filter=2'));
    assert.ok(steps.includes('ip route replace 198.19.2.0/24 dev plumb-wg src 198.19.1.0 proto 78 metric 78'));
  });

  const stranger = { publicKey: keyOf('gone'), endpoint: '198.18.0.9:1', allowed: [], keepalive: 0 };
  const [first, second] = wireguard.peers;
  assert.ok(first && second && done.wireguard);
  const cases: readonly (readonly [string, typeof wireguard.peers, readonly string[]])[] = [
    ['none where all is as wanted', wireguard.peers, []],
    ['a peer that is gone', [...wireguard.peers, stranger], [`wg set plumb-wg peer ${keyOf('gone')} remove`]],
    ['a peer that moved', [{ ...first, endpoint: '198.18.0.9:51821' }, second], [`wg set plumb-wg ${far}`]],
    ['what somebody else allowed it', [first, { ...second, allowed: ['0.0.0.0/0'] }], [`wg set plumb-wg ${near}`]],
    ['its keepalive', [{ ...first, keepalive: 0 }, second], [`wg set plumb-wg ${far}`]],
  ];
  for (const [what, peers, steps] of cases)
    it(what, () => {
      const present = { ...done, wireguard: { ...done.wireguard, ...wireguard.device, up: true, peers } };
      assert.deepEqual(text(diffRouting(wanted, present)), steps);
    });

  it('the device and its routes go with the setting', () => {
    const vxlan = want([SELF, NEAR, FAR], { ...BOTH, overlay: 'vxlan' });
    const steps = text(diffRouting(vxlan, done));
    assert.equal(steps[0], 'ip link delete plumb-wg');
    assert.ok(!steps.some((step) => step.startsWith('ip route delete')), steps.join('\n'));
  });

  it('thousands of peers are told in a few calls', () => {
    const many = Array.from({ length: 1000 }, (_, i) =>
      keyed(node(`n${i}`, `198.18.${8 + (i >> 8)}.${i & 255}`, `10.${i >> 8}.${i & 255}.0/24`), keyOf(`n${i}-`)),
    );
    const steps = diffRouting(want([SELF, ...many]), { ...done, routes: [], wireguard: made });
    assert.equal(steps.filter(({ tool }) => tool === 'wg').length, 6);
  });

  it('are made from what `wg show` says', () => {
    assert.deepEqual(
      readWireGuardPeers({
        endpoints: 'a=\t198.18.0.2:51820\nb=\t(none)\n',
        allowed: 'a=\t198.19.2.0/24 198.18.0.2/32\nb=\t(none)\n',
        keepalive: 'a=\t25\nb=\toff\n',
      }),
      [
        { publicKey: 'a=', endpoint: '198.18.0.2:51820', allowed: ['198.18.0.2/32', '198.19.2.0/24'], keepalive: 25 },
        { publicKey: 'b=', endpoint: '', allowed: [], keepalive: 0 },
      ],
    );
  });
});

describe("a machine's WireGuard key", () => {
  let folder: string;
  beforeEach(() => {
    folder = join(makeFolder('plumb-key-'), 'wireguard');
  });
  afterEach(() => rm(dirname(folder), { recursive: true }));

  it('is made once, for its owner alone to read', async () => {
    const { path, publicKey } = await wireGuardKey(folder);
    assert.match(publicKey, WIREGUARD_KEY);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    const text = await readFile(path, 'utf8');
    assert.match(text.trim(), WIREGUARD_KEY);
    assert.deepEqual(await wireGuardKey(folder), { path, publicKey });
    assert.equal(await readFile(path, 'utf8'), text);
  });

  it('has the public half that belongs to it', async () => {
    const { path, publicKey } = await wireGuardKey(folder);
    const secret = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
    const own = createPrivateKey({
      key: {
        kty: 'OKP',
        crv: 'X25519',
        d: secret.toString('base64url'),
        x: Buffer.from(publicKey, 'base64').toString('base64url'),
      },
      format: 'jwk',
    });
    const shown = createPublicKey({
      key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(publicKey, 'base64').toString('base64url') },
      format: 'jwk',
    });
    const other = generateKeyPairSync('x25519');
    assert.deepEqual(
      diffieHellman({ privateKey: own, publicKey: other.publicKey }),
      diffieHellman({ privateKey: other.privateKey, publicKey: shown }),
    );
  });

  it('is not replaced where something else is in its file', async () => {
    const { path } = await wireGuardKey(folder);
    await writeFile(path, 'nonsense\n');
    await assert.rejects(wireGuardKey(folder), /private-key is no WireGuard key: remove it/);
    assert.equal(await readFile(path, 'utf8'), 'nonsense\n');
  });
});
