import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asTold, eventOf, merged, type Telling } from '../../../reconciler/core/events/similar.ts';
import { telling } from './tellings.ts';

const created = (n: number, more: Parameters<typeof telling>[1] = {}): Telling =>
  telling('web', { kind: 'ReplicaSet', reason: 'SuccessfulCreate', message: `Created pod: web-${n}`, ...more });

/** What the store has when all of these were told. */
function told(all: readonly Telling[]): Map<string, Telling> {
  const events = new Map<string, Telling>();
  for (const one of all) {
    const event = eventOf(asTold(one, events.values()));
    const known = events.get(event.metadata.name);
    events.set(event.metadata.name, known ? merged(known, event) : event);
  }
  return events;
}

describe('similar events', () => {
  it('are one from the tenth on, which has the newest message and counts all of them', () => {
    const events = [...told(Array.from({ length: 500 }, (_, n) => created(n, { at: n }))).values()];
    assert.equal(events.length, 10);
    assert.deepEqual(
      events.slice(0, 9).map(({ message, count }) => [message, count]),
      Array.from({ length: 9 }, (_, n) => [`Created pod: web-${n}`, 1]),
    );
    const combined = events.at(-1);
    assert.equal(combined?.message, '(combined from similar events): Created pod: web-499');
    assert.equal(combined.count, 491);
    assert.equal(combined.firstTimestamp, '2026-01-01T00:00:09.000Z');
    assert.equal(combined.lastTimestamp, '2026-01-01T00:08:19.000Z');
  });

  it('are told one by one again when none came for ten minutes', () => {
    const events = told([...Array.from({ length: 20 }, (_, n) => created(n)), created(20, { at: 601 })]);
    assert.equal([...events.values()].at(-1)?.message, 'Created pod: web-20');
  });

  it('are as many as their messages: one that is written and waits again is no second one', () => {
    const five = Array.from({ length: 5 }, (_, n) => created(n));
    const next = created(5);
    assert.equal(asTold(next, [...five, ...five]), next);
  });

  it('are of one reason, type and source', () => {
    const nine = Array.from({ length: 9 }, (_, n) => created(n));
    const others = [
      created(9, { reason: 'SuccessfulDelete' }),
      created(9, { type: 'Warning' }),
      created(9, { source: { component: 'another' } }),
      created(9, { source: { component: 'nodeagent', host: 'node-1' } }),
    ];
    for (const other of others) assert.equal(asTold(other, nine), other);
    assert.notEqual(asTold(created(9), nine), created(9));
  });

  it('leave the one that was told before what it is: it is counted', () => {
    const events = told([...Array.from({ length: 20 }, (_, n) => created(n)), created(3), created(3)]);
    assert.equal([...events.values()].find(({ message }) => message === 'Created pod: web-3')?.count, 3);
    assert.equal(events.size, 10);
  });
});
