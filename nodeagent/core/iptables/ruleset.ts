/** Our chains as they should be, and the fewest of them that a change has to write. */
import type { Family } from '../../../contracts/ip.ts';
import { sameData } from '../data-plane/equality.ts';
import type { Forwarding, PlanOwner } from '../data-plane/plan.ts';
import { compileForwardings, dispatchChains, joinEntries, NO_ENTRIES } from './compile.ts';
import type { Chain, Part } from './model.ts';
import { LOOPBACK } from './words.ts';

/** One transaction. */
export interface ChainChange {
  /** Become these, whatever they were. */
  readonly set: readonly Chain[];
  /** Chains that are there and go; nothing refers to them any more. */
  readonly gone: readonly string[];
}

const NOTHING: Part = { chains: [], entries: NO_ENTRIES };

/** Is changed in place. A change costs what it touches; one of where clients aim writes all rules that lead to owners. */
export class Chains {
  private readonly owners = new Map<PlanOwner, Part>();
  private readonly byName = new Map<string, Chain>();

  private readonly family: Family;

  constructor(family: Family) {
    this.family = family;
    this.dispatch();
  }

  /** All chains, by name. */
  get all(): ReadonlyMap<string, Chain> {
    return this.byName;
  }

  /** Replaces some owners' forwardings; an owner without any is gone. Deterministic. */
  change(forwardings: ReadonlyMap<PlanOwner, readonly Forwarding[]>): ChainChange {
    const set = new Map<string, Chain>();
    const gone = new Set<string>();
    let entriesDiffer = false;
    for (const owner of [...forwardings.keys()].sort()) {
      const before = this.owners.get(owner) ?? NOTHING;
      const after = compileForwardings(forwardings.get(owner) ?? []);
      if (after.chains.length === 0) this.owners.delete(owner);
      else this.owners.set(owner, after);
      for (const { name } of before.chains) gone.add(name);
      for (const chain of after.chains) {
        gone.delete(chain.name);
        if (!sameData(this.byName.get(chain.name), chain)) set.set(chain.name, chain);
      }
      entriesDiffer ||= !sameData(before.entries, after.entries);
    }
    for (const name of gone) this.byName.delete(name);
    for (const chain of set.values()) this.byName.set(chain.name, chain);
    return { set: [...(entriesDiffer ? this.dispatch() : []), ...set.values()], gone: [...gone].sort() };
  }

  /** Those that differ. In the order of owners' names: the first that has a frontend gets its connections. */
  private dispatch(): readonly Chain[] {
    const parts = [...this.owners].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { entries }]) => entries);
    const chains = dispatchChains(joinEntries(parts), LOOPBACK[this.family]);
    const different = chains.filter((chain) => !sameData(this.byName.get(chain.name), chain));
    for (const chain of different) this.byName.set(chain.name, chain);
    return different;
  }
}
