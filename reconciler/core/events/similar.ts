/**
 * When several tellings are one Event. Source: Kubernetes, client-go, `tools/record/events_cache.go` (`EventAggregator`
 * and `eventLogger`). What it remembers in the process is read off the Events that there are here, so that a restart or
 * another control plane counts on.
 */
import { createHash } from 'node:crypto';
import type { Event } from '../../../contracts/objects/index.ts';

export type Telling = Omit<Event, 'apiVersion' | 'kind' | 'metadata'>;

/** Source: client-go, `defaultAggregateMaxEvents` and `defaultAggregateIntervalInSeconds`. */
const MOST_SIMILAR = 10;
const SIMILAR_MS = 600_000;
/** Source: client-go, `EventAggregatorByReasonMessageFunc`. */
const COMBINED = '(combined from similar events): ';
/** Of a name, in front of the hash. */
const LONGEST_NAME = 230;
const HASH_DIGITS = 16;

/** Equal for equal tellings, and for those that are combined. */
export function identityOf({ involvedObject, type, reason, message, source }: Telling): string {
  const { kind, namespace = 'default', name, uid = '' } = involvedObject;
  const said = message.startsWith(COMBINED) ? COMBINED : message;
  return JSON.stringify([kind, namespace, name, uid, type, reason, said, source.component, source.host ?? '']);
}

/** Both as one. They have the same identity. */
export function merged<T extends Telling>(earlier: T, later: Telling): T {
  return {
    ...earlier,
    message: later.message,
    count: earlier.count + later.count,
    firstTimestamp: earlier.firstTimestamp < later.firstTimestamp ? earlier.firstTimestamp : later.firstTimestamp,
    lastTimestamp: earlier.lastTimestamp > later.lastTimestamp ? earlier.lastTimestamp : later.lastTimestamp,
  };
}

/**
 * As it is told: itself; or, where there are too many similar ones among `known`, the Events of the object, combined
 * with all that come after.
 */
export function asTold(telling: Telling, known: Iterable<Telling>): Telling {
  const at = Date.parse(telling.lastTimestamp);
  // One that is told again is among what is known, and among what waits.
  const similar = new Set<string>();
  for (const other of known) {
    if (!isSimilar(other, telling)) continue;
    if (other.message === telling.message) return telling;
    if (!other.message.startsWith(COMBINED) && at - Date.parse(other.lastTimestamp) <= SIMILAR_MS)
      similar.add(other.message);
  }
  return similar.size + 1 < MOST_SIMILAR ? telling : { ...telling, message: COMBINED + telling.message };
}

/** The same name for the same identity, also in another process. */
export function eventOf(telling: Telling): Event {
  const { name, namespace = 'default' } = telling.involvedObject;
  const hash = createHash('sha256').update(identityOf(telling)).digest('hex').slice(0, HASH_DIGITS);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, LONGEST_NAME).replace(/[-.]+$/, '')}.${hash}`, namespace },
    ...telling,
  };
}

function isSimilar(a: Telling, b: Telling): boolean {
  return (
    a.reason === b.reason &&
    a.type === b.type &&
    a.source.component === b.source.component &&
    a.source.host === b.source.host
  );
}
