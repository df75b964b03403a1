/** Endpoints of Services with a selector, as they are read. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getObject, listObjects } from '../../../reconciler/api/objects.ts';
import { endpointSlices } from '../../../reconciler/core/services/endpoints.ts';
import { pod, running, service, TIME } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { stored } from '../nodes/stored.ts';

const LABELS = { labels: { app: 'web' } };

function world(...made: readonly ReturnType<typeof service>[]): World {
  const it = new World();
  it.put(running(pod('a', { nodeName: 'n1' }, LABELS), true, TIME, '10.0.0.2'));
  it.put(running(pod('b', { nodeName: 'n2' }, LABELS), false, TIME, '10.0.0.1'));
  it.put(running(pod('c', { nodeName: 'n2' }, { ...LABELS, deletionTimestamp: TIME }), true, TIME, '10.0.0.3'));
  for (const one of made)
    for (const slice of endpointSlices(
      stored<'Service'>(it.put(one)),
      it.list('Pod').filter(() => one.spec.selector?.['app'] === 'web'),
    ))
      it.put(slice);
  return it;
}

const subsets = (found: unknown): unknown => (found as { readonly subsets: unknown }).subsets;

describe('Endpoints of a Service with a selector', () => {
  it('are those of its slices: ready ones, others, and none that ends', () => {
    const found = getObject(world(service('web')), 'Endpoints', 'default', 'web', false);
    const [subset, ...more] = subsets(found) as {
      addresses: { ip: string; nodeName: string; targetRef: { name: string } }[];
      notReadyAddresses: { ip: string }[];
      ports: unknown;
    }[];
    assert.equal(more.length, 0);
    assert.deepEqual(
      subset?.addresses.map(({ ip, nodeName, targetRef }) => [ip, nodeName, targetRef.name]),
      [['10.0.0.2', 'n1', 'a']],
    );
    assert.deepEqual(
      subset.notReadyAddresses.map(({ ip }) => ip),
      ['10.0.0.1'],
    );
    assert.deepEqual(subset.ports, [{ port: 8080, protocol: 'TCP' }]);
  });

  it('are empty where nobody is behind it', () => {
    const found = getObject(
      world(service('none', { selector: { app: 'none' } })),
      'Endpoints',
      'default',
      'none',
      false,
    );
    assert.deepEqual(subsets(found), []);
  });

  it('are listed with those of manifests, which they do not hide', () => {
    const it = world(service('web'), service('hand'), service('alone', { selector: undefined }));
    const byHand = [{ addresses: [{ ip: '192.0.2.1' }], notReadyAddresses: [], ports: [] }];
    for (const name of ['hand', 'alone'])
      it.put({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace: 'default' }, subsets: byHand });
    const listed = listObjects(it, 'Endpoints', { namespace: 'default' }).items;
    assert.deepEqual(
      listed.map(({ metadata }) => metadata.name),
      ['alone', 'hand', 'web'],
    );
    assert.deepEqual(listed.slice(0, 2).map(subsets), [byHand, byHand]);
    assert.deepEqual(listObjects(it, 'Endpoints', { namespace: 'other' }).items, []);
  });

  for (const name of ['alone', 'nobody'])
    it(`are not there for ${name}`, () => {
      const it = world(service('alone', { selector: undefined }));
      assert.throws(() => getObject(it, 'Endpoints', 'default', name, false), /not found/);
    });
});
