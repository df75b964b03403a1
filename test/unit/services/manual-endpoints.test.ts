import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  EndpointsManifest,
  EndpointSliceManifest,
  objectKey,
  type EndpointSlice,
  type Service,
} from '../../../contracts/objects/index.ts';
import { endpointsController } from '../../../reconciler/controllers/endpoints.ts';
import { createEndpointSliceController } from '../../../reconciler/controllers/endpointslice.ts';
import { node, pod, running, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function bare(name = 'db'): Service {
  const { selector: _, ...spec } = service(name).spec;
  return { ...service(name), spec };
}

const ports = [{ name: 'sql', port: 5432 }];
function endpoints(
  metadata: object = {},
  subsets: readonly object[] = [{ addresses: [{ ip: '192.0.2.1' }], ports }],
): ReturnType<typeof EndpointsManifest.parse> {
  return EndpointsManifest.parse({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'db', namespace: 'default', ...metadata },
    subsets,
  });
}

function world(...objects: readonly Parameters<World['put']>[0][]): World {
  const w = new World([createEndpointSliceController(), endpointsController]);
  for (const object of objects) w.put(object);
  w.settle(100);
  return w;
}

/** `192.0.2.1 ready sql:5432`, of all slices. */
function told(w: World): readonly string[] {
  return w
    .list('EndpointSlice')
    .flatMap((slice: EndpointSlice) =>
      slice.endpoints.map(
        ({ addresses, conditions }) =>
          `${addresses.join()} ${conditions.ready ? 'ready' : 'not ready'} ${slice.ports.map((p) => `${p.name}:${p.port}`).join()}`,
      ),
    )
    .sort();
}

describe('Endpoints of a manifest', () => {
  it('are mirrored into slices of their Service, which follow them and go with them', () => {
    const w = world(bare(), endpoints());
    assert.deepEqual(told(w), ['192.0.2.1 ready sql:5432']);
    const [slice] = w.list('EndpointSlice');
    assert.equal(slice?.metadata.labels?.['kubernetes.io/service-name'], 'db');
    assert.equal(
      slice?.metadata.labels['endpointslice.kubernetes.io/managed-by'],
      'endpointslicemirroring-controller.k8s.io',
    );
    assert.equal(slice.metadata.ownerReferences?.[0]?.kind, 'Endpoints');
    const before = w.get(objectKey('Endpoints', 'default', 'db')) ?? assert.fail();
    const changed = endpoints({}, [
      { addresses: [{ ip: '192.0.2.2' }], notReadyAddresses: [{ ip: '192.0.2.3' }], ports },
      { addresses: [{ ip: '192.0.2.4' }], ports: [{ name: 'sql', port: 5433 }] },
    ]);
    w.put({ ...changed, metadata: before.metadata });
    w.settle(100);
    assert.deepEqual(told(w), ['192.0.2.2 ready sql:5432', '192.0.2.3 not ready sql:5432', '192.0.2.4 ready sql:5433']);
  });

  it('of both families are a slice for each', () => {
    const addresses = [{ ip: '192.0.2.1' }, { ip: 'FD00:2::0:1' }];
    const w = world(bare(), endpoints({}, [{ addresses, notReadyAddresses: [{ ip: 'fd00:2::9' }], ports }]));
    const slices = w.list('EndpointSlice').map((slice: EndpointSlice) => ({
      type: slice.addressType,
      told: slice.endpoints.map((one) => `${one.addresses.join()} ${one.conditions.ready ? 'ready' : 'not ready'}`),
    }));
    assert.deepEqual(
      slices.sort((a, b) => (a.type < b.type ? -1 : 1)),
      [
        { type: 'IPv4', told: ['192.0.2.1 ready'] },
        { type: 'IPv6', told: ['fd00:2::1 ready', 'fd00:2::9 not ready'] },
      ],
    );
    const alone = world(bare(), endpoints());
    const name = (of: World): string[] =>
      of.list('EndpointSlice').flatMap(({ addressType, metadata }) => (addressType === 'IPv4' ? [metadata.name] : []));
    assert.deepEqual(name(w), name(alone));
  });

  const not: readonly (readonly [string, () => World])[] = [
    ['without a Service', () => world(endpoints())],
    ['of a Service with a selector', () => world(service('db'), endpoints())],
    ['that say so', () => world(bare(), endpoints({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }))],
    [
      'that are a lock',
      () => world(bare(), endpoints({ annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } })),
    ],
  ];
  for (const [name, make] of not)
    it(`are left alone ${name}`, () => {
      assert.deepEqual(told(make()), []);
    });

  it('are mirrored as soon as there is a Service', () => {
    const w = world(endpoints());
    w.put(bare());
    w.settle(100);
    assert.deepEqual(told(w), ['192.0.2.1 ready sql:5432']);
  });
});

