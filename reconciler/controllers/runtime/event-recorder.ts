/** Events as Kubernetes shows them: equal ones are counted, each object keeps a few, all are gone after an hour. */
import { createHash } from 'node:crypto';
import { objectKey, RESOURCE, type Event, type ObjectKey, type StoredOf } from '../../../contracts/objects/index.ts';
import { PlumbError } from '../../core/errors.ts';
import { groupBy } from '../../core/group-by.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { WriteOp } from '../../ports/object-store.ts';
import type { StoreCache } from './cache.ts';
import { regardingTerm } from './object-table.ts';

export interface EventRecorderOptions {
  readonly cache: StoreCache;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EventRecord {
  readonly regarding: {
    /** Of an object of a custom kind. */
    readonly [RESOURCE]?: string;
    readonly apiVersion?: string;
    readonly kind: string;
    readonly metadata: {
      readonly name: string;
      readonly namespace?: string | undefined;
      readonly uid?: string | undefined;
    };
  };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** Who says it: a controller's name, or `nodeagent`. */
  readonly component: string;
  /** The node it happened on. */
  readonly host?: string;
  /** RFC 3339; now when absent. */
  readonly at?: string;
  /** How often it happened; once when absent. */
  readonly count?: number;
}

/** Events of an object that are kept; the one seen longest ago makes room. */
const KEPT_PER_OBJECT = 25;
/** Kubernetes' default event TTL. */
const KEPT_MS = 3_600_000;
const SWEEP_EVERY_MS = 300_000;
const FLUSH_AFTER_MS = 25;
/** Events that wait for a store that is away or takes no writes; later ones are dropped. */
const MOST_WAITING = 2000;
const STORE_AWAY_MS = 1000;
/** Flushes that a lost race may cost an event before it is dropped. */
const MOST_TRIES = 5;

interface Pending {
  readonly event: Event;
  readonly tries: number;
}

export class EventRecorder {
  readonly #cache: StoreCache;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  readonly #pending = new Map<ObjectKey<'Event'>, Pending>();
  #flushing: Promise<void> | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#cache = options.cache;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Begins to remove old events. */
  start(): void {
    this.#sweeping ??= this.#sweepLoop();
  }

  /**
   * Remembers the event and returns; it is in the store some 25 ms later. One that meets a store that is away
   * waits for it, with so many others; any other that cannot be written is logged and dropped.
   */
  record(record: EventRecord): void {
    const event = this.#eventOf(record);
    const key = eventKey(event);
    const waiting = this.#pending.get(key);
    this.#pending.set(
      key,
      waiting ? { event: merged(waiting.event, event), tries: waiting.tries } : { event, tries: 0 },
    );
    this.#flushSoon();
  }

