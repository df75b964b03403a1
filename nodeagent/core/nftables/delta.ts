/**
 * From the table in force to the next one: the fewest commands, in an order that the kernel accepts within one
 * transaction.
 */
import { sameData } from '../data-plane/equality.ts';
import type { Chain, Command, Container, Element, Fragment } from './model.ts';

/** Owner to its new fragment; undefined removes the owner. */
export type FragmentChanges = ReadonlyMap<string, Fragment | undefined>;

/** One claim on an element key; where several owners claim one key, the first owner by name has it. */
interface Claim {
  readonly owner: string;
  readonly chain: string | undefined;
}

/** The table as it should be. Is changed in place: a change costs what it touches, however many owners there are. */
export class Ruleset {
  private readonly byOwner = new Map<string, Fragment>();
  /** By name: of all fragments. */
  private readonly containers = new Map<string, Container>();
  private readonly claims = new Claims();

  get fragments(): ReadonlyMap<string, Fragment> {
    return this.byOwner;
  }

  /**
   * Replaces some owners' fragments, and gives the commands that bring a table which is as this was there; none when
   * nothing changes. Deterministic: the same changes to the same ruleset give the same commands in the same order.
   */
  change(changes: FragmentChanges): Command[] {
    const buckets = new Buckets();
    for (const owner of [...changes.keys()].sort()) {
      const before = this.byOwner.get(owner);
      const after = changes.get(owner);
      if (after === undefined) this.byOwner.delete(owner);
      else this.byOwner.set(owner, after);
      compareContainers(before, after, buckets);
      compareChains(before, after, buckets);
      for (const { name } of before?.containers ?? []) this.containers.delete(name);
      this.claims.replace(owner, before?.elements ?? [], after?.elements ?? []);
    }
    // Last, as one owner may give up what another takes over.
    for (const after of changes.values())
      for (const container of after?.containers ?? []) this.containers.set(container.name, container);
    this.claims.takeDifferences(buckets);
    return buckets.commands(this.containers);
  }
}

/** Everything in one transaction: whatever table was there is replaced, without a moment in between. */
export function wholeRuleset(fragments: FragmentChanges): {
  readonly ruleset: Ruleset;
  readonly commands: readonly Command[];
} {
  const ruleset = new Ruleset();
  return { ruleset, commands: [{ do: 'replace-table' }, ...ruleset.change(fragments)] };
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

  /** `containers`: by name, all that there are when the commands are done. */
  commands(containers: ReadonlyMap<string, Container>): Command[] {
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
      ...[...this.addElements].map(([name, elements]): Command => {
        const container = containers.get(name);
        if (!container) throw new RangeError(`elements for ${name}, which nobody declares`);
        return { do: 'add-elements', container, elements };
      }),
      // Chains of one Service refer to each other: all are emptied before the first goes.
      ...this.deleteChains.map((chain): Command => ({ do: 'set-rules', chain, fresh: false, rules: [] })),
      ...this.deleteChains.map((chain): Command => ({ do: 'delete-chain', chain })),
      ...this.deleteContainers.map((container): Command => ({ do: 'delete-container', container })),
    ];
  }
}

/** Who claims which elements; remembers who had a key before it was touched. */
class Claims {
  /** By container, then element key; claims ordered by owner. */
  private readonly all = new Map<string, Map<string, readonly Claim[]>>();
  /** Who had what was touched since the differences were last taken. */
  private readonly had = new Map<string, Map<string, Claim | undefined>>();

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

  takeDifferences(buckets: Buckets): void {
    for (const [container, keys] of [...this.had].sort(byKey)) {
      for (const [key, old] of [...keys].sort(byKey)) {
        const now = this.all.get(container)?.get(key)?.[0];
        if (old !== undefined && now !== undefined && old.chain === now.chain) continue;
        if (old !== undefined) push(buckets.deleteElements, container, asElement(container, key, old));
        if (now !== undefined) push(buckets.addElements, container, asElement(container, key, now));
      }
    }
    this.had.clear();
  }

  private edit({ container, key }: Element, change: (claims: readonly Claim[]) => readonly Claim[]): void {
    const keys = entry(this.all, container, () => new Map<string, readonly Claim[]>());
    const before = keys.get(key) ?? [];
    const had = entry(this.had, container, () => new Map<string, Claim | undefined>());
    if (!had.has(key)) had.set(key, before[0]);
    const claims = change(before);
    if (claims.length === 0) keys.delete(key);
    else keys.set(key, claims);
  }
}

function byOwner(a: Claim, b: Claim): number {
  return a.owner < b.owner ? -1 : Number(a.owner > b.owner);
}

function asElement(container: string, key: string, claim: Claim): Element {
  return claim.chain === undefined ? { container, key } : { container, key, chain: claim.chain };
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : Number(a[0] > b[0]);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  entry(map, key, () => []).push(value);
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
