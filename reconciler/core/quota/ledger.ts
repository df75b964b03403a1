/**
 * What a quota's namespace uses, and what writes that are under way have booked. A write books what it takes in the
 * quota's status before it is made; the compare-and-set on the quota is what keeps two writers from taking the same room,
 * in one process and in several. A booking is over when its write shows, or after a time in which it should have. In
 * Kubernetes what is booked is added to `used` alone, and a recount in between forgets it.
 */
import {
  readKey,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type QuotaBooking,
  type ResourceQuotaStatus,
  type StoredAt,
  type StoredOf,
  type StoredResourceQuota,
} from '../../../contracts/objects/index.ts';
import type { Decision } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { add, amountsIn, listOf, type Amounts } from './amounts.ts';
import { countOf, usedAt, type Counted } from './counts.ts';
import { concerns } from './scopes.ts';
import { usageOf } from './usage.ts';

/** Live objects; the process's view of the store is one. */
export interface QuotaReader {
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[];
  /** Kept up with what is listed; where it is absent, that is counted each time. */
  quotaCount?(quota: StoredResourceQuota): Counted;
  /** Whether an object that was made after that version has been seen to go, not long ago. */
  hasGone?(key: ObjectKey, since: string): boolean;
}

/** How long a write may be under way that does not show. Longer than the store lets any take. */
const BOOKED_MS = 60_000;

export interface Standing {
  /** Of each resource that the quota limits. */
  readonly used: Map<string, number>;
  /** Bookings whose writes do not show yet, by the key of the object. */
  readonly booked: ReadonlyMap<string, QuotaBooking>;
  /** When to count anew though nothing changes, in ms. */
  readonly againInMs: number | undefined;
}

/** What there is, and what is booked besides. */
export function standingOf(quota: StoredResourceQuota, reader: QuotaReader, now: Date): Standing {
  const counted = reader.quotaCount?.(quota) ?? countOf(quota, (kind, namespace) => reader.list<Kind>(kind, namespace));
  const { used, waits } = usedAt(counted, now);
  const booked = new Map<string, QuotaBooking>();
  for (const [key, booking] of Object.entries(quota.status?.booked ?? {})) {
    const leftMs = Date.parse(booking.at) + BOOKED_MS - now.getTime();
    const live: KubeObject | undefined = reader.get(key as ObjectKey);
    // By a clock that was set back a booking would last for long.
    // What was made and went before anybody counted shows no more.
    if (!live && booking.since !== undefined && reader.hasGone?.(key as ObjectKey, booking.since) === true) continue;
    if (live?.metadata.resourceVersion !== booking.base || !(leftMs > 0 && leftMs <= 2 * BOOKED_MS)) continue;
    booked.set(key, booking);
    waits.push(leftMs);
    const before = live && concerns(quota.spec, live) ? usageOf(live, now) : new Map<string, number>();
    add(used, grown(limitedOf(quota, amountsIn(booking.uses)), before));
  }
  return { used, booked, againInMs: waits.length > 0 ? Math.min(...waits) : undefined };
}

/** Of what the quota limits. */
export function limitedOf({ spec: { hard } }: StoredResourceQuota, amounts: Amounts): Amounts {
  return new Map([...amounts].filter(([resource]) => Object.hasOwn(hard, resource)));
}

/** What there is more of than before. */
export function grown(amounts: Amounts, before: Amounts): Amounts {
  return new Map(
    [...amounts].flatMap(([resource, amount]): [string, number][] => {
      const more = amount - (before.get(resource) ?? 0);
      return more > 0 ? [[resource, more]] : [];
    }),
  );
}

export function statusOf(
  { spec: { hard } }: StoredResourceQuota,
  { used, booked }: Pick<Standing, 'used' | 'booked'>,
): ResourceQuotaStatus {
  return { hard, used: listOf(used), ...(booked.size > 0 && { booked: Object.fromEntries(booked) }) };
}

/** Keeps the status of a quota. */
export function planQuota(quota: StoredResourceQuota, reader: QuotaReader, now: Date): Decision {
  const standing = standingOf(quota, reader, now);
  const status = statusOf(quota, standing);
  return {
    steps:
      canonicalJson(status) === canonicalJson(quota.status)
        ? []
        : [{ do: 'updateStatus', object: { ...quota, status } }],
    ...(standing.againInMs !== undefined && { requeueAfterMs: standing.againInMs }),
  };
}

/** Whether a quota lets something grow by so much: why not, in Kubernetes' words. */
export function exceeded(
  { metadata: { name }, spec: { hard } }: StoredResourceQuota,
  used: Amounts,
  requested: Amounts,
): string | undefined {
  const most = amountsIn(hard);
  const over = [...requested.keys()]
    .filter((resource) => (used.get(resource) ?? 0) + (requested.get(resource) ?? 0) > (most.get(resource) ?? 0))
    .sort();
  if (over.length === 0) return undefined;
  const said = (amounts: Amounts): string =>
    over
      .map((resource) => `${resource}=${readKey(listOf(new Map([[resource, amounts.get(resource) ?? 0]])), resource)}`)
      .join(',');
  return `exceeded quota: ${name}, requested: ${said(requested)}, used: ${said(used)}, limited: ${said(most)}`;
}
