import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Endpoint, KubeObject, Node, Service } from '../../../contracts/objects/index.ts';
import type { ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { ServiceIndex } from '../../../nodeagent/core/data-plane/service-index.ts';
import { NO_LOCAL_PODS } from '../../../nodeagent/core/local-pods.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { renderTransaction } from '../../../nodeagent/core/nftables/render.ts';
import { traceByAll } from './iptables-trace.ts';
import type { Outcome, Packet } from './packet-trace.ts';
import { cluster, endpoint, node, service, slice, TestAssignment, wholePlan } from './world.ts';

/** This node: 198.18.0.1, pods in 198.19.1.0/24, zone a. */
const n1 = node('n1', '198.18.0.1', '198.19.1.0/24');
const NODES: readonly Node[] = [
  { ...n1, metadata: { ...n1.metadata, labels: { 'topology.kubernetes.io/zone': 'a' } } },
  node('n2', '198.18.0.2', '198.19.2.0/24'),
];
const CLUSTER_IP = '198.19.128.10';
const OUTSIDE = '198.18.9.9';
const POD = '198.19.1.9';
const FAR_POD = '198.19.2.9';
const VIP = '198.18.50.1';
const EXTERNAL = '198.18.60.1';

type State = Parameters<typeof endpoint>[1];
const here = (n: number, state?: State, more: Partial<Endpoint> = {}): Endpoint => ({
  ...endpoint(`198.19.1.${n}`, state),
  nodeName: 'n1',
  ...more,
});
const away = (n: number, state?: State, more: Partial<Endpoint> = {}): Endpoint => ({
  ...endpoint(`198.19.2.${n}`, state),
  nodeName: 'n2',
  ...more,
});

function balancer(spec: Record<string, unknown>, addresses: readonly string[] = [VIP]): Service {
  const made = service('web', CLUSTER_IP, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }], {
    type: 'LoadBalancer',
    ...spec,
  });
  return { ...made, status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } };
}

function planFor(of: Service, endpoints: readonly Endpoint[], more: readonly KubeObject[] = []): ServicePlan {
  const view = new TestAssignment('n1', [cluster(), ...NODES, of, slice(of, endpoints), ...more]).current();
  return wholePlan({ view, pods: NO_LOCAL_PODS, index: new ServiceIndex() });
}

function ends(of: Service, endpoints: readonly Endpoint[], packet: Packet, own: readonly string[] = []): Outcome {
  return traceByAll(planFor(of, endpoints), { addresses: ['198.18.0.1', '198.19.1.1', ...own] }, packet);
}

/** `198.19.1.5`, `198.19.1.5 masqueraded`, `refused`, `dropped`. */
function told(outcome: Outcome): string {
  if (outcome.end === 'rejected') return 'refused';
  if (outcome.end === 'dropped') return 'dropped';
  return outcome.to
    .map((to, i) => `${to.replace(/:8080$/, '')}${outcome.masqueraded[i] ? ' masqueraded' : ''}`)
    .join(', ');
}

const to =
  (address: string, port: number) =>
  (from: string): Packet => ({ from, to: address, port });
const [byVip, byNodePort, byCluster, byExternal] = [
  to(VIP, 80),
  to('198.18.0.1', 30080),
  to(CLUSTER_IP, 80),
  to(EXTERNAL, 80),
];
const NODE = '198.18.0.1';

