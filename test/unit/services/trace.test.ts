/** What is told of a packet's way to a Service: who gets it, and why somebody does not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetworkPolicyManifest, type Service } from '../../../contracts/objects/index.ts';
import { serviceLinks } from '../../../cli/print/service-path.ts';
import { endpointSlices } from '../../../reconciler/core/services/endpoints.ts';
import { traceService, type ServiceTrace } from '../../../reconciler/core/services/trace.ts';
import { pod, running, service, TIME } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { stored } from '../nodes/stored.ts';

const LABELS = { labels: { app: 'web' } };
const IP = { clusterIP: '10.96.0.10' };

/** Slices of the pods, as the controller makes them. */
function traced(world: World, made: Service): ServiceTrace {
  const one = stored<'Service'>(world.put(made));
  for (const slice of endpointSlices(one, world.list('Pod'))) world.put(slice);
  return traceService(one, world);
}

describe("a packet's way to a Service", () => {
  it('tells of each pod whether it gets connections, and why not', () => {
    const world = new World();
    world.put(running(pod('a', { nodeName: 'n1' }, LABELS), true, TIME, '10.0.0.1'));
    const b = world.put(running(pod('b', { nodeName: 'n2' }, LABELS), false, TIME, '10.0.0.2'));
    world.put(pod('c', {}, LABELS));
    world.put({ ...pod('d', { nodeName: 'n1' }, LABELS), status: { phase: 'Pending' } });
    world.put({
      ...running(pod('e', { nodeName: 'n1' }, LABELS), true, TIME, '10.0.0.5'),
      status: { phase: 'Succeeded', podIP: '10.0.0.5' },
    });
    const { uid } = b.metadata;
    for (const [message, lastTimestamp] of [
      ['Readiness probe failed: old', '2026-01-01T00:00:01Z'],
      ['Readiness probe failed: HTTP 503', '2026-01-01T00:00:09Z'],
    ] as const)
      world.put({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: lastTimestamp, namespace: 'default' },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'b', uid },
        type: 'Warning',
        reason: 'Unhealthy',
        message,
        count: 1,
        firstTimestamp: lastTimestamp,
        lastTimestamp,
        source: { component: 'agent' },
      });
    const { endpoints, broken } = traced(world, service('web', IP));
    assert.deepEqual(
      endpoints.map(({ name, is, why }) => [name, is, why]),
      [
        [
          'b',
          'out',
          'it is not ready: nobody said why; last probe that failed: Readiness probe failed: HTTP 503 (2026-01-01T00:00:09Z)',
        ],
        ['c', 'out', 'it is on no node yet'],
        ['d', 'out', 'it has no address yet'],
        ['e', 'out', 'it has ended'],
        ['a', 'in', 'it is ready'],
      ],
    );
    assert.deepEqual(endpoints.find(({ name }) => name === 'a')?.at, ['10.0.0.1:8080']);
    assert.equal(broken, undefined);
  });

  for (const [what, others, is] of [
    ['is the last resort while no other is ready', [], 'last resort'],
    [
      'gets nothing while another is ready',
      [running(pod('b', { nodeName: 'n1' }, LABELS), true, TIME, '10.0.0.2')],
      'out',
    ],
  ] as const)
    it(`a pod that ends ${what}`, () => {
      const world = new World();
      world.put(running(pod('a', { nodeName: 'n1' }, { ...LABELS, deletionTimestamp: TIME }), true, TIME, '10.0.0.1'));
      for (const other of others) world.put(other);
      assert.equal(traced(world, service('web', IP)).endpoints.find(({ name }) => name === 'a')?.is, is);
    });

  it('names the port that no container has', () => {
    const world = new World();
    world.put(running(pod('a', { nodeName: 'n1' }, LABELS), true, TIME, '10.0.0.1'));
    const { broken } = traced(world, service('web', { ...IP, ports: [{ port: 80, targetPort: 'http' }] }));
    assert.match(broken ?? '', /none of its 1 endpoints .*: a: none of its containers has a port named http \(TCP\)/);
  });

  for (const [what, spec, broken] of [
    ['no address', {}, 'it has no address yet'],
    ['a selector that nobody meets', IP, 'no pod has the labels app=web'],
    ['neither selector nor endpoints', { ...IP, selector: undefined }, /no selector, and no EndpointSlice/],
    ['a name alone', { type: 'ExternalName', externalName: 'a.example', ports: [] }, undefined],
  ] as const)
    it(`names what is wrong with a Service of ${what}`, () => {
      const found = traced(new World(), service('web', spec)).broken;
      if (broken instanceof RegExp) assert.match(found ?? '', broken);
      else assert.equal(found, broken);
    });

  it('tells where clients aim', () => {
    const spec = {
      ...IP,
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      externalIPs: ['192.0.2.9'],
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      ports: [{ port: 80, targetPort: 8080, nodePort: 30_080 }],
    };
    const made = { ...service('web', spec), status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } };
    const local = ', externalTrafficPolicy Local: endpoints of the same node alone';
    assert.deepEqual(traced(new World(), made).addresses, [
      '10.96.0.10 80/TCP: from pods and nodes',
      `every node 30080/TCP: node ports${local}`,
      `192.0.2.1 80/TCP: load balancer, only from 192.0.2.0/24${local}`,
      `192.0.2.9 80/TCP: external address${local}`,
    ]);
  });

  it('tells which policies close its pods, and who they let in', () => {
    const world = new World();
    world.put(running(pod('a', { nodeName: 'n1' }, LABELS), true, TIME, '10.0.0.1'));
    const policy = (name: string, spec: object): void => {
      const metadata = { name, namespace: 'default' };
      world.put(
        NetworkPolicyManifest.parse({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec }),
      );
    };
    policy('closed', { podSelector: {}, policyTypes: ['Ingress'] });
    policy('some', {
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: { role: 'front' } } },
            { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.7/32'] } },
          ],
          ports: [{ port: 8080 }],
        },
        {
          from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }],
          ports: [{ protocol: 'UDP', port: 1, endPort: 9 }],
        },
        {},
      ],
    });
    policy('out-only', { podSelector: {}, policyTypes: ['Egress'] });
    policy('others', { podSelector: { matchLabels: { app: 'db' } } });
    assert.deepEqual(traced(world, service('web', IP)).policies, [
      { name: 'closed', pods: 1, of: 1, lets: [] },
      {
        name: 'some',
        pods: 1,
        of: 1,
        lets: [
          'pods with role=front of its namespace or 192.0.2.0/24 without 192.0.2.7/32 at TCP 8080',
          'all pods of namespaces with team=a at UDP 1-9',
          'everybody at every port',
        ],
      },
    ]);
  });

  it('is bounded: those that get nothing come first', () => {
    const world = new World();
    for (let i = 0; i < 30; i += 1)
      world.put(running(pod(`p${i}`, { nodeName: 'n1' }, LABELS), i !== 29, TIME, `10.0.0.${i}`));
    const { endpoints, more } = traced(world, service('web', IP));
    assert.deepEqual([endpoints.length, more, endpoints[0]?.name], [20, 10, 'p29']);
  });

  it('is shown link by link', () => {
    const links = serviceLinks({
      addresses: ['10.96.0.10 80/TCP: from pods and nodes'],
      balancers: [{ address: '192.0.2.1', heldBy: [] }],
      nodes: [
        { node: 'n1', inForce: true, says: '80/TCP to 10.0.0.1:8080' },
        { node: 'n2', inForce: false, says: 'it has no rules yet' },
      ],
      moreNodes: 3,
      endpoints: [{ name: 'a', node: 'n1', at: ['10.0.0.1:8080'], is: 'in', why: 'it is ready' }],
      more: 1,
      policies: [{ name: 'closed', pods: 1, of: 2, lets: [] }],
    });
    assert.deepEqual(
      links.map((link) => link.join(' ')),
      [
        'address 10.96.0.10 80/TCP: from pods and nodes',
        'balancer 192.0.2.1 is held by no node that was asked',
        'rules n1 80/TCP to 10.0.0.1:8080',
        'rules n2 NOT in force: it has no rules yet',
        'rules 3 more nodes were not asked',
        'endpoint in: a on n1 (10.0.0.1:8080): it is ready',
        'endpoint and 1 more',
        'policy closed closes 1 of 2 pods but for nobody',
      ],
    );
  });
});
