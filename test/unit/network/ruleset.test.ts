import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { EndpointSlice, KubeObject, Service } from '../../../contracts/objects/index.ts';
import { NO_LOCAL_PODS, type LocalPods } from '../../../nodeagent/core/local-pods.ts';
import { planChange, touchedBy } from '../../../nodeagent/core/data-plane/assemble.ts';
import type { ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { ServiceIndex } from '../../../nodeagent/core/data-plane/service-index.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { renderTransaction } from '../../../nodeagent/core/nftables/render.ts';
import type { Command } from '../../../nodeagent/core/nftables/model.ts';
import { traceByAll } from './iptables-trace.ts';
import { applyCommands, type NftTable } from './nft-table.ts';
import { tracePacket, type Outcome, type Packet } from './packet-trace.ts';
import {
  cluster,
  endpoint,
  node,
  pod,
  podEndpoint,
  service,
  slice,
  TestAssignment,
  TestLocalPods,
  wholePlan,
} from './world.ts';

/** This node: 198.18.0.1, pods in 198.19.1.0/24. */
const NODES = [node('n1', '198.18.0.1', '198.19.1.0/24'), node('n2', '198.18.0.2', '198.19.2.0/24')];
const HERE = '198.19.1.5';
const ELSEWHERE = '198.19.2.5';
const CLUSTER_IP = '198.19.128.10';

function planOf(pods: LocalPods, objects: readonly KubeObject[], overlayPort?: number): ServicePlan {
  const view = new TestAssignment('n1', [cluster(), ...NODES, ...objects]).current();
  return wholePlan({ view, pods, index: new ServiceIndex(), overlayPort });
}

/** Commands that write everything. */
function commandsFor(...objects: KubeObject[]): readonly Command[] {
  return wholeRuleset(compilePlan(planOf(NO_LOCAL_PODS, objects))).commands;
}

function tableOf(pods: LocalPods, objects: readonly KubeObject[], overlayPort?: number): NftTable {
  return applyCommands(undefined, wholeRuleset(compilePlan(planOf(pods, objects, overlayPort))).commands);
}

function ends(objects: readonly KubeObject[], packet: Packet): Outcome {
  return traceByAll(planOf(NO_LOCAL_PODS, objects), { addresses: ['198.18.0.1', '198.19.1.1'] }, packet);
}

function delivered(to: string, masqueraded = false): Outcome {
  return { end: 'delivered', to: [to], masqueraded: [masqueraded] };
}

function web(...endpoints: Parameters<typeof slice>[1][number][]): [Service, EndpointSlice] {
  const web = service('web', CLUSTER_IP, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }]);
  return [web, slice(web, endpoints)];
}

