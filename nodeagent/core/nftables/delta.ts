/**
 * From the table in force to the next one: the fewest commands, in an order that the kernel accepts within one
 * transaction.
 */
import { sameData } from '../data-plane/equality.ts';
import type { Chain, Claim, Command, Container, Element, Fragment, Ruleset } from './model.ts';

export const EMPTY_RULESET: Ruleset = { fragments: new Map(), claims: new Map() };

export interface Delta {
  readonly next: Ruleset;
  /** Empty when nothing changes. */
  readonly commands: readonly Command[];
}

/** Owner to its new fragment; undefined removes the owner. */
export type FragmentChanges = ReadonlyMap<string, Fragment | undefined>;

/**
 * The ruleset with some owners' fragments replaced, and the commands that bring a table that is `from` there. Looks at
 * the changed owners only. Deterministic: the same arguments give the same commands in the same order.
 */
export function changeRuleset(from: Ruleset, changes: FragmentChanges): Delta {
  const owners = [...changes.keys()].sort();
  const fragments = new Map(from.fragments);
  const claims = new ClaimEdit(from.claims);
  const buckets = new Buckets();
  for (const owner of owners) {
    const before = from.fragments.get(owner);
    const after = changes.get(owner);
    if (after === undefined) fragments.delete(owner);
    else fragments.set(owner, after);
    compareContainers(before, after, buckets);
    compareChains(before, after, buckets);
    claims.replace(owner, before?.elements ?? [], after?.elements ?? []);
  }
  claims.differences(buckets);
  return { next: { fragments, claims: claims.result() }, commands: buckets.commands() };
}

/** Everything in one transaction: whatever table was there is replaced, without a moment in between. */
export function wholeRuleset(fragments: FragmentChanges): Delta {
  const { next, commands } = changeRuleset(EMPTY_RULESET, fragments);
  return { next, commands: [{ do: 'replace-table' }, ...commands] };
}

function compareContainers(before: Fragment | undefined, after: Fragment | undefined, buckets: Buckets): void {
  const old = byName(before?.containers);
  const now = byName(after?.containers);
  for (const container of now.values()) if (!old.has(container.name)) buckets.addContainers.push(container);
  for (const container of old.values()) if (!now.has(container.name)) buckets.deleteContainers.push(container.name);
}

function compareChains(before: Fragment | undefined, after: Fragment | undefined, buckets: Buckets): void {
  const old = byName(before?.chains);
  const now = byName(after?.chains);
  for (const chain of now.values()) {
    const previous = old.get(chain.name);
    if (previous === undefined) buckets.addChains.push(chain);
    else if (!sameData(previous.rules, chain.rules)) buckets.changeChains.push(chain);
  }
  for (const chain of old.values()) if (!now.has(chain.name)) buckets.deleteChains.push(chain.name);
}

function byName<T extends { readonly name: string }>(items: readonly T[] | undefined): Map<string, T> {
  return new Map((items ?? []).map((item) => [item.name, item]));
}

/** Commands by kind. Things are made before they are referred to, and removed after the last reference is gone. */
class Buckets {
  readonly addContainers: Container[] = [];
  readonly addChains: Chain[] = [];
  readonly changeChains: Chain[] = [];
  readonly deleteElements = new Map<string, Element[]>();
  readonly addElements = new Map<string, Element[]>();
  readonly deleteChains: string[] = [];
  readonly deleteContainers: string[] = [];

  commands(): Command[] {
    return [
      ...this.addContainers.map((container): Command => ({ do: 'add-container', container })),
      ...this.addChains.map(({ rules: _, ...chain }): Command => ({ do: 'add-chain', chain })),
      ...this.addChains.map((c): Command => ({ do: 'set-rules', chain: c.name, fresh: true, rules: c.rules })),
      ...this.changeChains.map((c): Command => ({ do: 'set-rules', chain: c.name, fresh: false, rules: c.rules })),
      ...[...this.deleteElements].map(([container, elements]): Command => ({
        do: 'delete-elements',
        container,
        elements,
      })),
      ...[...this.addElements].map(([container, elements]): Command => ({ do: 'add-elements', container, elements })),
      // Chains of one Service refer to each other: all are emptied before the first goes.
      ...this.deleteChains.map((chain): Command => ({ do: 'set-rules', chain, fresh: false, rules: [] })),
      ...this.deleteChains.map((chain): Command => ({ do: 'delete-chain', chain })),
      ...this.deleteContainers.map((container): Command => ({ do: 'delete-container', container })),
    ];
  }
}

/** Copy-on-write edit of the claims on elements; remembers who held a key before it was touched. */
class ClaimEdit {
  private readonly before: Ruleset['claims'];
  private readonly edited = new Map<string, Map<string, readonly Claim[]>>();
  private readonly touched = new Map<string, Set<string>>();

  constructor(before: Ruleset['claims']) {
    this.before = before;
  }

  replace(owner: string, old: readonly Element[], now: readonly Element[]): void {
    const kept = new Map(now.map((e) => [`${e.container} ${e.key}`, e]));
    for (const element of old) {
      const same = kept.get(`${element.container} ${element.key}`);
      if (same !== undefined && same.chain === element.chain) kept.delete(`${element.container} ${element.key}`);
      else this.edit(element, (claims) => claims.filter((c) => c.owner !== owner));
    }
    for (const element of kept.values()) {
      this.edit(element, (claims) =>
        [...claims.filter((c) => c.owner !== owner), { owner, chain: element.chain }].sort(byOwner),
      );
    }
  }

  differences(buckets: Buckets): void {
    for (const container of [...this.touched.keys()].sort()) {
      for (const key of [...(this.touched.get(container) ?? [])].sort()) {
        const old = this.before.get(container)?.get(key)?.[0];
        const now = this.edited.get(container)?.get(key)?.[0];
        if (old !== undefined && now !== undefined && old.chain === now.chain) continue;
        if (old !== undefined) push(buckets.deleteElements, container, asElement(container, key, old));
        if (now !== undefined) push(buckets.addElements, container, asElement(container, key, now));
      }
    }
  }

  result(): Ruleset['claims'] {
    return new Map([...this.before, ...this.edited]);
  }

  private edit(element: Element, change: (claims: readonly Claim[]) => readonly Claim[]): void {
    const keys = this.edited.get(element.container) ?? new Map(this.before.get(element.container));
    this.edited.set(element.container, keys);
    const claims = change(keys.get(element.key) ?? []);
    if (claims.length === 0) keys.delete(element.key);
    else keys.set(element.key, claims);
    const touched = this.touched.get(element.container) ?? new Set();
    this.touched.set(element.container, touched.add(element.key));
  }
}

function byOwner(a: Claim, b: Claim): number {
  return a.owner < b.owner ? -1 : Number(a.owner > b.owner);
}

function asElement(container: string, key: string, claim: Claim): Element {
  return claim.chain === undefined ? { container, key } : { container, key, chain: claim.chain };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
