import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey, type Pod, type Service } from '../../../contracts/objects/index.ts';
import { createEndpointSliceController } from '../../../reconciler/controllers/endpointslice.ts';
import { serviceController } from '../../../reconciler/controllers/service.ts';
import { cluster, pod, running, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const web = (name: string, ready: boolean, ip: string, spec: object = {}): Pod =>
  running(pod(name, { nodeName: 'n1', ...spec }, { labels: { app: 'web' } }), ready, undefined, ip);

function world(...objects: readonly (Pod | Service)[]): World {
  const w = new World([serviceController, createEndpointSliceController()]);
  w.put(cluster({ network: { serviceCIDR: '198.18.96.0/24' } }));
  for (const object of objects) w.put(object);
  w.settle(1000);
  assert.equal(w.conflicts, 0);
  return w;
}
const live = (w: World, name: string): Service =>
  w.get(objectKey('Service', 'default', name)) ?? assert.fail(`no Service ${name}`);

describe('endpoint slices', () => {
  it("list pods by name with Kubernetes' conditions", () => {
    const going = web('c', true, '198.18.1.3');
    const w = world(
      service('web'),
      web('b', true, '198.18.1.2'),
      web('a', false, '198.18.1.1'),
      { ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      { ...web('done', true, '198.18.1.4'), status: { phase: 'Succeeded', podIP: '198.18.1.4' } },
      pod('no-address', {}, { labels: { app: 'web' } }),
    );
    const slices = w.list('EndpointSlice');
    assert.equal(slices.length, 1);
    assert.match(slices[0]?.metadata.name ?? '', /^web-.{5}$/);
    assert.equal(slices[0]?.metadata.labels?.['kubernetes.io/service-name'], 'web');
    assert.deepEqual(slices[0]?.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
    assert.deepEqual(
      slices[0]?.endpoints.map((e) => [
        e.addresses[0],
        e.conditions.ready,
        e.conditions.serving,
        e.conditions.terminating,
      ]),
      [
        ['198.18.1.1', false, false, false],
        ['198.18.1.2', true, true, false],
        ['198.18.1.3', false, true, true],
      ],
    );
  });
  it('follow readiness, relabelling and removal, and then rest', () => {
    const w = world(service('web'), web('a', true, '198.18.1.1'), web('b', true, '198.18.1.2'));
    const ready = (): string[] =>
      w
        .list('EndpointSlice')
        .flatMap((s) => s.endpoints.filter((e) => e.conditions.ready).map((e) => e.addresses[0] ?? ''));
    w.put(web('a', false, '198.18.1.1'));
    w.settle(20);
    assert.deepEqual(ready(), ['198.18.1.2']);
    w.put({ ...web('b', true, '198.18.1.2'), metadata: { name: 'b', namespace: 'default', labels: { app: 'other' } } });
    w.settle(20);
    assert.deepEqual(
      w.list('EndpointSlice')[0]?.endpoints.map((e) => e.addresses[0]),
      ['198.18.1.1'],
    );
    w.remove(objectKey('Pod', 'default', 'a'));
    w.settle(20);
    assert.deepEqual(w.list('EndpointSlice')[0]?.endpoints, []);
    const version = w.list('EndpointSlice')[0]?.metadata.resourceVersion;
    w.resync();
    w.settle(20);
    assert.equal(w.list('EndpointSlice')[0]?.metadata.resourceVersion, version);
  });
  it('split where a named port resolves differently', () => {
    const named = (port: number): object => ({
      containers: [{ name: 'app', image: 'i', ports: [{ name: 'http', containerPort: port }] }],
    });
    const w = world(
      service('web', { ports: [{ name: 'main', port: 80, targetPort: 'http' }] }),
      web('a', true, '198.18.1.1', named(8080)),
      web('b', true, '198.18.1.2', named(9090)),
    );
    assert.deepEqual(
      w
        .list('EndpointSlice')
        .map((s) => [s.ports[0]?.port, s.endpoints.map((e) => e.targetRef?.name)])
        .sort(),
      [
        [8080, ['a']],
        [9090, ['b']],
      ],
    );
  });
  it('are none for a Service without a selector; publishNotReadyAddresses makes all ready', () => {
    const { selector: _none, ...rest } = service('bare').spec;
    const w = world(
      { ...service('bare'), spec: rest },
      service('all', { publishNotReadyAddresses: true }),
      web('a', false, '198.18.1.1'),
    );
    assert.deepEqual(
      w
        .list('EndpointSlice')
        .map((s) => [s.metadata.labels?.['kubernetes.io/service-name'], s.endpoints[0]?.conditions.ready]),
      [['all', true]],
    );
  });
});

describe('Service addresses', () => {
  it('come from the range, differ, stay, and are the same again for the same name', () => {
    const names = Array.from({ length: 60 }, (_, i) => `s${i}`);
    const w = world(...names.map((name) => service(name)));
    const addresses = names.map((name) => live(w, name).spec.clusterIP ?? '');
    assert.equal(new Set(addresses).size, 60);
    assert.ok(
      addresses.every(
        (ip) => /^198\.18\.96\.\d+$/.test(ip) && !['198.18.96.0', '198.18.96.1', '198.18.96.255'].includes(ip),
      ),
    );
    assert.equal(live(world(service('s0')), 's0').spec.clusterIP, addresses[0]);
  });
  it('headless Services get none', () => {
    assert.equal(live(world(service('web', { clusterIP: 'None' })), 'web').spec.clusterIP, 'None');
  });
  it('two that got the same: the younger takes another', () => {
    const w = world(service('old'));
    const { clusterIP } = live(w, 'old').spec;
    w.advance(1000);
    w.put({
      ...service('young', { clusterIP }),
      metadata: {
        name: 'young',
        namespace: 'default',
        annotations: { 'plumbline.dev/allocated': `clusterIP=${clusterIP}` },
      },
    });
    w.settle(50);
    assert.equal(live(w, 'old').spec.clusterIP, clusterIP);
    assert.notEqual(live(w, 'young').spec.clusterIP, clusterIP);
    assert.ok(w.events.some((e) => e.reason === 'Reallocated'));
  });
  it('one that the user gave is honoured; a clash is a condition and one event, gone when the other goes', () => {
    const w = world(service('first', { clusterIP: '198.18.96.7' }));
    w.advance(1000);
    w.put(service('second', { clusterIP: '198.18.96.7' }));
    w.settle(50);
    const told = live(w, 'second').status?.conditions?.[0];
    assert.deepEqual([told?.type, told?.status, told?.reason], ['AddressesAllocated', 'False', 'AddressInUse']);
    w.resync();
    w.settle(50);
    assert.equal(w.events.filter((e) => e.reason === 'AddressInUse').length, 1);
    w.remove(objectKey('Service', 'default', 'first'));
    w.settle(50);
    assert.deepEqual(live(w, 'second').status?.conditions ?? [], []);
  });
  it('outside the range is said', () => {
    assert.equal(
      live(world(service('web', { clusterIP: '192.0.2.1' })), 'web').status?.conditions?.[0]?.reason,
      'AddressOutOfRange',
    );
  });
  it('a full range is said, and filled when there is room again', () => {
    const w = new World([serviceController]);
    w.put(cluster({ network: { serviceCIDR: '198.18.96.0/30' } }));
    w.put(service('a'));
    w.put(service('b'));
    w.settle(50);
    const [got, waits] = ['a', 'b'].sort((x) => (live(w, x).spec.clusterIP ? -1 : 1));
    assert.equal(live(w, got ?? '').spec.clusterIP, '198.18.96.2');
    assert.equal(live(w, waits ?? '').status?.conditions?.[0]?.reason, 'AddressesExhausted');
    w.remove(objectKey('Service', 'default', got ?? ''));
    w.settle(50);
    assert.equal(live(w, waits ?? '').spec.clusterIP, '198.18.96.2');
  });
  it("node ports: allocated in range, the user's kept, given back with the type", () => {
    const w = world(
      service('np', {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81, nodePort: 30777 },
        ],
      }),
    );
    const [a, b] = live(w, 'np').spec.ports.map((p) => p.nodePort ?? 0);
    assert.ok(a !== undefined && a >= 30000 && a <= 32767 && a !== 30777);
    assert.equal(b, 30777);
    w.put({ ...live(w, 'np'), spec: { ...live(w, 'np').spec, type: 'ClusterIP' } });
    w.settle(20);
    assert.deepEqual(
      live(w, 'np').spec.ports.map((p) => p.nodePort),
      [undefined, 30777],
    );
  });
});
