/** What quotas count is kept up as objects change: always what a count from scratch finds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  keyOf,
  PersistentVolumeClaimManifest,
  PodManifest,
  ResourceQuotaManifest,
  ServiceManifest,
  type KubeObject,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { standingOf, type QuotaReader } from '../../../reconciler/core/quota/ledger.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const NAMES = ['a', 'b', 'c'];
const HARD = { pods: '10', 'count/pods': '20', 'requests.cpu': '8', 'limits.memory': '8Gi' };
const QUOTAS = [
  { hard: HARD },
  { hard: HARD, scopes: ['NotBestEffort'] },
  { hard: { services: '5', 'services.nodeports': '2', 'requests.storage': '9Gi', 'count/resourcequotas': '3' } },
];

let versions = 0;
function stored(object: KubeObject, metadata: object = {}): Stored {
  versions += 1;
  const own = { uid: `${object.metadata.name}-uid`, resourceVersion: String(versions), generation: 1 };
  const creationTimestamp = new Date(NOW).toISOString();
  return { ...object, metadata: { ...object.metadata, ...own, creationTimestamp, ...metadata } };
}

function named(apiVersion: string, kind: string, name: string, namespace: string, spec: object): object {
  return { apiVersion, kind, metadata: { name, namespace }, spec };
}

const name = fc.constantFrom(...NAMES);
const namespace = fc.constantFrom('one', 'other');
const resources = fc.constantFrom(
  {},
  { requests: { cpu: '100m' } },
  { requests: { cpu: '2' }, limits: { memory: '3' } },
  // More than a number holds exactly.
  { limits: { memory: '90000Ti' } },
);
const ending = fc.option(fc.integer({ min: -60, max: 60 }), { nil: undefined });
const phase = fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed');

const pod = fc.tuple(name, namespace, resources, ending, phase).map(([n, ns, asked, endsIn, in_]) => {
  const made = PodManifest.parse(
    named('v1', 'Pod', n, ns, { containers: [{ name: 'c', image: 'x', resources: asked }] }),
  );
  const end =
    endsIn === undefined
      ? {}
      : { deletionTimestamp: new Date(NOW + endsIn * 1000).toISOString(), deletionGracePeriodSeconds: 10 };
  return stored({ ...made, status: { phase: in_ } }, end);
});
const service = fc.tuple(name, namespace, fc.boolean()).map(([n, ns, isOpen]) => {
  const spec = { selector: { app: 'x' }, ports: [{ port: 80 }], ...(isOpen && { type: 'NodePort' }) };
  return stored(ServiceManifest.parse(named('v1', 'Service', n, ns, spec)));
});
const claim = fc.tuple(name, namespace, fc.constantFrom('1Gi', '5Gi')).map(([n, ns, storage]) => {
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } };
  return stored(PersistentVolumeClaimManifest.parse(named('v1', 'PersistentVolumeClaim', n, ns, spec)));
});
/** Made anew under another uid, or changed in its spec: what was counted for it before counts no more. */
const quota = fc
  .tuple(name, fc.constantFrom(...QUOTAS), fc.constantFrom('first', 'second'), fc.nat(2))
  .map(([n, spec, uid, generation]) =>
    stored(ResourceQuotaManifest.parse(named('v1', 'ResourceQuota', n, 'one', spec)), {
      uid: `${n}-${uid}`,
      generation: 100 * QUOTAS.indexOf(spec) + generation,
    }),
  );
const change = fc.record({
  object: fc.oneof({ weight: 6, arbitrary: pod }, service, claim, { weight: 2, arbitrary: quota }),
  isPut: fc.boolean(),
  askedAt: ending,
});

describe('what quotas count', () => {
  it('is what a count from scratch finds, whatever changed, at any time', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const table = new ObjectTable();
        const scratch: QuotaReader = { get: (key) => table.get(key), list: (kind, ns) => table.list(kind, ns) };
        for (const { object, isPut, askedAt } of changes) {
          if (isPut) table.put(object);
          else table.remove(keyOf(object));
          if (askedAt === undefined) continue;
          const now = new Date(NOW + askedAt * 1000);
          for (const one of table.list('ResourceQuota'))
            assert.deepEqual(standingOf(one, table, now), standingOf(one, scratch, now));
        }
      }),
      { numRuns: 300 },
    );
  });

  const limitedTo = (n: string, memory: string): Stored =>
    stored(
      PodManifest.parse(
        named('v1', 'Pod', n, 'one', { containers: [{ name: 'c', image: 'x', resources: { limits: { memory } } }] }),
      ),
    );

  it('is right again after a sum that no number holds exactly', () => {
    const table = new ObjectTable();
    const one = stored(ResourceQuotaManifest.parse(named('v1', 'ResourceQuota', 'q', 'one', { hard: HARD })));
    assert.ok(one.kind === 'ResourceQuota');
    table.put(one);
    table.put(limitedTo('small', '3'));
    assert.equal(table.quotaCount(one).used.get('limits.memory'), 3);
    const huge = limitedTo('huge', '90000Ti');
    table.put(huge);
    table.remove(keyOf(huge));
    assert.equal(table.quotaCount(one).used.get('limits.memory'), 3);
  });

  it('is counted once, not for each time that it is asked', () => {
    const table = new ObjectTable();
    const one = stored(ResourceQuotaManifest.parse(named('v1', 'ResourceQuota', 'q', 'one', { hard: HARD })));
    assert.ok(one.kind === 'ResourceQuota');
    table.put(one);
    const made = table.quotaCount(one);
    for (const n of NAMES) table.put(limitedTo(n, '1Gi'));
    assert.equal(table.quotaCount(one), made);
    assert.equal(made.used.get('pods'), NAMES.length);
  });
});