describe('where a packet ends', () => {
  const both = web(endpoint(HERE), endpoint(ELSEWHERE));
  const here = web(endpoint(HERE));
  const elsewhere = web(endpoint(ELSEWHERE));
  const dns = service('dns', '198.19.128.53', [{ name: 'dns', port: 53, protocol: 'UDP' }]);
  const cases: readonly (readonly [string, readonly KubeObject[], Packet, Outcome])[] = [
    [
      'pod to ClusterIP, endpoint elsewhere: source kept',
      elsewhere,
      { from: '198.19.1.9', to: CLUSTER_IP, port: 80 },
      delivered(`${ELSEWHERE}:8080`),
    ],
    [
      'pod to ClusterIP, endpoint here',
      here,
      { from: '198.19.1.9', to: CLUSTER_IP, port: 80 },
      delivered(`${HERE}:8080`),
    ],
    ['hairpin', here, { from: HERE, to: CLUSTER_IP, port: 80 }, delivered(`${HERE}:8080`, true)],
    ['hairpin by node port', here, { from: HERE, to: '198.18.0.1', port: 30080 }, delivered(`${HERE}:8080`, true)],
    [
      'a pod that may meet itself or not',
      both,
      { from: HERE, to: CLUSTER_IP, port: 80 },
      { end: 'delivered', to: [`${HERE}:8080`, `${ELSEWHERE}:8080`], masqueraded: [true, false] },
    ],
    [
      'node to ClusterIP, endpoint here',
      here,
      { from: '198.18.0.1', to: CLUSTER_IP, port: 80 },
      delivered(`${HERE}:8080`),
    ],
    [
      'node to ClusterIP, endpoint elsewhere',
      elsewhere,
      { from: '198.18.0.1', to: CLUSTER_IP, port: 80 },
      delivered(`${ELSEWHERE}:8080`, true),
    ],
    [
      'node port from outside, endpoint here: client address kept',
      here,
      { from: '198.18.9.9', to: '198.18.0.1', port: 30080 },
      delivered(`${HERE}:8080`),
    ],
    [
      'node port from outside, endpoint elsewhere',
      elsewhere,
      { from: '198.18.9.9', to: '198.18.0.1', port: 30080 },
      delivered(`${ELSEWHERE}:8080`, true),
    ],
    [
      "another node's pod by our node port",
      elsewhere,
      { from: '198.19.2.7', to: '198.18.0.1', port: 30080 },
      delivered(`${ELSEWHERE}:8080`, true),
    ],
    [
      'node port on loopback is left alone',
      here,
      { from: '127.0.0.1', to: '127.0.0.1', port: 30080 },
      delivered('127.0.0.1:30080'),
    ],
    [
      'node port number on a foreign address is left alone',
      here,
      { from: HERE, to: '198.18.0.2', port: 30080 },
      delivered('198.18.0.2:30080'),
    ],
    ['pod to pod', here, { from: HERE, to: ELSEWHERE, port: 1 }, delivered(`${ELSEWHERE}:1`)],
    ['pod to node', here, { from: HERE, to: '198.18.0.2', port: 22 }, delivered('198.18.0.2:22')],
    ['pod to the world', here, { from: HERE, to: '192.0.2.1', port: 443 }, delivered('192.0.2.1:443', true)],
    ['no slice', [here[0]], { from: HERE, to: CLUSTER_IP, port: 80 }, { end: 'rejected', with: 'reset' }],
    [
      'no slice, from the node',
      [here[0]],
      { from: '198.18.0.1', to: CLUSTER_IP, port: 80 },
      { end: 'rejected', with: 'reset' },
    ],
    [
      'no slice, node port from outside',
      [here[0]],
      { from: '198.18.9.9', to: '198.18.0.1', port: 30080 },
      { end: 'rejected', with: 'reset' },
    ],
    [
      'a port that the Service has not',
      here,
      { from: HERE, to: CLUSTER_IP, port: 81 },
      { end: 'rejected', with: 'reset' },
    ],
    [
      'no endpoint, UDP',
      [dns],
      { from: HERE, to: '198.19.128.53', port: 53, protocol: 'UDP' },
      { end: 'rejected', with: 'unreachable' },
    ],
    [
      'UDP',
      [dns, slice(dns, [endpoint(ELSEWHERE)], 'a', 5353)],
      { from: HERE, to: '198.19.128.53', port: 53, protocol: 'UDP' },
      delivered(`${ELSEWHERE}:5353`),
    ],
    [
      'TCP on a UDP Service',
      [dns, slice(dns, [endpoint(ELSEWHERE)])],
      { from: HERE, to: '198.19.128.53', port: 53 },
      { end: 'rejected', with: 'reset' },
    ],
    [
      'not ready',
      web(endpoint(HERE, 'unready')),
      { from: '198.19.1.9', to: CLUSTER_IP, port: 80 },
      { end: 'rejected', with: 'reset' },
    ],
    [
      'ready before terminating',
      web(endpoint(HERE, 'terminating'), endpoint(ELSEWHERE)),
      { from: '198.19.1.9', to: CLUSTER_IP, port: 80 },
      delivered(`${ELSEWHERE}:8080`),
    ],
    [
      'terminating where nothing is ready',
      web(endpoint(HERE, 'terminating'), endpoint(ELSEWHERE, 'unready')),
      { from: '198.19.1.9', to: CLUSTER_IP, port: 80 },
      delivered(`${HERE}:8080`),
    ],
  ];
  for (const [name, objects, packet, outcome] of cases)
    it(name, () => {
      assert.deepEqual(ends(objects, packet), outcome);
    });

  it('adds up several slices and drops doubles', () => {
    const [svc] = here;
    const objects = [
      svc,
      slice(svc, [endpoint(HERE), endpoint(ELSEWHERE)], 'a'),
      slice(svc, [endpoint(ELSEWHERE), endpoint('198.19.2.6')], 'b'),
    ];
    assert.deepEqual(ends(objects, { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }), {
      end: 'delivered',
      to: [`${HERE}:8080`, `${ELSEWHERE}:8080`, '198.19.2.6:8080'],
      masqueraded: [false, false, false],
    });
  });

  it('sends a client of a sticky Service where it was before', () => {
    const svc = service('cart', CLUSTER_IP, [{ port: 80 }], { sessionAffinity: 'ClientIP' });
    const table = tableOf(NO_LOCAL_PODS, [svc, slice(svc, [endpoint(HERE), endpoint(ELSEWHERE)])]);
    const set = [...table.containers.values()].find((c) => c.timeoutSeconds === 10_800 && c.name.includes(ELSEWHERE));
    assert.ok(set);
    const stuck = {
      ...table,
      elements: new Map([...table.elements, [set.name, new Map([['198.19.1.9', undefined]])]]),
    };
    const trace = (from: string): Outcome =>
      tracePacket(stuck, { addresses: ['198.18.0.1'] }, { from, to: CLUSTER_IP, port: 80 });
    assert.deepEqual(trace('198.19.1.9'), delivered(`${ELSEWHERE}:8080`));
    assert.deepEqual(trace('198.19.1.10'), {
      end: 'delivered',
      to: [`${HERE}:8080`, `${ELSEWHERE}:8080`],
      masqueraded: [false, false],
    });
  });

  it('lets a packet that is overlooked while a chain is replaced go nowhere', () => {
    for (const affinity of [{}, { sessionAffinity: 'ClientIP' }] as const) {
      const svc = service('cart', CLUSTER_IP, [{ port: 80 }], affinity);
      // More than are drawn by a rule each, in which nothing is looked up.
      const ends = Array.from({ length: 9 }, (_, i) => endpoint(`198.19.2.${i + 1}`));
      const { chains } = tableOf(NO_LOCAL_PODS, [svc, slice(svc, ends)]);
      const rules = [...chains].find(([name]) => name.startsWith('svc-cart-'))?.[1].rules;
      assert.deepEqual(rules?.at(-1), { kind: 'drop' });
    }
  });

  it('gives a node port that two Services claim to the first by name', () => {
    const second = service('zweb', '198.19.128.11', [{ port: 80, nodePort: 30080 }]);
    const objects = [...here, second, slice(second, [endpoint('198.19.1.77')])];
    assert.deepEqual(ends(objects, { from: '198.18.9.9', to: '198.18.0.1', port: 30080 }), delivered(`${HERE}:8080`));
  });
});

