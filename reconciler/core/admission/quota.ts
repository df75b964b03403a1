/**
 * The last member of the chain, for all writes of one round trip together: what each takes of its namespace's quotas is
 * booked before any of them is made. Source: Kubernetes, CheckRequest in
 * apiserver/pkg/admission/plugin/resourcequota/controller.go.
 */
import {
  isCustom,
  keyOf,
  type AnyObject,
  type KubeObject,
  type QuotaBooking,
  type ResourceQuotaStatus,
  type StoredResourceQuota,
} from '../../../contracts/objects/index.ts';
import type { AnyWriteOp } from '../storage/apply-write.ts';
import { kubeTime } from '../storage/object-form.ts';
import { add, amountsIn, larger, listOf, type Amounts } from '../quota/amounts.ts';
import { exceeded, grown, limitedOf, standingOf, statusOf } from '../quota/ledger.ts';
import { FROM_GIT } from '../quota/from-git.ts';
import { concerns } from '../quota/scopes.ts';
import { unsaid, usageOf } from '../quota/usage.ts';
import type { AdmissionView, Author, Refusal } from './request.ts';

/** What becomes of a write before it is made. */
export type Charge =
  | { readonly is: 'free' }
  /** It may be made when all of these are written. */
  | { readonly is: 'booked'; readonly quotas: readonly StoredResourceQuota[] }
  /** Its turn comes when the bookings before it are written. */
  | { readonly is: 'later' }
  | ({ readonly is: 'refused' } & Refusal);

/** A write with the object as it is before it. */
export interface ChargedWrite {
  readonly op: AnyWriteOp;
  readonly old: AnyObject | undefined;
}

/** Bookings that one write of a quota adds: it is written whole. */
export const MOST_BOOKED = 200;

interface Account {
  readonly quota: StoredResourceQuota;
  readonly used: Map<string, number>;
  readonly booked: Map<string, QuotaBooking>;
  added: number;
}

/**
 * One charge for each write, in their order: what an earlier one takes, a later one does not get. `status` is what a
 * quota that was booked in is to have.
 */
export function chargeQuotas(
  writes: readonly ChargedWrite[],
  { by, view, now }: { readonly by: Author; readonly view: AdmissionView; readonly now: Date },
): { readonly charges: readonly Charge[]; readonly status: (quota: StoredResourceQuota) => ResourceQuotaStatus } {
  const accounts = new Map<string, Account>();
  const accountOf = (quota: StoredResourceQuota): Account => {
    const { uid } = quota.metadata;
    let account = accounts.get(uid);
    if (!account) {
      const { used, booked } = standingOf(quota, view, now);
      accounts.set(uid, (account = { quota, used, booked: new Map(booked), added: 0 }));
    }
    return account;
  };
  const charges = writes.map((charged): Charge => {
    const taken = takes(charged, { by, view, now });
    if (!taken) return { is: 'free' };
    const { object, unspoken, from } = taken;
    if (unspoken !== undefined) return { is: 'refused', reason: 'Forbidden', message: unspoken };
    if (from.length === 0) return { is: 'free' };
    const key = keyOf(object);
    const bookings = from.map(({ quota, uses, before }) => {
      const account = accountOf(quota);
      // A try before this one may have booked it, in this quota alone or with a write that was lost.
      const held = limitedOf(quota, amountsIn(account.booked.get(key)?.uses ?? {}));
      return { account, requested: grown(uses, larger(before, held)), uses: larger(uses, held) };
    });
    for (const { account, requested } of bookings) {
      if (account.added >= MOST_BOOKED) return { is: 'later' };
      const message = exceeded(account.quota, account.used, requested);
      if (message !== undefined) return { is: 'refused', reason: 'Forbidden', message };
    }
    for (const { account, requested, uses } of bookings) {
      add(account.used, requested);
      account.added += 1;
      const { resourceVersion: base } = charged.old?.metadata ?? {};
      account.booked.set(key, {
        ...(base !== undefined ? { base } : view.newest !== undefined && { since: view.newest }),
        at: kubeTime(now),
        uses: listOf(uses),
      });
    }
    return { is: 'booked', quotas: from.map(({ quota }) => quota) };
  });
  return { charges, status: (quota) => statusOf(quota, accountOf(quota)) };
}

interface Taken {
  readonly object: KubeObject;
  readonly from: readonly {
    readonly quota: StoredResourceQuota;
    /** Of what the quota limits. */
    readonly uses: Amounts;
    /** As it is live. */
    readonly before: Amounts;
  }[];
  /** Why the object cannot be counted. */
  readonly unspoken?: string;
}

/** Undefined where no quota is asked. */
function takes(
  { op, old }: ChargedWrite,
  { by, view, now }: { readonly by: Author; readonly view: AdmissionView; readonly now: Date },
): Taken | undefined {
  if (op.op !== 'create' && op.op !== 'update') return undefined;
  const { object } = op;
  if (isCustom(object) || (old && isCustom(old)) || object.metadata.namespace === undefined) return undefined;
  // A commit is held against quotas whole. On the way to what it says there may be more, before what it drops has gone.
  if (by.startsWith('git:') && FROM_GIT.has(object.kind)) return undefined;
  const quotas = view.list('ResourceQuota', object.metadata.namespace);
  if (quotas.length === 0) return undefined;
  const uses = usageOf(object, now);
  const from: Taken['from'][number][] = [];
  for (const quota of quotas) {
    if (!concerns(quota.spec, object)) continue;
    const why =
      op.op === 'create' && object.kind === 'Pod' ? unsaid(object.spec, Object.keys(quota.spec.hard)) : undefined;
    if (why !== undefined) return { object, from: [], unspoken: `failed quota: ${quota.metadata.name}: ${why}` };
    const before = old && concerns(quota.spec, old) ? usageOf(old, now) : new Map<string, number>();
    const limited = limitedOf(quota, uses);
    if (grown(limited, before).size > 0) from.push({ quota, uses: limited, before });
  }
  return { object, from };
}
