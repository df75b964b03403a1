/** Rules of others that packets of pods do not survive. A drop is final in nftables: no rule of ours can overrule it. */
import type { ForwardDrop } from '../../ports/packet-filter.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import { chainsOf } from './listing.ts';
import { explainNftFailure } from './stderr.ts';

/** Base chains on the forward hook that drop or reject what none of their rules takes, and name `podRange` in no rule of their table. */
export async function listForwardDrops(
  run: RunCommand,
  own: TableName,
  podRange: string,
  signal: AbortSignal,
): Promise<readonly ForwardDrop[]> {
  const list = async (argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(argv, { signal });
    if (code !== 0) throw new Error(explainNftFailure(code, stderr));
    return stdout;
  };
  const drops: ForwardDrop[] = [];
  for (const { family, table, name } of findForwardChains(await list(['nft', 'list', 'chains']), own)) {
    const rules = await list(['nft', '-s', '-t', 'list', 'table', family, table]);
    if (rules.includes(podRange) || !dropsAtItsEnd(rules, name)) continue;
    const chain = `${family} ${table} ${name}`;
    drops.push({ chain, remedy: remedyOf(chain, table, podRange) });
  }
  if (own.family !== 'ip') return drops;
  // Old iptables keeps its rules where nft does not see them.
  const legacy = await run(['cat', '/proc/net/ip_tables_names'], { signal });
  if (!legacy.stdout.split('\n').includes('filter')) return drops;
  const rules = await run(['iptables-legacy', '-S', 'FORWARD'], { signal }).catch((error: unknown) => {
    if (isMissingProgram(error)) return undefined;
    throw error;
  });
  if (
    rules &&
    /^-P FORWARD DROP|^-A FORWARD -j (?:DROP|REJECT)\b/m.test(rules.stdout) &&
    !rules.stdout.includes(podRange)
  )
    drops.push({ chain: 'iptables-legacy filter FORWARD', remedy: iptablesAccept('iptables-legacy', podRange) });
  return drops;
}

/** Chains that iptables' successor keeps, and the program. */
const IPTABLES: ReadonlyMap<string, string> = new Map([
  ['ip filter FORWARD', 'iptables'],
  ['ip6 filter FORWARD', 'ip6tables'],
]);

/** What a program keeps in nftables is changed by that program: it writes its table anew. */
function remedyOf(chain: string, table: string, podRange: string): string {
  if (table === 'firewalld')
    return `firewall-cmd --permanent --zone=trusted --add-source=${podRange}; firewall-cmd --reload`;
  const program = IPTABLES.get(chain);
  return program === undefined ? nftAccept(chain, podRange) : iptablesAccept(program, podRange);
}

function nftAccept(chain: string, podRange: string): string {
  return ['saddr', 'daddr']
    .map((side) => `nft insert rule ${chain} ${podRange.includes(':') ? 'ip6' : 'ip'} ${side} ${podRange} accept`)
    .join('; ');
}

function iptablesAccept(program: string, podRange: string): string {
  return ['-s', '-d'].map((side) => `${program} -I FORWARD ${side} ${podRange} -j ACCEPT`).join('; ');
}

interface TableName {
  readonly family: string;
  readonly table: string;
}

interface ForeignChain extends TableName {
  readonly name: string;
}

/** From `nft list chains`: base chains on the forward hook, in tables other than `own`. */
function findForwardChains(listing: string, own: TableName): ForeignChain[] {
  const found: ForeignChain[] = [];
  for (const block of listing.split(/^(?=table )/m)) {
    const [, family, table] = /^table (\S+) (\S+) \{/.exec(block) ?? [];
    if (family === undefined || table === undefined || (family === own.family && table === own.table)) continue;
    if (![own.family, 'inet'].includes(family)) continue;
    for (const { name, lines } of chainsOf(block.split('\n')))
      if (lines.some((line) => line.startsWith('type filter hook forward '))) found.push({ family, table, name });
  }
  return found;
}

/** By policy, as Docker has it, or by a last rule for everything, as firewalld has it. */
function dropsAtItsEnd(listing: string, chain: string): boolean {
  for (const { name, lines } of chainsOf(listing.split('\n')))
    if (name === chain)
      return (
        lines.some((line) => /^type filter hook forward .*policy drop;/.test(line)) ||
        /^(?:counter )?(?:drop|reject(?: with [\w -]+)?)(?: comment "|$)/.test(lines.at(-1) ?? '')
      );
  return false;
}