  /** Writes what is waiting, as soon as the store takes it. */
  async flush(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = [...this.#pending];
      this.#pending.clear();
      await this.#write(batch);
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the event recorder is being closed'));
    await this.#flushing;
    await this.#sweeping;
    await this.flush();
  }

  #flushSoon(): void {
    if (!this.#stopping.signal.aborted) this.#flushing ??= this.#flushLoop();
  }

  async #flushLoop(): Promise<void> {
    do {
      await this.#clock.sleep(FLUSH_AFTER_MS, this.#stopping.signal).catch(() => undefined);
      await this.flush();
    } while (this.#pending.size > 0);
    // In the same turn as the last look at #pending: an event that comes now begins another loop.
    this.#flushing = undefined;
  }

  #eventOf(record: EventRecord): Event {
    const { apiVersion, kind, metadata } = record.regarding;
    const namespace = metadata.namespace ?? 'default';
    const at = record.at ?? kubeTime(this.#clock.now());
    const identity = [
      kind,
      namespace,
      metadata.name,
      metadata.uid ?? '',
      record.type,
      record.reason,
      record.message,
      record.component,
      record.host ?? '',
    ];
    const hash = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16);
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${metadata.name.slice(0, 230).replace(/[-.]+$/, '')}.${hash}`, namespace },
      involvedObject: {
        ...(RESOURCE in record.regarding && apiVersion !== undefined && { apiVersion }),
        kind,
        ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
        name: metadata.name,
        ...(metadata.uid !== undefined && { uid: metadata.uid }),
      },
      type: record.type,
      reason: record.reason,
      message: record.message,
      source: { component: record.component, ...(record.host !== undefined && { host: record.host }) },
      firstTimestamp: at,
      lastTimestamp: at,
      count: record.count ?? 1,
    };
  }

  async #write(batch: readonly (readonly [ObjectKey<'Event'>, Pending])[]): Promise<void> {
    const ops = batch.map(([key, { event }]): WriteOp => {
      const known = this.#cache.get(key);
      return known
        ? { op: 'update', object: { ...merged(known, event), metadata: known.metadata } }
        : { op: 'create', object: event };
    });
    try {
      const results = await this.#cache.write([...ops, ...this.#makeRoom(batch.map(([, { event }]) => event))]);
      for (const [index, [key, { event, tries }]] of batch.entries()) {
        if (results[index]?.ok !== false) continue;
        if (tries + 1 >= MOST_TRIES) this.#log.debug('an event was dropped: others write it too', { key });
        else await this.#again(key, event, tries + 1);
      }
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'StoreUnavailable' && (await this.#storeMayBeBack())) {
        const room = Math.max(0, MOST_WAITING - this.#pending.size);
        for (const [key, { event, tries }] of batch.slice(0, room)) this.#wait(key, event, tries);
        return;
      }
      this.#log.debug('events were dropped: the store does not take them', {
        count: batch.length,
        error: String(error),
      });
    }
  }

  /** False when the recorder is closed meanwhile. */
  async #storeMayBeBack(): Promise<boolean> {
    return this.#clock.sleep(STORE_AWAY_MS, this.#stopping.signal).then(
      () => true,
      () => false,
    );
  }

  /** Another control plane wrote the same event first, and its change has not come yet. */
  async #again(key: ObjectKey<'Event'>, event: Event, tries: number): Promise<void> {
    await this.#clock.sleep(FLUSH_AFTER_MS);
    this.#wait(key, event, tries);
  }

  #wait(key: ObjectKey<'Event'>, event: Event, tries: number): void {
    const waiting = this.#pending.get(key);
    this.#pending.set(key, { event: waiting ? merged(event, waiting.event) : event, tries });
  }

  #makeRoom(coming: readonly Event[]): WriteOp[] {
    const fresh = coming.filter((event) => this.#cache.get(eventKey(event)) === undefined);
    return [...groupBy(fresh, ({ involvedObject }) => regardingTerm(involvedObject)).values()].flatMap((added) => {
      const [first] = added;
      const kept = first ? this.#cache.eventsRegarding(first.involvedObject) : [];
      const surplus = kept.length + added.length - KEPT_PER_OBJECT;
      return surplus > 0 ? kept.toSorted(longestAgoFirst).slice(0, surplus).map(removal) : [];
    });
  }

  async #sweepLoop(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      while (!signal.aborted) {
        await this.#clock.sleep(SWEEP_EVERY_MS, signal);
        await this.sweep(signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#log.error('old events are no longer removed', { error: String(error) });
    }
  }

  /** Removes events that were last seen more than an hour ago. */
  async sweep(signal?: AbortSignal): Promise<void> {
    const limit = this.#clock.now().getTime() - KEPT_MS;
    const old = this.#cache.list('Event').filter((event) => Date.parse(event.lastTimestamp) < limit);
    try {
      await this.#cache.write(old.map(removal), signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      this.#log.debug('old events were not removed this time', { error: String(error) });
    }
  }
}

function eventKey(event: Event): ObjectKey<'Event'> {
  return objectKey('Event', event.metadata.namespace, event.metadata.name);
}

function merged(earlier: Event, later: Event): Event {
  return {
    ...earlier,
    count: earlier.count + later.count,
    firstTimestamp: earlier.firstTimestamp < later.firstTimestamp ? earlier.firstTimestamp : later.firstTimestamp,
    lastTimestamp: earlier.lastTimestamp > later.lastTimestamp ? earlier.lastTimestamp : later.lastTimestamp,
  };
}

function longestAgoFirst(a: Event, b: Event): number {
  return a.lastTimestamp < b.lastTimestamp
    ? -1
    : a.lastTimestamp > b.lastTimestamp
      ? 1
      : a.metadata.name < b.metadata.name
        ? -1
        : 1;
}

function removal(event: StoredOf<'Event'>): WriteOp {
  return { op: 'delete', key: eventKey(event), uid: event.metadata.uid };
}
