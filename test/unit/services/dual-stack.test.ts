/** Services of a cluster that has both address families. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cidrHas, familyOf } from '../../../contracts/ip.ts';
import { objectKey, podRangeOf, type Pod, type Service } from '../../../contracts/objects/index.ts';
import { createEndpointSliceController } from '../../../reconciler/controllers/endpointslice.ts';
import { serviceController } from '../../../reconciler/controllers/service.ts';
import { cluster, pod, running, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const NETWORK = {
  podCIDRs: ['198.19.0.0/16', 'fd00:19::/56'],
  serviceCIDRs: ['198.18.96.0/24', 'fd00:18::/112'],
};

function world(network: object, ...objects: readonly (Pod | Service)[]): World {
  const w = new World([serviceController, createEndpointSliceController()]);
  w.put(cluster({ network }));
  for (const object of objects) w.put(object);
  w.settle(1000);
  return w;
}
const live = (w: World, name: string): Service =>
  w.get(objectKey('Service', 'default', name)) ?? assert.fail(`no Service ${name}`);
const families = (w: World, name: string): unknown => {
  const { clusterIP, clusterIPs } = live(w, name).spec;
  return (clusterIPs ?? [clusterIP ?? '']).map(familyOf);
};
const web = (): Pod => {
  const one = running(pod('a', { nodeName: 'n1' }, { labels: { app: 'web' } }), true, undefined, '198.19.1.5');
  return {
    ...one,
    status: { ...one.status, phase: 'Running', podIPs: [{ ip: '198.19.1.5' }, { ip: 'fd00:19:0:1::5' }] },
  };
};
const sliceAddresses = (w: World, name: string): unknown =>
  w
    .list('EndpointSlice')
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
    .map(({ addressType, endpoints }) => [addressType, endpoints.flatMap(({ addresses }) => addresses)])
    .sort();

describe('Services of both address families', () => {
  const cases: readonly (readonly [spec: object, families: readonly string[]])[] = [
    [{}, ['IPv4']],
    [{ ipFamilyPolicy: 'SingleStack' }, ['IPv4']],
    [{ ipFamilies: ['IPv6'] }, ['IPv6']],
    [{ ipFamilyPolicy: 'PreferDualStack' }, ['IPv4', 'IPv6']],
    [{ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, ['IPv6', 'IPv4']],
    [{ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] }, ['IPv6', 'IPv4']],
    [{ clusterIP: 'fd00:18::77' }, ['IPv6']],
  ];
  for (const [spec, wanted] of cases)
    it(`${JSON.stringify(spec)} has ${wanted.join(' and ')}, with endpoints of the same`, () => {
      const w = world(NETWORK, service('web', spec), web());
      assert.deepEqual(families(w, 'web'), wanted);
      const addresses = { IPv4: '198.19.1.5', IPv6: 'fd00:19:0:1::5' };
      assert.deepEqual(
        sliceAddresses(w, 'web'),
        wanted.map((family) => [family, [addresses[family as 'IPv4' | 'IPv6']]]).sort(),
      );
    });

  it('keep what they have, and are given others where an older one has it', () => {
    const w = world(NETWORK, service('web', { ipFamilyPolicy: 'PreferDualStack' }));
    const before = live(w, 'web').spec;
    assert.ok(cidrHas('fd00:18::/112', before.clusterIPs?.[1] ?? ''));
    const other = service('other');
    const { annotations } = live(w, 'web').metadata;
    w.put({
      ...other,
      metadata: { ...other.metadata, ...(annotations && { annotations }), creationTimestamp: '2099-01-01T00:00:00Z' },
      spec: before,
    });
    w.settle(1000);
    assert.deepEqual(live(w, 'web').spec.clusterIPs, before.clusterIPs);
    const taken = new Set(before.clusterIPs);
    assert.ok((live(w, 'other').spec.clusterIPs ?? ['none']).length === 2);
    assert.ok((live(w, 'other').spec.clusterIPs ?? []).every((address) => !taken.has(address)));
  });

  it('give the second address back, and get one, as their policy changes', () => {
    const w = world(NETWORK, service('web', { ipFamilyPolicy: 'PreferDualStack' }));
    const [first] = live(w, 'web').spec.clusterIPs ?? [];
    w.put({ ...live(w, 'web'), spec: { ...live(w, 'web').spec, ipFamilyPolicy: 'SingleStack' } });
    w.settle(1000);
    assert.deepEqual([live(w, 'web').spec.clusterIP, live(w, 'web').spec.clusterIPs], [first, undefined]);
  });

  it('have one family where the cluster has one, and nothing more is written of them', () => {
    const w = world({ serviceCIDR: '198.18.96.0/24' }, service('web', { ipFamilyPolicy: 'PreferDualStack' }), web());
    assert.deepEqual(families(w, 'web'), ['IPv4']);
    assert.equal(live(w, 'web').spec.clusterIPs, undefined);
    assert.deepEqual(sliceAddresses(w, 'web'), [['IPv4', ['198.19.1.5']]]);
  });
});

describe("a node's range of IPv6", () => {
  const { network } = cluster({ network: { ...NETWORK, nodeMaskSize: 24 } }).spec;
  for (const [podCIDR, range] of [
    ['198.19.0.0/24', 'fd00:19::/64'],
    ['198.19.255.0/24', 'fd00:19:0:ff::/64'],
    ['198.19.2.0/23', 'fd00:19:0:2::/64'],
    ['198.19.2.0/25', undefined],
    ['10.0.0.0/24', undefined],
    [undefined, undefined],
  ] as const)
    it(`of ${podCIDR ?? 'none'} is ${range ?? 'none'}`, () => {
      assert.equal(podRangeOf({ spec: podCIDR === undefined ? {} : { podCIDR } }, network, 'IPv6'), range);
    });
});
