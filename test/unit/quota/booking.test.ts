/** A booking of what was made, and went before the quota was counted anew. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  objectKey,
  type Stored,
  type StoredConfigMap,
  type StoredResourceQuota,
} from '../../../contracts/objects/index.ts';
import { standingOf } from '../../../reconciler/core/quota/ledger.ts';
import { world } from '../runtime/world.ts';

const KEY = objectKey('ConfigMap', 'default', 'a');
const now = new Date('2026-11-30T12:00:00Z');

function quota(since: string): StoredResourceQuota {
  const uses = { configmaps: '1' };
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'q', namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
    spec: { hard: { configmaps: '1' } },
    status: { hard: { configmaps: '1' }, used: uses, booked: { [KEY]: { since, at: now.toISOString(), uses } } },
  } as unknown as StoredResourceQuota;
}

describe('a booking of an object that is made', () => {
  it('is over once the object was seen to go, and stands while that was an earlier one', async () => {
    const w = await world();
    try {
      const [made] = await w.other.write([
        {
          op: 'create',
          object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' }, data: {} },
        },
      ]);
      assert.ok(made?.ok);
      await w.until(() => w.cache.get(KEY) !== undefined, 'it is there');
      const before = String(Number(made.object.metadata.resourceVersion) - 1);
      const reader = {
        get: w.cache.get.bind(w.cache),
        list: w.cache.list.bind(w.cache),
        hasGone: w.cache.hasGone.bind(w.cache),
      };
      const used = (since: string): number | undefined => standingOf(quota(since), reader, now).used.get('configmaps');
      assert.equal(used(before), 1, 'it is there');
      await w.other.write([{ op: 'delete', key: KEY }]);
      await w.until(() => w.cache.get(KEY) === undefined, 'it is gone');
      assert.equal(used(before) ?? 0, 0, 'it was made after, and is gone');
      assert.equal(used(w.cache.newest), 1, 'what is gone went before this one was booked');
    } finally {
      await w.close();
    }
  });

  it('is known by the version of what was seen, own writes among it', async () => {
    const w = await world();
    try {
      const [made] = await w.cache.write([
        {
          op: 'create',
          object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b', namespace: 'default' }, data: {} },
        },
      ]);
      assert.ok(made?.ok);
      assert.equal(w.cache.newest, (made.object as Stored & StoredConfigMap).metadata.resourceVersion);
    } finally {
      await w.close();
    }
  });
});