describe('where a packet to a load balancer ends', () => {
  const open = balancer({});
  const local = balancer({ externalTrafficPolicy: 'Local' });
  const inward = balancer({ internalTrafficPolicy: 'Local' });
  const both = balancer({ internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' });
  const named = balancer({ externalIPs: [EXTERNAL] });
  const guarded = balancer({ loadBalancerSourceRanges: ['198.18.9.0/24', ' 198.18.9.8/29 '] });
  const cases: readonly (readonly [string, Service, readonly Endpoint[], Packet, string])[] = [
    ['from outside to an endpoint here: the address is kept', open, [here(5)], byVip(OUTSIDE), '198.19.1.5'],
    ['from outside to one elsewhere', open, [away(5)], byVip(OUTSIDE), '198.19.2.5 masqueraded'],
    ['by a node port', open, [away(5)], byNodePort(OUTSIDE), '198.19.2.5 masqueraded'],
    ['from a pod', open, [away(5)], byVip(POD), '198.19.2.5'],
    ['from a pod to itself', open, [here(9)], byVip(POD), '198.19.1.9 masqueraded'],
    ['without endpoints', open, [], byVip(OUTSIDE), 'refused'],
    ['at a port that the Service has not', open, [here(5)], { from: OUTSIDE, to: VIP, port: 22 }, 'refused'],
    ['an external address', named, [here(5)], byExternal(OUTSIDE), '198.19.1.5'],
    [
      'another port of an external address is its own',
      named,
      [here(5)],
      { from: OUTSIDE, to: EXTERNAL, port: 22 },
      `${EXTERNAL}:22`,
    ],
    ['Local, from outside: endpoints of this node alone', local, [here(5), away(5)], byVip(OUTSIDE), '198.19.1.5'],
    ['Local, by node port from outside', local, [here(5), away(5)], byNodePort(OUTSIDE), '198.19.1.5'],
    ['Local, from a pod: any endpoint', local, [away(5)], byVip(POD), '198.19.2.5'],
    ['Local, from a pod of another node', local, [away(5)], byNodePort(FAR_POD), '198.19.2.5 masqueraded'],
    ['Local, from this machine: any endpoint', local, [away(5)], byVip(NODE), '198.19.2.5 masqueraded'],
    ['Local, by ClusterIP: any endpoint', local, [away(5)], byCluster(POD), '198.19.2.5'],
    ['Local, none here: silence, so that a balancer goes on', local, [away(5)], byVip(OUTSIDE), 'dropped'],
    ['Local, none here, by node port', local, [away(5)], byNodePort(OUTSIDE), 'dropped'],
    ['Local, none at all', local, [], byVip(OUTSIDE), 'refused'],
    ['Local, none at all, by node port', local, [], byNodePort(OUTSIDE), 'refused'],
    ['Local, the last one here terminates', local, [here(5, 'terminating'), away(5)], byVip(OUTSIDE), '198.19.1.5'],
    ['Local, one here is not ready', local, [here(5, 'unready'), away(5)], byVip(OUTSIDE), 'dropped'],
    ['internal Local', inward, [here(5), away(5)], byCluster(POD), '198.19.1.5'],
    ['internal Local, none here', inward, [away(5)], byCluster(POD), 'dropped'],
    ['internal Local, none at all', inward, [], byCluster(POD), 'refused'],
    ['internal Local, from outside', inward, [away(5)], byVip(OUTSIDE), '198.19.2.5 masqueraded'],
    ['both Local, from outside', both, [here(5), away(5)], byVip(OUTSIDE), '198.19.1.5'],
    ['both Local, by ClusterIP', both, [away(5)], byCluster(POD), 'dropped'],
    ['both Local, a pod by the load balancer', both, [away(5)], byVip(POD), '198.19.2.5'],
    ['a client of the source ranges', guarded, [here(5)], byVip(OUTSIDE), '198.19.1.5'],
    ['a client that is not in them', guarded, [here(5)], byVip('198.18.8.1'), 'dropped'],
    ['a pod is not in them', guarded, [here(5)], byVip(POD), 'dropped'],
    ['they do not hold for node ports', guarded, [here(5)], byNodePort('198.18.8.1'), '198.19.1.5'],
    ['nor for the ClusterIP', guarded, [here(5)], byCluster(POD), '198.19.1.5'],
  ];
  for (const [name, of, endpoints, packet, expected] of cases)
    it(name, () => {
      assert.equal(told(ends(of, endpoints, packet)), expected);
    });

  it('on the machine that has the address its other ports are closed, those of its own addresses are not', () => {
    assert.equal(told(ends(open, [here(5)], { from: OUTSIDE, to: VIP, port: 22 }, [VIP])), 'refused');
    assert.equal(told(ends(open, [here(5)], { from: OUTSIDE, to: NODE, port: 22 })), `${NODE}:22`);
    const reckless = balancer({}, [NODE]);
    assert.equal(told(ends(reckless, [here(5)], { from: OUTSIDE, to: NODE, port: 22 })), `${NODE}:22`);
    assert.equal(told(ends(reckless, [here(5)], { from: OUTSIDE, to: NODE, port: 80 })), '198.19.1.5');
  });

  it('a machine within the source ranges meets its own address too', () => {
    const of = balancer({ loadBalancerSourceRanges: ['198.18.0.0/24'] });
    assert.equal(told(ends(of, [here(5)], byVip(VIP), [VIP])), '198.19.1.5');
    assert.equal(told(ends(guarded, [here(5)], byVip(VIP), [VIP])), 'dropped');
  });

  it('with session affinity a client of Local stays with an endpoint of this node', () => {
    const of = balancer({ externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP' });
    assert.equal(told(ends(of, [here(5), here(6), away(5)], byVip(OUTSIDE))), '198.19.1.5, 198.19.1.6');
    assert.equal(told(ends(of, [here(5), away(5)], byVip(POD))), '198.19.1.5, 198.19.2.5');
  });

  it('is text that nft reads', () => {
    const text = renderTransaction(
      't',
      wholeRuleset(
        compilePlan(
          planFor(balancer({ externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['10.0.0.0/8'] }), [
            here(5),
            away(5),
          ]),
        ),
      ).commands,
      '1',
    );
    for (const line of [
      /add chain ip t svc-web-http-\w+ { ip saddr 198\.19\.0\.0\/17 goto inside-svc-web-http-\w+; fib saddr type local goto inside-svc-web-http-\w+; /,
      /add chain ip t admit-\w+ { ip saddr { 10\.0\.0\.0\/8 } goto svc-web-http-\w+; }/,
      /add rule ip t reject-services ct state new ip daddr \. meta l4proto \. th dport @silent-services drop/,
      /add rule ip t reject-services ct state new ip daddr @closed-addresses meta l4proto != icmp reject/,
    ])
      assert.match(text, line);
  });
});

describe('which endpoints are near enough', () => {
  const zone = (name: string): Partial<Endpoint> => ({ hints: { forZones: [{ name }] } });
  const onNode = (name: string, of: string): Partial<Endpoint> => ({
    hints: { forNodes: [{ name }], forZones: [{ name: of }] },
  });
  const web = service('web', CLUSTER_IP, [{ name: 'http', port: 80, targetPort: 8080 }]);
  const cases: readonly (readonly [string, readonly Endpoint[], string])[] = [
    ['of this zone', [here(5, 'ready', zone('a')), away(5, 'ready', zone('b'))], '198.19.1.5'],
    ['all where one has no hint', [here(5, 'ready', zone('a')), away(5)], '198.19.1.5, 198.19.2.5'],
    ['one that is not ready need not have one', [here(5, 'ready', zone('a')), away(5, 'unready')], '198.19.1.5'],
    [
      'all where none is of this zone',
      [away(5, 'ready', zone('b')), away(6, 'ready', zone('c'))],
      '198.19.2.5, 198.19.2.6',
    ],
    ['of this node', [here(5, 'ready', onNode('n1', 'a')), away(5, 'ready', onNode('n2', 'a'))], '198.19.1.5'],
    [
      'of this zone where none is of this node',
      [away(5, 'ready', onNode('n2', 'a')), away(6, 'ready', onNode('n3', 'b'))],
      '198.19.2.5',
    ],
    [
      'those that terminate, wherever, where none is ready',
      [here(5, 'unready', zone('a')), away(5, 'terminating', zone('b'))],
      '198.19.2.5',
    ],
  ];
  for (const [name, endpoints, expected] of cases)
    it(name, () => {
      assert.equal(told(ends(web, endpoints, byCluster(POD))), expected);
    });
});
