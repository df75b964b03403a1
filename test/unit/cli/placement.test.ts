/** What `plumb explain` says of a pod's turn in the queue. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { placementLinks } from '../../../cli/print/placement.ts';
import type { QueueSituation } from '../../../reconciler/core/scheduling/explain.ts';

describe('a pod in the queue', () => {
  const now = new Date('2026-01-01T00:01:00Z');
  const unschedulable: QueueSituation = {
    part: 'unschedulable',
    attempts: 2,
    waitsFor: [],
    since: '2026-01-01T00:00:00Z',
    lastTried: '2026-01-01T00:00:30Z',
    nextTryBy: '2026-01-01T00:05:30Z',
  };
  const rows: readonly { name: string; queue: QueueSituation; text: string }[] = [
    {
      name: 'not tried yet',
      queue: { part: 'active', attempts: 0, waitsFor: [], since: '2026-01-01T00:00:00Z' },
      text: 'active: it is tried as soon as it is its turn; there for 60s, not tried yet',
    },
    {
      name: 'that any change may help',
      queue: unschedulable,
      text: 'unschedulable: waits for any change; tried again in 4m at the latest; there for 60s, tried 2 times, last 30s ago',
    },
    {
      name: 'that some changes may help',
      queue: { ...unschedulable, waitsFor: ['NodeAffinity', 'NodeResourcesFit'] },
      text: 'unschedulable: waits for a change that NodeAffinity or NodeResourcesFit looks at; tried again in 4m at the latest; there for 60s, tried 2 times, last 30s ago',
    },
    {
      name: 'for which room is made',
      queue: { ...unschedulable, attempts: 1, roomOn: 'n1' },
      text: 'unschedulable: waits for pods to leave n1; tried again in 4m at the latest; there for 60s, tried once, last 30s ago',
    },
    {
      name: 'that backs off',
      queue: { ...unschedulable, part: 'backoff', nextTryBy: '2026-01-01T00:01:05Z' },
      text: 'backing off: tried again in 5s; there for 60s, tried 2 times, last 30s ago',
    },
  ];
  for (const { name, queue, text } of rows) {
    it(name, () => {
      const links = placementLinks({ is: 'waiting', message: 'it waits', nodes: 0, verdicts: [], queue }, now);
      assert.deepEqual(links, [
        ['placement', 'it waits'],
        ['queue', text],
      ]);
    });
  }
});
