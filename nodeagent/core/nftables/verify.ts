/** Whether the table in the kernel is still the one that was written. */
import type { Ruleset } from './model.ts';

/** What is wrong, for a log line; undefined when chains, their numbers of rules and the generation are as written. */
export function describeDamage(
  ruleset: Ruleset,
  generation: string,
  found: { readonly generation: string | undefined; readonly rules: ReadonlyMap<string, number> },
): string | undefined {
  if (found.generation === undefined) return 'the table is gone or was emptied';
  if (found.generation !== generation) return `the table is of generation ${found.generation}, not ${generation}`;
  let chains = 0;
  for (const fragment of ruleset.fragments.values()) {
    for (const chain of fragment.chains) {
      chains += 1;
      const rules = found.rules.get(chain.name);
      if (rules === undefined) return `chain ${chain.name} is gone`;
      if (rules !== chain.rules.length) return `chain ${chain.name} has ${rules} rules, not ${chain.rules.length}`;
    }
  }
  return chains === found.rules.size ? undefined : `there are ${found.rules.size} chains, not ${chains}`;
}