describe('an EndpointSlice of a manifest', () => {
  const manifest = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'db-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
  };

  it('has the conditions that Kubernetes reads where none are said', () => {
    const read = EndpointSliceManifest.parse({
      ...manifest,
      endpoints: [
        { addresses: ['192.0.2.1'] },
        { addresses: ['192.0.2.2'], conditions: { ready: false } },
        { addresses: ['192.0.2.3'], conditions: { ready: false, serving: true, terminating: true } },
      ],
    });
    assert.deepEqual(
      read.endpoints.map(({ conditions }) => conditions),
      [
        { ready: true, serving: true, terminating: false },
        { ready: false, serving: false, terminating: false },
        { ready: false, serving: true, terminating: true },
      ],
    );
  });

  it('stays as it is beside a Service without a selector', () => {
    const slice = EndpointSliceManifest.parse({ ...manifest, endpoints: [{ addresses: ['192.0.2.1'] }], ports });
    const w = world(bare(), slice);
    w.resync();
    w.settle(100);
    assert.deepEqual(told(w), ['192.0.2.1 ready sql:5432']);
  });

  it('of another kind of address, or with addresses of another family, is refused', () => {
    const read = (addressType: string, address: string): boolean =>
      EndpointSliceManifest.safeParse({ ...manifest, addressType, endpoints: [{ addresses: [address] }] }).success;
    assert.deepEqual(
      [read('IPv6', 'fd00:2::1'), read('IPv6', '192.0.2.1'), read('IPv4', 'fd00:2::1'), read('FQDN', 'a.example')],
      [true, false, false, false],
    );
  });
});

describe('endpoints of a Service that prefers near ones', () => {
  const zoned = (zone: string): ReturnType<typeof node> => {
    const made = node('n1');
    return {
      ...made,
      metadata: { ...made.metadata, labels: { ...made.metadata.labels, 'topology.kubernetes.io/zone': zone } },
    };
  };
  const web = running(pod('a', { nodeName: 'n1' }, { labels: { app: 'web' } }), true, undefined, '198.18.1.1');
  const hints = (w: World): unknown => w.list('EndpointSlice')[0]?.endpoints[0]?.hints;

  it('have hints for their zone, or their node, that follow the zone', () => {
    const w = world(zoned('a'), service('web', { trafficDistribution: 'PreferClose' }), web);
    assert.deepEqual(hints(w), { forZones: [{ name: 'a' }] });
    const stored = w.get(objectKey('Node', undefined, 'n1')) ?? assert.fail();
    w.put({ ...stored, metadata: { ...stored.metadata, labels: zoned('b').metadata.labels } });
    w.settle(100);
    assert.deepEqual(hints(w), { forZones: [{ name: 'b' }] });
    const near = world(zoned('a'), service('web', { trafficDistribution: 'PreferSameNode' }), web);
    assert.deepEqual(hints(near), { forZones: [{ name: 'a' }], forNodes: [{ name: 'n1' }] });
  });

  it('have none while they are not ready, and none of a Service that prefers nothing', () => {
    const unready = running(pod('a', { nodeName: 'n1' }, { labels: { app: 'web' } }), false, undefined, '198.18.1.1');
    assert.equal(hints(world(zoned('a'), service('web', { trafficDistribution: 'PreferClose' }), unready)), undefined);
    assert.equal(hints(world(zoned('a'), service('web'), web)), undefined);
  });
});