describe('where pods are of a CNI plugin', () => {
  const plugins = cluster({ overlay: 'cni' });
  const own = pod('web', [{ containerPort: 80, hostPort: 8080 }]);
  const pods = new TestLocalPods();
  pods.see(own, HERE);
  const there = web(endpoint(ELSEWHERE));
  const here = web(endpoint(HERE));
  const cases: readonly (readonly [string, readonly KubeObject[], Packet, Outcome])[] = [
    [
      'what pods send out is not masqueraded',
      [],
      { from: HERE, to: '203.0.113.9', port: 443 },
      delivered('203.0.113.9:443'),
    ],
    ['a Service leads to a pod', there, { from: HERE, to: CLUSTER_IP, port: 80 }, delivered(`${ELSEWHERE}:8080`)],
    ['and to the pod itself', here, { from: HERE, to: CLUSTER_IP, port: 80 }, delivered(`${HERE}:8080`, true)],
    [
      'a node port leads on to another node so that answers come back',
      there,
      { from: '198.18.9.9', to: '198.18.0.1', port: 30080 },
      delivered(`${ELSEWHERE}:8080`, true),
    ],
    [
      'a host port leads to its pod',
      [own],
      { from: '198.18.9.9', to: '198.18.0.1', port: 8080 },
      delivered(`${HERE}:80`),
    ],
    [
      'also by loopback, with the address of the node',
      [own],
      { from: '127.0.0.1', to: '127.0.0.1', port: 8080 },
      delivered(`${HERE}:80`, true),
    ],
    [
      'the first address of the range is any other',
      [],
      { from: '198.19.1.1', to: ELSEWHERE, port: 80 },
      delivered(`${ELSEWHERE}:80`),
    ],
  ];
  for (const [name, objects, packet, wanted] of cases)
    it(name, () => {
      const table = tableOf(pods, [plugins, ...objects]);
      assert.deepEqual(tracePacket(table, { addresses: ['198.18.0.1'] }, packet), wanted);
    });
  it('lends no address of the range', () => {
    const { commands } = wholeRuleset(compilePlan(planOf(pods, [plugins, own])));
    assert.doesNotMatch(renderTransaction('plumbline', commands, '1'), /198\.19\.1\.1[^0-9]/);
  });
});

