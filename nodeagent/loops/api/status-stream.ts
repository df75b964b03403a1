/**
 * `GET /v1/status`: everything known, then each change. A slow reader gets the newest of each pod, not every step
 * between, and the newest {@link EVENTS_KEPT} events.
 */
import type { ServerResponse } from 'node:http';
import type { StatusLine } from '../../../contracts/agent/index.ts';
import { HEARTBEAT_SECONDS } from '../../../contracts/agent/places.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import type { Clock } from '../../ports/clock.ts';
import { EVENTS_KEPT, type StatusHub } from '../status-hub.ts';

/** Resolves when the reader is gone or the signal aborts. */
export async function streamStatus(
  response: ServerResponse,
  hub: StatusHub,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  response.on('close', () => ended.abort());
  using joined = joinSignals(signal, ended.signal);
  const either = joined.signal;
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });

  /** Lines that wait for the reader, by what they are about. */
  const waiting = new Map<string, StatusLine>();
  let events = 0;
  let flowing = true;
  const flush = (): void => {
    for (const [about, line] of waiting) {
      if (!flowing) return;
      waiting.delete(about);
      flowing = response.write(`${JSON.stringify(line)}\n`);
    }
  };
  response.on('drain', () => {
    flowing = true;
    flush();
  });
  const put = (line: StatusLine): void => {
    const isEvent = line.type === 'event' || line.type === 'node-event';
    const about = line.type === 'pod' ? line.pod.uid : isEvent ? eventName((events += 1)) : line.type;
    waiting.delete(about);
    waiting.set(about, line);
    // Containers make events as they like, whether somebody reads or not.
    if (isEvent) waiting.delete(eventName(events - EVENTS_KEPT));
    flush();
  };

  const unsubscribe = hub.subscribe(put);
  try {
    while (!either.aborted) {
      await clock.sleep(HEARTBEAT_SECONDS * 1000, either);
      put({ type: 'heartbeat', at: clock.now().toISOString() });
    }
  } catch (cause) {
    if (!either.aborted) throw cause;
  } finally {
    unsubscribe();
    response.end();
  }
}

function eventName(number: number): string {
  return `event ${number}`;
}
