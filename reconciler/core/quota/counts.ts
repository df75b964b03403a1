/**
 * How much there is of what a quota limits, kept up as objects come, change and go: a namespace of thousands of pods is
 * counted once, not for each write that is charged.
 */
import type { Kind, ObjectKey, Stored, StoredPod, StoredResourceQuota } from '../../../contracts/objects/index.ts';
import { keyOf } from '../../../contracts/objects/index.ts';
import { add, type Amounts } from './amounts.ts';
import { concerns } from './scopes.ts';
import { chargedForMs, kindOfResource, usageOf } from './usage.ts';

/** What a quota counts. */
export interface Counted {
  /** Of each resource that it limits; without those that are {@link ending}. */
  readonly used: Amounts;
  /** Pods that use less from some time on: how much, depends on when that is asked. */
  readonly ending: Iterable<StoredPod>;
}

/** Objects of a namespace; what is listed is never changed. */
export type NamespaceLister = (kind: Kind, namespace: string | undefined) => readonly Stored[];

/** No time: what does not depend on it is counted. */
const ANY_TIME = new Date(0);

/** One quota's. */
class Count implements Counted {
  readonly used: Map<string, number>;
  readonly #ending = new Map<ObjectKey, StoredPod>();
  readonly #quota: StoredResourceQuota;
  readonly #kinds: ReadonlySet<Kind | undefined>;

  constructor(quota: StoredResourceQuota, list: NamespaceLister) {
    const limited = Object.keys(quota.spec.hard);
    this.#quota = quota;
    this.#kinds = new Set(limited.map(kindOfResource));
    this.used = new Map(limited.map((resource) => [resource, 0]));
    for (const kind of this.#kinds)
      for (const object of kind ? list(kind, quota.metadata.namespace) : []) this.replace(undefined, object);
  }

  get ending(): Iterable<StoredPod> {
    return this.#ending.values();
  }

  isOf({ metadata: { uid, generation } }: StoredResourceQuota): boolean {
    return uid === this.#quota.metadata.uid && generation === this.#quota.metadata.generation;
  }

  /** Sums beyond what a number holds exactly depend on the order in which they are made. */
  get isExact(): boolean {
    return [...this.used.values()].every(Number.isSafeInteger);
  }

  replace(before: Stored | undefined, after: Stored | undefined): void {
    if (before && this.#counts(before) && !this.#ending.delete(keyOf(before))) this.#add(before, -1);
    if (!after || !this.#counts(after)) return;
    if (after.kind === 'Pod' && chargedForMs(after, ANY_TIME) !== undefined) this.#ending.set(keyOf(after), after);
    else this.#add(after, 1);
  }

  #counts(object: Stored): boolean {
    return this.#kinds.has(object.kind) && concerns(this.#quota.spec, object);
  }

  #add(object: Stored, times: 1 | -1): void {
    for (const [resource, amount] of usageOf(object, ANY_TIME)) {
      const before = this.used.get(resource);
      if (before !== undefined) this.used.set(resource, before + times * amount);
    }
  }
}

/** From scratch. */
export function countOf(quota: StoredResourceQuota, list: NamespaceLister): Counted {
  return new Count(quota, list);
}

/** Of the quotas that were asked for, as of the changes that were told. */
export class QuotaCounts {
  readonly #list: NamespaceLister;
  /** By namespace, and by the quota's uid. */
  readonly #counts = new Map<string | undefined, Map<string, Count>>();

  /** `list` shows each change before it is told. */
  constructor(list: NamespaceLister) {
    this.#list = list;
  }

  /** Equal to {@link countOf}. */
  of(quota: StoredResourceQuota): Counted {
    const { namespace, uid } = quota.metadata;
    const known = this.#counts.get(namespace)?.get(uid);
    if (known?.isOf(quota)) return known;
    const made = new Count(quota, this.#list);
    if (!made.isExact) return made;
    let counts = this.#counts.get(namespace);
    if (!counts) this.#counts.set(namespace, (counts = new Map<string, Count>()));
    counts.set(uid, made);
    return made;
  }

  /** `before` or `after` is undefined for an object that came or went. */
  changed(before: Stored | undefined, after: Stored | undefined): void {
    const namespace = (after ?? before)?.metadata.namespace;
    const counts = this.#counts.get(namespace);
    if (!counts) return;
    if (before?.kind === 'ResourceQuota' && before.metadata.uid !== after?.metadata.uid)
      counts.delete(before.metadata.uid);
    for (const [uid, count] of counts) {
      count.replace(before, after);
      if (!count.isExact) counts.delete(uid);
    }
    if (counts.size === 0) this.#counts.delete(namespace);
  }
}

/** As of a moment: the sum, and when less of it will be used though nothing changes, in ms. */
export function usedAt({ used, ending }: Counted, now: Date): { used: Map<string, number>; waits: number[] } {
  const sum = new Map(used);
  const waits: number[] = [];
  for (const pod of ending) {
    add(sum, new Map([...usageOf(pod, now)].filter(([resource]) => sum.has(resource))));
    const endsInMs = chargedForMs(pod, now);
    if (endsInMs !== undefined && endsInMs > 0) waits.push(endsInMs);
  }
  return { used: sum, waits };
}