describe('a host port', () => {
  const web = pod('web', [
    { containerPort: 80, hostPort: 8080 },
    { containerPort: 53, hostPort: 53, protocol: 'UDP' },
    { containerPort: 9, hostPort: 9, protocol: 'SCTP' },
  ]);
  const only = (hostIP: string): ReturnType<typeof pod> => pod('web', [{ containerPort: 80, hostPort: 8080, hostIP }]);
  const OUTSIDE = '198.18.9.9';
  const cases: readonly (readonly [string, ReturnType<typeof pod>, Packet, Outcome])[] = [
    [
      'from another host: client address kept',
      web,
      { from: OUTSIDE, to: '198.18.0.1', port: 8080 },
      delivered(`${HERE}:80`),
    ],
    [
      'from the node by its own address',
      web,
      { from: '198.18.0.1', to: '198.18.0.1', port: 8080 },
      delivered(`${HERE}:80`),
    ],
    [
      'from the node by loopback: with an address that the pod can answer',
      web,
      { from: '127.0.0.1', to: '127.0.0.1', port: 8080 },
      delivered(`${HERE}:80`, true),
    ],
    [
      'another loopback address is left alone',
      web,
      { from: '127.0.0.1', to: '127.0.0.2', port: 8080 },
      delivered('127.0.0.2:8080'),
    ],
    ['from a pod of this node', web, { from: '198.19.1.9', to: '198.18.0.1', port: 8080 }, delivered(`${HERE}:80`)],
    ['from the pod itself', web, { from: HERE, to: '198.18.0.1', port: 8080 }, delivered(`${HERE}:80`, true)],
    ['UDP', web, { from: OUTSIDE, to: '198.18.0.1', port: 53, protocol: 'UDP' }, delivered(`${HERE}:53`)],
    ['SCTP', web, { from: OUTSIDE, to: '198.18.0.1', port: 9, protocol: 'SCTP' }, delivered(`${HERE}:9`)],
    ['another protocol is left alone', web, { from: OUTSIDE, to: '198.18.0.1', port: 53 }, delivered('198.18.0.1:53')],
    [
      'the number at a foreign address is left alone',
      web,
      { from: HERE, to: '198.18.0.2', port: 8080 },
      delivered('198.18.0.2:8080'),
    ],
    [
      'hostIP 0.0.0.0 is every address',
      only('0.0.0.0'),
      { from: OUTSIDE, to: '198.18.0.1', port: 8080 },
      delivered(`${HERE}:80`),
    ],
    [
      'hostIP: that address',
      only('198.18.0.1'),
      { from: OUTSIDE, to: '198.18.0.1', port: 8080 },
      delivered(`${HERE}:80`),
    ],
    [
      'hostIP: no other address',
      only('198.18.0.1'),
      { from: '127.0.0.1', to: '127.0.0.1', port: 8080 },
      delivered('127.0.0.1:8080'),
    ],
    [
      'hostIP on loopback',
      only('127.0.0.1'),
      { from: '127.0.0.1', to: '127.0.0.1', port: 8080 },
      delivered(`${HERE}:80`, true),
    ],
    [
      'hostIP on loopback: not from outside',
      only('127.0.0.1'),
      { from: OUTSIDE, to: '198.18.0.1', port: 8080 },
      delivered('198.18.0.1:8080'),
    ],
    [
      'hostIP that is none of this machine takes nothing from its owner',
      only('192.0.2.7'),
      { from: '198.19.1.9', to: '192.0.2.7', port: 8080 },
      delivered('192.0.2.7:8080', true),
    ],
    [
      'a pod in the network of the machine',
      pod('web', [{ containerPort: 8080, hostPort: 8080 }], { hostNetwork: true }),
      { from: OUTSIDE, to: '198.18.0.1', port: 8080 },
      delivered('198.18.0.1:8080'),
    ],
  ];
  const trace = (of: ReturnType<typeof pod>, see: (pods: TestLocalPods) => void, packet: Packet): Outcome => {
    const pods = new TestLocalPods();
    see(pods);
    return traceByAll(planOf(pods, [of]), { addresses: ['198.18.0.1', '198.19.1.1'] }, packet);
  };
  for (const [name, of, packet, outcome] of cases)
    it(name, () => {
      assert.deepEqual(
        trace(of, (pods) => pods.see(of, HERE, false), packet),
        outcome,
      );
    });

  it('is not there while the pod has no address, nor when it is gone', () => {
    const packet: Packet = { from: OUTSIDE, to: '198.18.0.1', port: 8080 };
    assert.deepEqual(
      trace(web, () => undefined, packet),
      delivered('198.18.0.1:8080'),
    );
    assert.deepEqual(
      trace(web, (pods) => pods.see(web, undefined), packet),
      delivered('198.18.0.1:8080'),
    );
  });

  it('gives a port that two pods claim to the first by name', () => {
    const pods = new TestLocalPods();
    const second = pod('zweb', [{ containerPort: 80, hostPort: 8080 }]);
    pods.see(web, HERE);
    pods.see(second, '198.19.1.77');
    assert.deepEqual(
      traceByAll(
        planOf(pods, [second, web]),
        { addresses: ['198.18.0.1'] },
        { from: OUTSIDE, to: '198.18.0.1', port: 8080 },
      ),
      delivered(`${HERE}:80`),
    );
  });
});

