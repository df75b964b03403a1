/** Whether the table in the kernel still has what was written. */
import type { Ruleset } from './delta.ts';

/** What is wrong, for a log line; undefined when chains and their numbers of rules are as written. */
export function describeDamage(ruleset: Ruleset, rules: ReadonlyMap<string, number>): string | undefined {
  let chains = 0;
  for (const fragment of ruleset.fragments.values()) {
    for (const chain of fragment.chains) {
      chains += 1;
      const count = rules.get(chain.name);
      if (count === undefined) return `chain ${chain.name} is gone`;
      if (count !== chain.rules.length) return `chain ${chain.name} has ${count} rules, not ${chain.rules.length}`;
    }
  }
  return chains === rules.size ? undefined : `there are ${rules.size} chains, not ${chains}`;
}
