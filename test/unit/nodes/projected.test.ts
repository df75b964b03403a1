import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { projected, projectedAfter } from '../../../reconciler/core/nodes/projected.ts';
import { boundPod } from './stored.ts';

describe('a pod’s form for its node, after another', () => {
  const pod = boundPod('p1', 'n1', {}, { labels: { app: 'web' }, managedFields: [] });
  const { metadata, spec } = pod;
  const before = projected(pod);

  it('is the one of before where the status alone changed', () => {
    const status = { phase: 'Running' as const };
    const after = { ...pod, metadata: { ...metadata, resourceVersion: '99', managedFields: [] }, status };
    assert.equal(projectedAfter(before, after), before);
  });

  const changes = {
    spec: { ...pod, spec: { ...spec, nodeName: 'n2' } },
    labels: { ...pod, metadata: { ...metadata, labels: { app: 'db' } } },
    'no labels': { ...pod, metadata: { ...metadata, labels: undefined } },
    end: { ...pod, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    uid: { ...pod, metadata: { ...metadata, uid: 'another' } },
  };
  for (const [what, after] of Object.entries(changes))
    it(`is another where it has another ${what}`, () => {
      const next = projectedAfter(before, after);
      assert.notEqual(next.digest, before.digest);
      assert.deepEqual(next, projected(after as typeof pod));
    });

  it('is as it was where an equal part was made anew', () => {
    const after = { ...pod, spec: structuredClone(spec) };
    assert.equal(projectedAfter(before, after).digest, before.digest);
  });
});