describe('endpoints that are pods of this node', () => {
  const web = pod('web');
  const svc = service('web', CLUSTER_IP, [{ port: 80 }]);
  const OLD = '198.19.1.4';
  const asked = (objects: readonly KubeObject[], see: (pods: TestLocalPods) => void): Outcome => {
    const pods = new TestLocalPods();
    see(pods);
    return tracePacket(
      tableOf(pods, objects),
      { addresses: ['198.18.0.1'] },
      { from: '198.19.1.9', to: CLUSTER_IP, port: 80 },
    );
  };
  const refused: Outcome = { end: 'rejected', with: 'reset' };
  const leaving = { ...web, metadata: { ...web.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  const told = (state: Parameters<typeof podEndpoint>[3] = 'ready', of = web): KubeObject[] => [
    of,
    svc,
    slice(svc, [podEndpoint(web, 'n1', OLD, state)]),
  ];
  const cases: readonly (readonly [string, readonly KubeObject[], (pods: TestLocalPods) => void, Outcome])[] = [
    ['stay as told until the pod was looked at', told(), () => undefined, delivered(`${OLD}:8080`)],
    ['have the address that the pod has now', told(), (pods) => pods.see(web, HERE), delivered(`${HERE}:8080`)],
    [
      'are ready when the node sees them ready',
      told('unready'),
      (pods) => pods.see(web, HERE),
      delivered(`${HERE}:8080`),
    ],
    ['are not ready when the node sees that', told(), (pods) => pods.see(web, HERE, false), refused],
    ['are out when the pod is gone', told(), (pods) => pods.see(web, undefined), refused],
    ['are out when the pod was never given to this node', told().slice(1), () => undefined, refused],
    [
      'serve the last connections while the pod terminates',
      told('ready', leaving),
      (pods) => pods.see(web, HERE),
      delivered(`${HERE}:8080`),
    ],
    [
      'terminate once the pod does: another endpoint is taken first',
      [leaving, svc, slice(svc, [podEndpoint(web, 'n1', OLD), endpoint(ELSEWHERE)])],
      (pods) => pods.see(web, HERE),
      delivered(`${ELSEWHERE}:8080`),
    ],
    [
      'of another node are as told',
      [svc, slice(svc, [podEndpoint(web, 'n2', ELSEWHERE)])],
      (pods) => pods.see(web, HERE),
      delivered(`${ELSEWHERE}:8080`),
    ],
  ];
  for (const [name, objects, see, outcome] of cases)
    it(name, () => {
      assert.deepEqual(asked(objects, see), outcome);
    });

  it('are ready whatever the node sees where the Service publishes those that are not', () => {
    const open = service('web', CLUSTER_IP, [{ port: 80 }], { publishNotReadyAddresses: true });
    assert.deepEqual(
      asked([web, open, slice(open, [podEndpoint(web, 'n1', OLD)])], (pods) => pods.see(web, HERE, false)),
      delivered(`${HERE}:8080`),
    );
  });
});

describe("the overlay's port", () => {
  const frame = (from: string, port = 8472): Packet => ({ from, to: '198.18.0.1', port, protocol: 'UDP' });
  const cases: readonly (readonly [string, number | undefined, Packet, Outcome])[] = [
    ['takes frames of a node', 8472, frame('198.18.0.2'), delivered('198.18.0.1:8472')],
    ['takes none of a host that is no node', 8472, frame('198.18.0.9'), { end: 'dropped' }],
    ['takes none of a pod', 8472, frame('198.19.2.7'), { end: 'dropped' }],
    ['is the only one', 8472, frame('198.18.0.9', 8473), delivered('198.18.0.1:8473')],
    ["is anybody's where there is no overlay", undefined, frame('198.18.0.9'), delivered('198.18.0.1:8472')],
  ];
  for (const [name, port, packet, outcome] of cases)
    it(name, () => {
      assert.deepEqual(tracePacket(tableOf(NO_LOCAL_PODS, [], port), { addresses: ['198.18.0.1'] }, packet), outcome);
    });
});

describe('the text', () => {
  it('is this, for one Service', () => {
    assert.equal(
      renderTransaction('plumbline', commandsFor(...web(endpoint(HERE), endpoint(ELSEWHERE))), '7'),
      readFileSync(new URL('golden/one-service.nft', import.meta.url), 'utf8'),
    );
  });

  for (const [what, count, map] of [
    ['by a rule each up to eight', 8, false],
    ['by one map beyond', 9, true],
  ] as const)
    it(`draws endpoints ${what}, with and without affinity, each as likely`, () => {
      const addresses = Array.from({ length: count }, (_, i) => `198.19.2.${i + 1}`);
      const ports = [{ name: 'http', port: 80 }];
      for (const affinity of ['None', 'ClientIP']) {
        const made = service('web', CLUSTER_IP, ports, { sessionAffinity: affinity });
        const objects = [
          made,
          slice(
            made,
            addresses.map((address) => endpoint(address)),
          ),
        ];
        const found = ends(objects, { from: '198.19.1.9', to: CLUSTER_IP, port: 80 });
        assert.deepEqual(
          found.end === 'delivered' && found.to,
          addresses.map((address) => `${address}:8080`),
        );
        const text = renderTransaction('plumbline', commandsFor(...objects), '7');
        assert.equal(/numgen random mod \d+ v?map/.test(text), map);
      }
    });

  it('is one chain when one endpoint of one of 2,000 Services changes', () => {
    const services = Array.from({ length: 2000 }, (_, i) =>
      service(`s${i}`, `198.19.${128 + (i >> 8)}.${i & 255}`, [{ port: 80 }]),
    );
    const objects = services.flatMap((s) => [s, slice(s, [endpoint(ELSEWHERE), endpoint('198.19.2.6')])]);
    const { ruleset } = wholeRuleset(compilePlan(planOf(NO_LOCAL_PODS, objects)));
    const changed = services[1234] as Service;
    const view = new TestAssignment('n1', [
      cluster(),
      ...NODES,
      changed,
      slice(changed, [endpoint(ELSEWHERE), endpoint('198.19.2.6', 'unready')]),
    ]).current();
    const scope = { view, pods: NO_LOCAL_PODS, index: new ServiceIndex() };
    const touched = touchedBy(scope, new Set(['endpointslices.discovery.k8s.io/default/s1234-a' as const]));
    const commands = ruleset.change(compilePlan(planChange(scope, touched)));
    assert.equal(commands.length, 1);
    assert.equal(
      renderTransaction('plumbline', commands, '8'),
      [
        'flush chain ip plumbline svc-s1234-80-4d170580',
        'add chain ip plumbline svc-s1234-80-4d170580 { meta l4proto tcp meta mark set meta mark | 0x2000 dnat to 198.19.2.5:8080; }',
        'add chain ip plumbline anchor',
        'add chain ip plumbline generation',
        'flush chain ip plumbline generation',
        'add chain ip plumbline generation { jump anchor comment "8"; }',
        '',
      ].join('\n'),
    );
  });

  it('has nothing in it that has nft list the table, when a Service comes and when its endpoints change', () => {
    const { ruleset } = wholeRuleset(compilePlan(planOf(NO_LOCAL_PODS, web(endpoint(HERE)))));
    const more = service('more', '198.19.128.77', [{ port: 80, nodePort: 30_077 }], { type: 'NodePort' });
    for (const count of [1, 2, 9]) {
      const endpoints = Array.from({ length: count }, (_, i) => endpoint(`198.19.2.${i + 1}`));
      const { forwardings } = planOf(NO_LOCAL_PODS, [more, slice(more, endpoints)]);
      const text = renderTransaction('plumbline', ruleset.change(compilePlan({ forwardings })), String(count));
      assert.match(text, new RegExp(`dnat to .*198\\.19\\.2\\.${count}`));
      assert.doesNotMatch(text, /^(?:add (?:rule|element)|delete) /m);
    }
  });

  it('is the same whatever the order of the objects', () => {
    const objects = [
      ...web(endpoint(HERE)),
      service('b', '198.19.128.20', [{ port: 1 }]),
      service('a', '198.19.128.21', [{ port: 1 }]),
    ];
    assert.deepEqual(commandsFor(...objects), commandsFor(...objects.toReversed()));
  });
});
