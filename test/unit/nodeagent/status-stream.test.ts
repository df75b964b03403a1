/** What a reader of the status stream gets who does not read for a while. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { streamStatus } from '../../../nodeagent/loops/api/status-stream.ts';
import { createStatusHub, EVENTS_KEPT, type StatusHub } from '../../../nodeagent/loops/status-hub.ts';

const POD = { namespace: 'default', name: 'app', uid: 'u1' };

/** Takes one line, and the others when it is told to read on. */
class SlowReader extends Writable {
  readonly lines: { type: string; event?: { message: string } }[] = [];
  private goOn: (() => void) | undefined;
  private reading = false;
  constructor() {
    super({ highWaterMark: 1, decodeStrings: true });
  }
  writeHead(): void {
    /* It does not look at headers. */
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.lines.push(JSON.parse(chunk.toString()) as SlowReader['lines'][number]);
    if (this.reading) done();
    else this.goOn = done;
  }
  read(): void {
    this.reading = true;
    this.goOn?.();
  }
}

async function readLate(say: (hub: StatusHub) => void): Promise<SlowReader['lines']> {
  const hub = createStatusHub(systemClock);
  const closing = new AbortController();
  const reader = new SlowReader();
  const streamed = streamStatus(reader as unknown as ServerResponse, hub, systemClock, closing.signal);
  say(hub);
  reader.read();
  while (reader.writableNeedDrain)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  closing.abort();
  await streamed;
  return reader.lines;
}

describe('a pod that is gone', () => {
  it('is told with its last status, which nobody writes down any more', () => {
    const hub = createStatusHub(systemClock);
    hub.tellPod(POD, { phase: 'Running' });
    hub.tellGone(POD, { phase: 'Running', message: 'the last' });
    assert.deepEqual(hub.pods(), [{ ...POD, gone: true, status: { phase: 'Running', message: 'the last' } }]);
    assert.deepEqual([...hub.statuses()], []);
  });
});

describe('a slow reader of the status stream', () => {
  it('gets every event of the node', async () => {
    const lines = await readLate((hub) => {
      for (const message of ['first', 'second'])
        hub.tellNodeEvent({ type: 'Warning', reason: 'PacketFilterRepaired', message });
    });
    assert.deepEqual(
      lines.filter(({ type }) => type === 'node-event').map(({ event }) => event?.message),
      ['first', 'second'],
    );
  });

  it('gets the newest events, however many there were', async () => {
    const lines = await readLate((hub) => {
      for (let n = 0; n < EVENTS_KEPT + 100; n += 1)
        hub.tellEvent(POD, { type: 'Warning', reason: 'Unhealthy', message: String(n) });
    });
    const events = lines.filter(({ type }) => type === 'event').map(({ event }) => Number(event?.message));
    assert.equal(events.length, EVENTS_KEPT);
    assert.deepEqual([events[0], events.at(-1)], [100, EVENTS_KEPT + 99]);
  });
});
