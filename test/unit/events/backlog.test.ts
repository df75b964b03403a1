import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventBacklog, type Waiting } from '../../../reconciler/core/events/backlog.ts';
import { telling } from './tellings.ts';

const SECOND = 1000;
const named = (batch: readonly Waiting[]): string[] =>
  batch.map(({ telling: { involvedObject, reason } }) => `${involvedObject.name} ${reason}`);

function backlogOf(pods: number, reasons = ['Scheduled', 'Pulled', 'Created', 'Started']): EventBacklog {
  const backlog = new EventBacklog(0);
  for (let n = 0; n < pods; n += 1) for (const reason of reasons) backlog.add(telling(`pod-${n}`, { reason }), []);
  return backlog;
}

describe('EventBacklog', () => {
  it('writes what is told of a push of 250 pods at once', () => {
    const backlog = backlogOf(250);
    assert.equal(backlog.take(0).length, 1000);
    assert.equal(backlog.size, 0);
  });

  it("writes fifty of the pods' Normal events a second beyond that, all of a pod together, in their order", () => {
    const backlog = backlogOf(300);
    assert.equal(backlog.take(0).length, 1000);
    assert.deepEqual(backlog.take(0), []);
    const next = backlog.take(SECOND);
    assert.deepEqual(named(next).slice(0, 4), [
      'pod-250 Scheduled',
      'pod-250 Pulled',
      'pod-250 Created',
      'pod-250 Started',
    ]);
    assert.equal(next.length, 52, 'thirteen pods');
    assert.equal(backlog.take(2 * SECOND).length, 48, 'the two too many are made up for');
  });

  it('keeps of a pod all or nothing of what waits when pods tell more than is kept: of those told last', () => {
    const backlog = backlogOf(10_000);
    assert.equal(backlog.size, 2000);
    assert.equal(backlog.dropped, 38_000);
    assert.equal(named(backlog.takeAll())[0], 'pod-9500 Scheduled');
  });

  it('writes a warning at once, and what waits of the same pod with it', () => {
    const backlog = backlogOf(400);
    backlog.take(0);
    backlog.add(telling('pod-390', { type: 'Warning', reason: 'Failed' }), []);
    assert.deepEqual(named(backlog.take(0)), [
      'pod-390 Scheduled',
      'pod-390 Pulled',
      'pod-390 Created',
      'pod-390 Started',
      'pod-390 Failed',
    ]);
  });

  it('never drops a warning for what pods tell that are well', () => {
    const backlog = new EventBacklog(0);
    backlog.add(telling('broken', { reason: 'Scheduled' }), []);
    backlog.add(telling('broken', { type: 'Warning', reason: 'Failed' }), []);
    for (let n = 0; n < 5000; n += 1) backlog.add(telling(`pod-${n}`), []);
    assert.deepEqual(named(backlog.takeAll()).slice(0, 2), ['broken Scheduled', 'broken Failed']);
  });

  it('is bounded where all that is told is warnings', () => {
    const backlog = new EventBacklog(0);
    for (let n = 0; n < 5000; n += 1) backlog.add(telling(`pod-${n}`, { type: 'Warning' }), []);
    for (let n = 0; n < 5000; n += 1) backlog.add(telling('one', { type: 'Warning', reason: `R${n}` }), []);
    assert.equal(backlog.size, 2000);
    assert.equal(named(backlog.takeAll()).filter((name) => name.startsWith('one ')).length, 25);
  });

  it('lets go of an object, when too much of it waits, what was seen longest ago', () => {
    const backlog = new EventBacklog(0);
    for (let n = 0; n < 25; n += 1) backlog.add(telling('one', { reason: `R${n}`, at: n }), []);
    backlog.add(telling('one', { reason: 'R0', at: 30 }), []);
    backlog.add(telling('one', { reason: 'R25', at: 31 }), []);
    const left = named(backlog.takeAll());
    assert.equal(left.length, 25);
    assert.deepEqual([left[0], left[1], left.at(-1)], ['one R0', 'one R2', 'one R25']);
  });

  it("does not make other objects' events wait for the pods'", () => {
    const backlog = backlogOf(500);
    backlog.take(0);
    backlog.add(telling('web', { kind: 'Deployment', reason: 'ScalingReplicaSet' }), []);
    assert.deepEqual(named(backlog.take(0)), ['web ScalingReplicaSet']);
  });

  it('gives an object 25 turns, then one every 30 seconds, and loses no count', () => {
    const backlog = new EventBacklog(0);
    const warn = (): void => {
      backlog.add(telling('crashing', { type: 'Warning', reason: 'BackOff' }), []);
    };
    let written = 0;
    let counted = 0;
    const write = (at: number): void => {
      for (const { telling: said } of backlog.take(at)) {
        written += 1;
        counted += said.count;
      }
    };
    for (let n = 0; n < 100; n += 1) {
      warn();
      write(0);
    }
    assert.equal(written, 25);
    assert.equal(counted, 25);
    write(30 * SECOND);
    assert.equal(written, 26);
    assert.equal(counted, 100);
    warn();
    write(59 * SECOND);
    assert.equal(written, 26);
    write(60 * SECOND);
    assert.equal(counted, 101);
  });

  it('counts what is told while an equal one is being written, in the order it was told', () => {
    const backlog = new EventBacklog(0);
    backlog.add(telling('a', { at: 0 }), []);
    const batch = backlog.take(0);
    backlog.add(telling('a', { at: 7 }), []);
    backlog.putBack(batch);
    const [both] = backlog.takeAll();
    assert.equal(both?.telling.count, 2);
    assert.equal(both.telling.firstTimestamp, telling('a', { at: 0 }).firstTimestamp);
    assert.equal(both.telling.lastTimestamp, telling('a', { at: 7 }).lastTimestamp);
    assert.equal(backlog.size, 0);
  });
});
