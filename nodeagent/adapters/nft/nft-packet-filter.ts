/**
 * `PacketFilter` as one nftables table, by the program `nft`. `nft monitor` holds the table in memory: 4 MB, and 5 kB
 * more for each Service.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Family } from '../../../contracts/ip.ts';
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import { compilePlan } from '../../core/nftables/compile.ts';
import { wholeRuleset, type Ruleset } from '../../core/nftables/delta.ts';
import type { Command } from '../../core/nftables/model.ts';
import { splitAround } from '../../core/nftables/around.ts';
import { ANCHOR_CHAIN, GENERATION_CHAIN, renderTransaction } from '../../core/nftables/render.ts';
import { FAMILY_WORDS } from '../../core/nftables/words.ts';
import { describeDamage } from '../../core/nftables/verify.ts';
import {
  FilterRefusedError,
  type FilterSurvey,
  type FilterWrite,
  type PacketFilter,
} from '../../ports/packet-filter.ts';
import type { FollowCommand } from '../../ports/follow-command.ts';
import type { ForwardingMeans, PlanChange } from '../../core/data-plane/plan.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { createConntrack } from './conntrack.ts';
import { listForwardDrops } from './foreign-drops.ts';
import { surveyListing } from './listing.ts';
import { createMonitorReader, type BesideTable } from './monitor.ts';
import { explainNftFailure, isInUse, isNoSuchTable } from './stderr.ts';

export interface NftSettings {
  /** Of the table; IPv4 when absent. */
  readonly family?: Family;
  readonly run: RunCommand;
  readonly follow: FollowCommand;
  /** Is there, and nobody else writes to it: for the transaction under way. */
  readonly folder: string;
  /** Table name; {@link NODE_NAMES.nftTable} when absent. Tests use others. */
  readonly table?: string;
  /** Chains of ours in another table, which others write: what they do to them is told as well. */
  readonly beside?: BesideTable;
}

/** One that can leave forwarding to others: to whom the plan that was written whole says (`forwardBy`). */
export interface NftPacketFilter extends PacketFilter {
  /**
   * As `change`, in two transactions where needed. `between` runs when all that is added is in, and before what is refused and
   * masqueraded no longer is taken out: whichever way a Service goes, who meets no target meets what was decided for that.
   */
  changeAround(
    change: PlanChange,
    generation: string,
    between: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<FilterWrite>;
}

/** nft 1.0.6 keeps something of every anonymous map that it ever saw: 0.8 kB. */
const TRANSACTIONS_PER_MONITOR = 4000;

export function createNftPacketFilter({
  family = 'IPv4',
  run,
  follow,
  folder,
  table = NODE_NAMES.nftTable,
  beside,
}: NftSettings): NftPacketFilter {
  const { ip } = FAMILY_WORDS[family];
  /** One name: what an agent that was killed has left there is written over by the next. */
  const file = join(folder, family === 'IPv4' ? 'transaction.nft' : 'transaction-6.nft');
  /** What the kernel has; undefined while unknown. */
  let written: Ruleset | undefined;
  let by: ForwardingMeans = 'nftables';

  const write = async (commands: readonly Command[], generation: string, signal: AbortSignal): Promise<FilterWrite> => {
    if (commands.length > 0) await runScript(renderTransaction(table, commands, generation, family), signal);
    return { commands: commands.length };
  };

  const runScript = async (script: string, signal: AbortSignal): Promise<void> => {
    // A file, as nft cannot read a script from the socket that Node gives a child for its standard input.
    try {
      await writeFile(file, script, { mode: 0o600 });
      const { code, stderr } = await run(['nft', '-f', file], { signal });
      if (code !== 0) throw new FilterRefusedError(explainNftFailure(code, stderr));
    } finally {
      await rm(file, { force: true });
    }
  };

  const changeAround: NftPacketFilter['changeAround'] = async (change, generation, between, signal) => {
    const ruleset = written;
    if (ruleset === undefined) throw new FilterRefusedError('it is not known what is in the kernel');
    // From here on, what the kernel has is not known until the last transaction is known to be in.
    written = undefined;
    const commands = ruleset.change(compilePlan(change, by));
    const { before, after } = splitAround(commands, by);
    await write(before, generation, signal);
    await between();
    await write(after, generation, signal);
    written = ruleset;
    return { commands: commands.length };
  };

  return {
    async replace(plan, generation, signal) {
      written = undefined;
      by = plan.policy.forwardBy;
      const { ruleset, commands } = wholeRuleset(compilePlan(plan, by));
      const done = await write(commands, generation, signal);
      written = ruleset;
      return done;
    },

    change: (change, generation, signal) => changeAround(change, generation, () => Promise.resolve(), signal),

    changeAround,

    async remove(signal) {
      written = undefined;
      // Added first, it is there to be deleted.
      await runScript(`add table ${ip} ${table}\ndelete table ${ip} ${table}\n`, signal);
    },

    async present(signal) {
      // A dry run (-c) of a removal that the kernel refuses while the generation's rule is there. Any listing, of one
      // chain too, makes nft 1.0.6 fetch all rules and sets: 1 to 3 s with 5,000 Services, against 20 ms.
      const { code, stderr } = await run(['nft', '-c', 'delete', 'chain', ip, table, ANCHOR_CHAIN], { signal });
      if (code === 0 || isNoSuchTable(stderr)) return false;
      if (isInUse(stderr)) return true;
      throw new Error(explainNftFailure(code, stderr));
    },

    async survey(signal): Promise<FilterSurvey> {
      // Terse and stateless: the elements of sets and maps, most of the table, are not copied out.
      const { code, stdout, stderr } = await run(['nft', '-s', '-t', 'list', 'table', ip, table], { signal });
      if (code !== 0 && !isNoSuchTable(stderr)) throw new Error(explainNftFailure(code, stderr));
      const { generation, rules } = surveyListing(stdout, GENERATION_CHAIN, ANCHOR_CHAIN);
      return { generation, damage: written && describeDamage(written, rules) };
    },

    async watch(tell, signal) {
      for (;;) {
        const read = createMonitorReader({ table, generationChain: GENERATION_CHAIN, beside }, tell);
        let transactions = 0;
        const { code, stderr } = await follow(['nft', 'monitor'], {
          signal,
          onLine: (line) => {
            transactions += read(line) === 'end of transaction' ? 1 : 0;
            return transactions < TRANSACTIONS_PER_MONITOR ? 'more' : 'enough';
          },
        });
        if (transactions < TRANSACTIONS_PER_MONITOR) throw new Error(explainNftFailure(code, stderr));
        // Nobody saw what happened between the two programs.
        tell('others');
      }
    },

    substitution: () => undefined,

    ...createConntrack(run, family),

    forwardDrops: (podRange, signal) => listForwardDrops(run, { family: ip, table }, podRange, signal),
  };
}
