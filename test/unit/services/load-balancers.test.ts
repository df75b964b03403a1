import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IPAddressPoolManifest,
  NamespaceManifest,
  objectKey,
  type IPAddressPool,
  type Service,
} from '../../../contracts/objects/index.ts';
import { serviceController } from '../../../reconciler/controllers/service.ts';
import { cluster, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function pool(name: string, addresses: readonly string[], spec: object = {}): IPAddressPool {
  return IPAddressPoolManifest.parse({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: { name, namespace: 'metallb-system' },
    spec: { addresses, ...spec },
  });
}

interface Asked {
  readonly spec?: object;
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly namespace?: string;
}

function balancer(name: string, { spec = {}, annotations, labels, namespace = 'default' }: Asked = {}): Service {
  const made = service(name, { type: 'LoadBalancer', ...spec });
  return { ...made, metadata: { name, namespace, ...(annotations && { annotations }), ...(labels && { labels }) } };
}

function world(...objects: readonly (Service | IPAddressPool)[]): World {
  const w = new World([serviceController]);
  w.put(cluster({ network: { serviceCIDR: '198.18.96.0/24' } }));
  for (const object of objects) {
    w.put(object);
    w.settle(200);
    w.advance(1000);
  }
  return w;
}

function live(w: World, name: string, namespace = 'default'): Service {
  return w.get(objectKey('Service', namespace, name)) ?? assert.fail(`no Service ${name}`);
}

/** The address, or why there is none. */
function given(w: World, name: string, namespace?: string): string {
  const { status } = live(w, name, namespace);
  return (
    status?.loadBalancer?.ingress?.map(({ ip }) => ip).join(',') ??
    status?.conditions?.map(({ message }) => message ?? '').join() ??
    'nothing'
  );
}

const one = pool('one', ['192.0.2.7/32']);
const many = pool('many', ['192.0.2.16-192.0.2.31']);

describe('the address of a load balancer', () => {
  it('is of a pool, the same again for the same name, and given back with the type', () => {
    const w = world(many, balancer('web'));
    const address = given(w, 'web');
    assert.match(address, /^192\.0\.2\.(1[6-9]|2\d|3[01])$/);
    assert.deepEqual(live(w, 'web').status?.loadBalancer?.ingress, [{ ip: address, ipMode: 'VIP' }]);
    assert.equal(w.events.filter(({ reason }) => reason === 'IPAllocated').length, 1);
    assert.equal(given(world(many, balancer('web')), 'web'), address);
    w.put({ ...live(w, 'web'), spec: { ...live(w, 'web').spec, type: 'ClusterIP' } });
    w.settle(50);
    assert.equal(given(w, 'web'), 'nothing');
  });

  it('is none without a pool, and comes with one', () => {
    const w = world(balancer('web'));
    assert.match(given(w, 'web'), /there is no IPAddressPool/);
    w.put(one);
    w.settle(50);
    assert.equal(given(w, 'web'), '192.0.2.7');
    assert.deepEqual(live(w, 'web').status?.conditions, undefined);
  });

  it('moves with its pool', () => {
    const w = world(one, balancer('web'));
    w.put(pool('one', ['192.0.2.9/32']));
    w.settle(50);
    assert.equal(given(w, 'web'), '192.0.2.9');
  });

  it('is taken once; what waits for it has it when it is free', () => {
    const w = world(one, balancer('a'), balancer('b'));
    assert.equal(given(w, 'a'), '192.0.2.7');
    assert.match(given(w, 'b'), /no address is free/);
    w.remove(objectKey('Service', 'default', 'a'));
    w.settle(50);
    assert.equal(given(w, 'b'), '192.0.2.7');
  });

  const asked: readonly (readonly [string, Asked, RegExp])[] = [
    ['by its field', { spec: { loadBalancerIP: '192.0.2.20' } }, /^192\.0\.2\.20$/],
    ['by an annotation', { annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.21' } }, /^192\.0\.2\.21$/],
    [
      'by an annotation of before',
      { annotations: { 'metallb.universe.tf/loadBalancerIPs': '192.0.2.22' } },
      /^192\.0\.2\.22$/,
    ],
    [
      'by both, unlike',
      { spec: { loadBalancerIP: '192.0.2.20' }, annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.21' } },
      /ask for different/,
    ],
    ['outside of all pools', { spec: { loadBalancerIP: '203.0.113.1' } }, /no IPAddressPool has the address 203/],
    ['nonsense', { annotations: { 'metallb.io/loadBalancerIPs': 'x' } }, /must have one IPv4 address, found "x"/],
    ['a pool', { annotations: { 'metallb.io/address-pool': 'quiet' } }, /^192\.0\.2\.64$/],
    [
      'an address of another pool',
      { spec: { loadBalancerIP: '192.0.2.20' }, annotations: { 'metallb.io/address-pool': 'quiet' } },
      /is of the IPAddressPool many/,
    ],
    ['an unknown pool', { annotations: { 'metallb.io/address-pool': 'nowhere' } }, /no IPAddressPool nowhere/],
    ['a class of ours', { spec: { loadBalancerClass: 'plumbline.dev/load-balancer' } }, /^192\./],
    ['a class of another program', { spec: { loadBalancerClass: 'tailscale' } }, /loadBalancerClass tailscale/],
  ];
  for (const [name, of, expected] of asked)
    it(`asked for ${name}`, () => {
      assert.match(
        given(world(many, pool('quiet', ['192.0.2.64/32'], { autoAssign: false }), balancer('web', of)), 'web'),
        expected,
      );
    });

  it('is shared by Services with one key and ports of their own', () => {
    const share = { 'metallb.io/allow-shared-ip': 'dns' };
    const udp = { ports: [{ port: 80, protocol: 'UDP' }] };
    const w = world(
      one,
      balancer('tcp', { annotations: share }),
      balancer('udp', { annotations: share, spec: udp }),
      balancer('same-port', { annotations: share, spec: udp }),
      balancer('other-key', { annotations: { 'metallb.io/allow-shared-ip': 'x' }, spec: { ports: [{ port: 99 }] } }),
      balancer('local', { annotations: share, spec: { externalTrafficPolicy: 'Local', ports: [{ port: 98 }] } }),
    );
    assert.deepEqual(
      ['tcp', 'udp'].map((name) => given(w, name)),
      ['192.0.2.7', '192.0.2.7'],
    );
    for (const name of ['same-port', 'other-key', 'local']) assert.match(given(w, name), /no address is free/);
  });

  it('two that ask for one address: the older has it', () => {
    const ask = { spec: { loadBalancerIP: '192.0.2.7' } };
    const w = world(one, balancer('old', ask), balancer('young', ask));
    assert.equal(given(w, 'old'), '192.0.2.7');
    assert.match(given(w, 'young'), /is that of Service default\/old/);
  });

  it('is of a pool that is for it, before those for all', () => {
    const w = world(
      pool('all', ['192.0.2.1/32']),
      pool('second', ['192.0.2.2/32'], { serviceAllocation: { priority: 50, namespaces: ['shop'] } }),
      pool('first', ['192.0.2.3/32'], {
        serviceAllocation: { priority: 10, serviceSelectors: [{ matchLabels: { tier: 'edge' } }] },
      }),
      balancer('edge', { labels: { tier: 'edge' }, namespace: 'shop' }),
      balancer('shop', { namespace: 'shop' }),
      balancer('other'),
    );
    assert.deepEqual(
      [given(w, 'edge', 'shop'), given(w, 'shop', 'shop'), given(w, 'other')],
      ['192.0.2.3', '192.0.2.2', '192.0.2.1'],
    );
  });

  it('follows the labels of its namespace', () => {
    const w = world(
      pool('prod', ['192.0.2.2/32'], { serviceAllocation: { namespaceSelectors: [{ matchLabels: { env: 'prod' } }] } }),
      balancer('web', { namespace: 'shop' }),
    );
    assert.match(given(w, 'web', 'shop'), /no IPAddressPool/);
    w.put(
      NamespaceManifest.parse({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'shop', labels: { env: 'prod' } },
      }),
    );
    w.settle(50);
    assert.equal(given(w, 'web', 'shop'), '192.0.2.2');
  });

  it('never ends in .0 or .255 where the pool says so', () => {
    const w = world(pool('p', ['192.0.2.255-192.0.3.1'], { avoidBuggyIPs: true }), balancer('a'), balancer('b'));
    assert.equal(given(w, 'a'), '192.0.3.1');
    assert.match(given(w, 'b'), /no address is free/);
  });
});

describe('ports of nodes of a load balancer', () => {
  it('are given, unless it wants none; those that the user wrote stay', () => {
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 81, nodePort: 30777 },
    ];
    const nodePorts = (w: World): readonly (number | undefined)[] => live(w, 'web').spec.ports.map((p) => p.nodePort);
    assert.ok(nodePorts(world(many, balancer('web', { spec: { ports } }))).every((port) => port !== undefined));
    const none = world(many, balancer('web', { spec: { ports, allocateLoadBalancerNodePorts: false } }));
    assert.deepEqual(nodePorts(none), [undefined, 30777]);
  });

  it('one for its health where connections stay on their node', () => {
    const w = world(many, balancer('web', { spec: { externalTrafficPolicy: 'Local' } }), balancer('open'));
    const { healthCheckNodePort = 0, ports } = live(w, 'web').spec;
    assert.ok(healthCheckNodePort >= 30000 && healthCheckNodePort <= 32767);
    assert.notEqual(healthCheckNodePort, ports[0]?.nodePort);
    assert.equal(live(w, 'open').spec.healthCheckNodePort, undefined);
    assert.match(
      live(w, 'web').metadata.annotations?.['plumbline.dev/allocated'] ?? '',
      new RegExp(`healthCheckNodePort=${healthCheckNodePort}$`),
    );
  });
});
