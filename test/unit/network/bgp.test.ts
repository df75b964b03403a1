/** What a node tells routers of the addresses of load balancers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  BGPAdvertisementManifest,
  BGPPeerManifest,
  CommunityManifest,
  IPAddressPoolManifest,
  SecretManifest,
  type BGPPeer,
  type EndpointSlice,
  type Node,
  type Service,
} from '../../../contracts/objects/index.ts';
import { passwordOf, PeerPassword } from '../../../nodeagent/core/bgp/password.ts';
import { bgpPlan, planFor, plannedAddresses, type BgpPlan, type BgpScene } from '../../../nodeagent/core/bgp/plan.ts';
import { protocolOf, readSessions, renderBird } from '../../../nodeagent/core/bgp/render.ts';
import { endpoint, node, service, slice, TestAssignment } from './world.ts';

const metadata = { name: 'home', namespace: 'net' };
const VIP = '198.18.50.7';

function peer(name: string, spec: object = {}): BGPPeer {
  return BGPPeerManifest.parse({
    apiVersion: 'metallb.io/v1beta2',
    kind: 'BGPPeer',
    metadata: { name, namespace: 'net' },
    spec: { myASN: 64500, peerASN: 64501, peerAddress: '198.18.9.2', ...spec },
  });
}
const advertisement = (spec: object = {}, name = 'home') =>
  BGPAdvertisementManifest.parse({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'BGPAdvertisement',
    metadata: { name, namespace: 'net' },
    spec,
  });
const pool = (addresses: readonly string[] = ['198.18.50.0/24']) =>
  IPAddressPoolManifest.parse({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata,
    spec: { addresses },
  });
function balancer(name: string, address: string, spec: object = {}): Service {
  const made = service(name, '198.19.128.10', [{ port: 80 }], { type: 'LoadBalancer', ...spec });
  return { ...made, status: { loadBalancer: { ingress: [{ ip: address }] } } };
}
const n1 = node('n1', '198.18.9.1', '198.19.1.0/24');
const labelled = (labels: Record<string, string>, of: Node = n1): Node => ({
  ...of,
  metadata: { ...of.metadata, labels },
});
const at = (name: string, state: Parameters<typeof endpoint>[1] = 'ready') => ({
  ...endpoint('198.19.1.5', state),
  nodeName: name,
});

function planned(
  of: Partial<BgpScene> & { readonly endpoints?: EndpointSlice['endpoints'] } = {},
): BgpPlan | undefined {
  const { endpoints = [at('n1')], ...rest } = of;
  return bgpPlan({
    node: n1,
    services: [balancer('web', VIP)],
    slicesOf: (one) => [slice(one, endpoints)],
    pools: [pool()],
    advertisements: [advertisement()],
    communities: [],
    peers: [peer('a')],
    passwordOf: () => ({ password: undefined }),
    ...rest,
  });
}
const prefixes = (of?: Parameters<typeof planned>[0]): readonly string[] =>
  planned(of)?.sessions.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)) ?? ['no session'];
const problems = (of: Parameters<typeof planned>[0]): string =>
  planned(of)
    ?.problems.map((one) => `${one.peer ?? ''} ${one.message}`.trim())
    .join('; ') ?? '';

describe('what a router is told', () => {
  const local = balancer('web', VIP, { externalTrafficPolicy: 'Local' });
  const cases: readonly (readonly [string, Parameters<typeof planned>[0], readonly string[]])[] = [
    ['an address with an endpoint', {}, [`${VIP}/32`]],
    ['an endpoint on another node', { endpoints: [at('n2')] }, [`${VIP}/32`]],
    ['no endpoint', { endpoints: [at('n1', 'unready')] }, []],
    ['an endpoint that ends, and none better', { endpoints: [at('n1', 'terminating')] }, [`${VIP}/32`]],
    ['Local and an endpoint here', { services: [local] }, [`${VIP}/32`]],
    ['Local and one elsewhere', { services: [local], endpoints: [at('n2')] }, []],
    [
      'Local, one that ends here and one elsewhere',
      { services: [local], endpoints: [at('n1', 'terminating'), at('n2')] },
      [],
    ],
    ['no advertisement', { advertisements: [] }, []],
    ['no pool', { pools: [] }, []],
    ['one of another pool', { advertisements: [advertisement({ ipAddressPools: ['other'] })] }, []],
    ['one for other nodes', { advertisements: [advertisement({ nodeSelectors: [{ matchLabels: { a: 'b' } }] })] }, []],
    ['one for another router', { advertisements: [advertisement({ peers: ['b'] })] }, []],
    ['one for this router', { advertisements: [advertisement({ peers: ['b', 'a'] })] }, [`${VIP}/32`]],
    [
      'one for other Services',
      { advertisements: [advertisement({ serviceSelectors: [{ matchLabels: { a: 'b' } }] })] },
      [],
    ],
    ['a range', { advertisements: [advertisement({ aggregationLength: 26 })] }, ['198.18.50.0/26']],
    ['a range that the pool has not', { advertisements: [advertisement({ aggregationLength: 23 })] }, []],
    [
      'a range beyond a pool of single addresses',
      { pools: [pool(['198.18.50.5-198.18.50.9'])], advertisements: [advertisement({ aggregationLength: 29 })] },
      [],
    ],
    ['an excluded node', { node: labelled({ 'node.kubernetes.io/exclude-from-external-load-balancers': '' }) }, []],
    [
      'a drained node',
      { node: { ...n1, spec: { ...n1.spec, taints: [{ key: 'plumbline.dev/drain', effect: 'NoExecute' }] } } },
      [],
    ],
    [
      'a router of other nodes',
      { peers: [peer('a', { nodeSelectors: [{ matchLabels: { a: 'b' } }] })] },
      ['no session'],
    ],
    ['no router', { peers: [] }, ['no session']],
    ['a node without an address', { node: { ...n1, status: {} } }, ['no session']],
  ];
  for (const [name, of, expected] of cases)
    it(`with ${name}`, () => {
      assert.deepEqual(prefixes(of), expected);
    });

  it('is a range once, as long as one of its addresses is in force', () => {
    const services = [balancer('web', VIP), balancer('api', '198.18.50.9')];
    const plan = planned({ services, advertisements: [advertisement({ aggregationLength: 28 })] });
    assert.ok(plan);
    assert.deepEqual(plannedAddresses(plan), [VIP, '198.18.50.9']);
    const routes = (inForce: readonly string[]): number | undefined =>
      planFor(plan, (address) => inForce.includes(address)).sessions[0]?.routes.length;
    assert.deepEqual([routes([]), routes([VIP]), routes([VIP, '198.18.50.9'])], [0, 1, 1]);
  });

  it('has the communities of all that announce it, by number or by name', () => {
    const communities = [
      CommunityManifest.parse({
        apiVersion: 'metallb.io/v1beta1',
        kind: 'Community',
        metadata,
        spec: { communities: [{ name: 'no-export', value: '65535:65281' }] },
      }),
    ];
    const advertisements = [
      advertisement({ communities: ['no-export', '64500:1'] }),
      advertisement({ communities: ['large:64500:1:2', '64500:1'] }, 'more'),
    ];
    const [route] = planned({ communities, advertisements })?.sessions[0]?.routes ?? [];
    assert.deepEqual(route?.communities, [
      [64500, 1],
      [64500, 1, 2],
      [65535, 65281],
    ]);
    // Without its community it might go further than it should.
    assert.deepEqual(prefixes({ advertisements: [advertisement({ communities: ['no-export'] })] }), []);
    assert.match(
      problems({ advertisements: [advertisement({ communities: ['no-export'] })] }),
      /no Community has the name/,
    );
  });

  it('has a preference within the own autonomous system only', () => {
    const advertisements = [advertisement({ localPref: 200 }), advertisement({ localPref: 300 }, 'more')];
    const preferenceTo = (one: BGPPeer): number | undefined =>
      planned({ advertisements, peers: [one] })?.sessions[0]?.routes[0]?.localPref;
    assert.equal(preferenceTo(peer('a')), undefined);
    assert.equal(preferenceTo(peer('a', { peerASN: 64500 })), 300);
    assert.match(
      problems({ advertisements, peers: [peer('a', { peerASN: 64500 })] }),
      /^net\/a .* more than one localPref/,
    );
  });

  it('tells what is in the way of a session, and opens the others', () => {
    const peers = [
      peer('a'),
      peer('b'),
      peer('c', { peerAddress: '198.18.9.3' }),
      peer('d', { peerAddress: '198.18.9.4' }),
    ];
    const of: Parameters<typeof planned>[0] = {
      peers,
      passwordOf: ({ metadata: { name } }) => (name === 'c' ? { problem: 'no secret' } : { password: undefined }),
    };
    assert.deepEqual(
      planned(of)?.sessions.map((one) => one.peer),
      ['net/a', 'net/d'],
    );
    assert.match(problems(of), /^net\/b speaks to 198.18.9.2, as BGPPeer net\/a does already; net\/c no secret$/);
  });
});

describe('a password', () => {
  const asked = peer('a', { passwordSecret: { name: 'router' } });
  const found = (type: string, data: Record<string, string>) => {
    const secret = SecretManifest.parse({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'router', namespace: 'net' },
      type,
      stringData: { username: '', ...data },
    });
    return passwordOf(asked, new TestAssignment('n1', [secret]).current());
  };

  it('is taken from its Secret, and prints as nothing', () => {
    const one = found('kubernetes.io/basic-auth', { password: "o'pen se;same" });
    assert.ok('password' in one && one.password);
    assert.equal(one.password.reveal(), "o'pen se;same");
    for (const text of [inspect(one, { showHidden: true }), JSON.stringify(one), String(one.password)])
      assert.doesNotMatch(text, /same/);
  });

  for (const [name, type, data] of [
    ['another type', 'Opaque', { password: 'a' }],
    ['no password', 'kubernetes.io/basic-auth', {}],
    ['one that ends the string', 'kubernetes.io/basic-auth', { password: 'a";' }],
    ['one with a line break', 'kubernetes.io/basic-auth', { password: 'a\nb' }],
    ['one that is too long', 'kubernetes.io/basic-auth', { password: 'a'.repeat(81) }],
  ] as const)
    it(`is a problem with ${name}`, () => {
      assert.ok('problem' in found(type, data));
    });

  it('is a problem without a Secret', () => {
    assert.deepEqual(passwordOf(asked, new TestAssignment('n1', []).current()), {
      problem: 'secret net/router is not there',
    });
  });
});

describe('words of BIRD', () => {
  it('are the same for the same plan, and a session has the same name beside others', () => {
    const [one, other] = [planned(), planned({ peers: [peer('0', { peerAddress: '198.18.9.3' }), peer('a')] })];
    assert.ok(one && other);
    assert.equal(renderBird(one), renderBird(planned() ?? one));
    const id = one.sessions[0]?.id ?? '';
    assert.deepEqual(
      other.sessions.map((session) => session.id).filter((each) => each === id),
      [id],
    );
  });

  it('say what a peer asks for', () => {
    const spec = {
      keepaliveTime: '1s',
      connectTime: '2s',
      routerID: '198.18.9.9',
      sourceAddress: '198.18.9.8',
      peerPort: 1179,
      ebgpMultiHop: true,
      enableGracefulRestart: true,
    };
    const text = renderBird(
      planned({ peers: [peer('a', spec)], passwordOf: () => ({ password: new PeerPassword('sesame') }) })!,
    );
    for (const line of [
      'local 198.18.9.8 as 64500;',
      'neighbor 198.18.9.2 port 1179 as 64501;',
      'multihop;',
      'router id 198.18.9.9;',
      'password "sesame";',
      'hold time 3;',
      'keepalive time 1;',
      'connect retry time 2;',
      'graceful restart on;',
      `route ${VIP}/32 unreachable;`,
    ])
      assert.ok(text.includes(`  ${line}\n`), line);
  });

  it('are read for how sessions are', () => {
    const answer = [
      '2002-Name       Proto      Table      State  Since         Info',
      '1002-device1    Device     ---        up     02:49:59.359  ',
      '1002-p_0a       BGP        ---        up     02:50:00.257  Established   ',
      ' s_0b           Static     t_0b       up     02:49:59.359  ',
      ' p_0b           BGP        ---        start  2026-11-29    Active        Socket: Connection refused',
      ' p_0c           BGP        ---        down   02:50:00.257  ',
      '0000 ',
    ].join('\n');
    assert.deepEqual(
      [...readSessions(answer)],
      [
        ['p_0a', { established: true, message: '' }],
        ['p_0b', { established: false, message: 'Socket: Connection refused' }],
        ['p_0c', { established: false, message: '' }],
      ],
    );
    assert.equal(protocolOf('0a'), 'p_0a');
  });
});

describe('a BGPPeer', () => {
  const base = { myASN: 1, peerASN: 2, peerAddress: '192.0.2.1' };
  const accepts = (spec: object): boolean =>
    BGPPeerManifest.safeParse({
      apiVersion: 'metallb.io/v1beta2',
      kind: 'BGPPeer',
      metadata: { name: 'a', namespace: 'net' },
      spec,
    }).success;
  for (const [name, spec, expected] of [
    ['plain', base, true],
    ['without the number of the router', { myASN: 1, peerAddress: '192.0.2.1' }, false],
    ['with any number outside', { ...base, peerASN: 0, dynamicASN: 'external' }, true],
    ['with two words for it', { ...base, dynamicASN: 'external' }, false],
    ['over IPv6', { ...base, peerAddress: '2001:db8::1' }, false],
    ['of any machine', { ...base, peerAddress: '0.0.0.0' }, false],
    ['of many machines', { ...base, peerAddress: '224.0.0.5' }, false],
    ['of all machines', { ...base, peerAddress: '255.255.255.255' }, false],
    ['of the node itself', { ...base, peerAddress: '127.0.0.1' }, false],
    ['from all addresses', { ...base, sourceAddress: '0.0.0.0' }, false],
    ['without a router id', { ...base, routerID: '0.0.0.0' }, false],
    ['with a hold time of RFC 4271', { ...base, holdTime: '1m30s' }, true],
    ['with less', { ...base, holdTime: '2s' }, false],
    ['without one', { ...base, holdTime: '0s' }, true],
    ['with nonsense', { ...base, holdTime: 'soon' }, false],
    ['that keeps alive too seldom', { ...base, holdTime: '9s', keepaliveTime: '10s' }, false],
    ['with many hops within', { ...base, peerASN: 1, ebgpMultiHop: true }, false],
    ['with its own Secret', { ...base, passwordSecret: { name: 'a', namespace: 'net' } }, true],
    ['with another namespace’s', { ...base, passwordSecret: { name: 'a', namespace: 'b' } }, false],
  ] as const)
    it(name, () => {
      assert.equal(accepts(spec), expected);
    });
});
