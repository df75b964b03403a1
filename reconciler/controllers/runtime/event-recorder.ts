/**
 * Events as Kubernetes shows them: equal ones are counted, similar ones combined, each object keeps a few, all are gone
 * after an hour.
 */
import { objectKey, RESOURCE, type Event, type ObjectKey, type StoredOf } from '../../../contracts/objects/index.ts';
import { PlumbError } from '../../core/errors.ts';
import { EventBacklog, KEPT_PER_OBJECT, regardingTerm, type Waiting } from '../../core/events/backlog.ts';
import { eventOf, merged, type Telling } from '../../core/events/similar.ts';
import { groupBy } from '../../core/group-by.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { WriteOp } from '../../ports/object-store.ts';
import type { StoreCache } from './cache.ts';

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

/** Kubernetes' default event TTL. */
const KEPT_MS = 3_600_000;
const SWEEP_EVERY_MS = 300_000;
const FLUSH_AFTER_MS = 25;
/** Between two looks at what waits for its turn. */
const WAITING_MS = 250;
const STORE_AWAY_MS = 1000;
/** Flushes that a lost race may cost an event before it is dropped. */
const MOST_TRIES = 5;

export class EventRecorder {
  readonly #cache: StoreCache;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  readonly #backlog: EventBacklog;
  #flushing: Promise<void> | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#cache = options.cache;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#backlog = new EventBacklog(options.clock.monotonic());
  }

  /** Begins to remove old events. */
  start(): void {
    this.#sweeping ??= this.#sweepLoop();
  }

  /**
   * Remembers the event and returns; it is in the store some 25 ms later, or when it has its turn (core/events). One that
   * meets a store that is away waits for it; any other that cannot be written is logged and dropped.
   */
  record(record: EventRecord): void {
    const telling = this.#tellingOf(record);
    this.#backlog.add(telling, this.#cache.eventsRegarding(telling.involvedObject));
    if (!this.#stopping.signal.aborted) this.#flushing ??= this.#flushLoop();
  }

  /** Writes all that is waiting, as soon as the store takes it. */
  async flush(): Promise<void> {
    while (this.#backlog.size > 0) await this.#write(this.#backlog.takeAll());
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the event recorder is being closed'));
    await this.#flushing;
    await this.#sweeping;
    await this.flush();
  }

  async #flushLoop(): Promise<void> {
    const { signal } = this.#stopping;
    const dropped = this.#backlog.dropped;
    for (let waitMs = FLUSH_AFTER_MS; this.#backlog.size > 0 && !signal.aborted;) {
      await this.#clock.sleep(waitMs, signal).catch(() => undefined);
      const batch = this.#backlog.take(this.#clock.monotonic());
      if (batch.length > 0) await this.#write(batch);
      waitMs = batch.length > 0 ? FLUSH_AFTER_MS : WAITING_MS;
    }
    if (this.#backlog.dropped > dropped)
      this.#log.info('more events were told than are kept', { dropped: this.#backlog.dropped - dropped });
    // In the same turn as the last look at the backlog: an event that comes now begins another loop.
    this.#flushing = undefined;
  }

  #tellingOf(record: EventRecord): Telling {
    const { apiVersion, kind, metadata } = record.regarding;
    const at = record.at ?? kubeTime(this.#clock.now());
    return {
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

  async #write(batch: readonly Waiting[]): Promise<void> {
    const events = batch.map(({ telling }) => eventOf(telling));
    const ops = events.map((event): WriteOp => {
      const known = this.#cache.get(eventKey(event));
      return known
        ? { op: 'update', object: { ...merged(known, event), metadata: known.metadata } }
        : { op: 'create', object: event };
    });
    try {
      const results = await this.#cache.write([...ops, ...this.#makeRoom(events)]);
      const lost = batch.filter((_waiting, index) => results[index]?.ok === false);
      const again = lost.filter(({ tries }) => tries + 1 < MOST_TRIES);
      if (again.length < lost.length)
        this.#log.debug('events were dropped: others write them too', { count: lost.length - again.length });
      if (again.length === 0) return;
      // Another control plane wrote the same event first, and its change has not come yet.
      await this.#clock.sleep(FLUSH_AFTER_MS);
      this.#backlog.putBack(again.map(({ telling, tries }) => ({ telling, tries: tries + 1 })));
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'StoreUnavailable' && (await this.#storeMayBeBack())) {
        this.#backlog.putBack(batch);
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

  /** What goes for those that come; an Event that is told again stays. */
  #makeRoom(coming: readonly Event[]): WriteOp[] {
    const keys = new Set(coming.map(eventKey));
    return [...groupBy(coming, ({ involvedObject }) => regardingTerm(involvedObject)).values()].flatMap((told) => {
      const [first] = told;
      const known = first ? this.#cache.eventsRegarding(first.involvedObject) : [];
      const others = known.filter((event) => !keys.has(eventKey(event)));
      const surplus = others.length + told.length - KEPT_PER_OBJECT;
      return surplus > 0 ? others.toSorted(longestAgoFirst).slice(0, surplus).map(removal) : [];
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
