/** Reads what `iptables-save` says of table `nat`. */
import { CHAINS, OWN_PREFIX, type Chain } from './model.ts';

export interface NatListing {
  /** Number of rules of each chain of ours, the generation's among them. */
  readonly chains: ReadonlyMap<string, number>;
  /** Hook to the rules there that jump to our chains, each as `iptables` takes it after the chain's name. */
  readonly jumps: ReadonlyMap<string, readonly string[]>;
  readonly generation: string | undefined;
}

const RULE = /^-A (\S+) (.*)$/;
const JUMP = new RegExp(`(?:^| )-[jg] ${CHAINS.services}$`);

/** Only what is of ours; of a listing of several tables only `nat`. */
export function readNat(listing: string): NatListing {
  const chains = new Map<string, number>();
  const jumps = new Map<string, string[]>();
  let generation: string | undefined;
  let table = '';
  for (const line of listing.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    if (table !== 'nat') continue;
    if (line.startsWith(`:${OWN_PREFIX}`)) chains.set(line.slice(1).split(' ', 1)[0] ?? '', 0);
    const [, chain, rule] = RULE.exec(line) ?? [];
    if (chain === undefined || rule === undefined) continue;
    if (chain.startsWith(OWN_PREFIX)) chains.set(chain, (chains.get(chain) ?? 0) + 1);
    else if (JUMP.test(rule)) jumps.set(chain, [...(jumps.get(chain) ?? []), rule]);
    if (chain === CHAINS.generation) generation = /--comment "?([^"]*?)"?$/.exec(rule)?.[1];
  }
  return { chains, jumps, generation };
}

/** What is wrong, for a log line; undefined when hooks, chains and their numbers of rules are as written. */
export function describeDamage(
  written: ReadonlyMap<string, Chain>,
  hooks: readonly string[],
  { chains, jumps }: NatListing,
): string | undefined {
  for (const hook of hooks) if (!jumps.has(hook)) return `iptables chain ${hook} does not lead to ours`;
  for (const { name, rules } of written.values()) {
    const count = chains.get(name);
    if (count === undefined) return `iptables chain ${name} is gone`;
    if (count !== rules.length) return `iptables chain ${name} has ${count} rules, not ${rules.length}`;
  }
  // One more carries the generation.
  return chains.size === written.size + 1
    ? undefined
    : `there are ${chains.size - 1} iptables chains, not ${written.size}`;
}
