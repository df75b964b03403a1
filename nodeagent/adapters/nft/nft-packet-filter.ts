/**
 * `PacketFilter` on the `nft` and `conntrack` programs. `nft monitor` holds the table in memory: 4 MB, and 5 kB more
 * for each Service.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { StaleFlow } from '../../core/nftables/model.ts';
import { ANCHOR_CHAIN, GENERATION_CHAIN, renderTransaction } from '../../core/nftables/render.ts';
import { FilterRefusedError, type FilterSurvey, type PacketFilter } from '../../ports/packet-filter.ts';
import type { FollowCommand } from '../../ports/follow-command.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { explainNftFailure, isInUse, isNoSuchTable } from './stderr.ts';
import { createMonitorReader } from './monitor.ts';
import { findForwardDrops, parseFlows, surveyListing } from './listing.ts';

export interface NftSettings {
  readonly run: RunCommand;
  readonly follow: FollowCommand;
  /** Table name; {@link NODE_NAMES.nftTable} when absent. Tests use others. */
  readonly table?: string;
}

/** nft 1.0.6 keeps something of every anonymous map that it ever saw: 0.8 kB. */
const TRANSACTIONS_PER_MONITOR = 4000;

export function createNftPacketFilter({ run, follow, table = NODE_NAMES.nftTable }: NftSettings): PacketFilter {
  return {
    async apply({ commands, generation }, signal) {
      // A file, as nft cannot read a script from the socket that Node gives a child for its standard input.
      const folder = await mkdtemp(join(tmpdir(), 'plumbline-nft-'));
      try {
        const file = join(folder, 'transaction.nft');
        await writeFile(file, renderTransaction(table, commands, generation), { mode: 0o600 });
        const { code, stderr } = await run(['nft', '-f', file], { signal });
        if (code !== 0) throw new FilterRefusedError(explainNftFailure(code, stderr));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },

    async present(signal) {
      // A dry run (-c) of a removal that the kernel refuses while the generation's rule is there. Any listing, of one
      // chain too, makes nft 1.0.6 fetch all rules and sets: 1 to 3 s with 5,000 Services, against 20 ms.
      const { code, stderr } = await run(['nft', '-c', 'delete', 'chain', 'ip', table, ANCHOR_CHAIN], { signal });
      if (code === 0 || isNoSuchTable(stderr)) return false;
      if (isInUse(stderr)) return true;
      throw new Error(explainNftFailure(code, stderr));
    },

    async survey(signal): Promise<FilterSurvey> {
      // Terse and stateless: the elements of sets and maps, most of the table, are not copied out.
      const { code, stdout, stderr } = await run(['nft', '-s', '-t', 'list', 'table', 'ip', table], { signal });
      if (code === 0) return surveyListing(stdout, GENERATION_CHAIN, ANCHOR_CHAIN);
      if (isNoSuchTable(stderr)) return { generation: undefined, rules: new Map() };
      throw new Error(explainNftFailure(code, stderr));
    },

    async watch(tell, signal) {
      for (;;) {
        const read = createMonitorReader({ family: 'ip', table, generationChain: GENERATION_CHAIN }, tell);
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

    async forgetFlows(flows, signal) {
      for (const flow of flows) {
        try {
          // Exit code 1 also means that there was no such flow, which is what is wanted.
          await run(['conntrack', '-D', ...flowFilter(flow)], { signal });
        } catch (error) {
          if (isMissingProgram(error)) return 'unsupported';
          throw error;
        }
      }
      return 'done';
    },

    async flows(of, signal) {
      const [protocol, ...state] = of === 'UDP' ? ['UDP' as const] : ['TCP' as const, '--state', 'SYN_SENT'];
      try {
        const { code, stdout, stderr } = await run(
          ['conntrack', '-L', '-f', 'ipv4', '-p', protocol.toLowerCase(), ...state],
          { signal },
        );
        if (code !== 0) throw new Error(`conntrack -L failed: ${stderr.trim().slice(0, 300)}`);
        return parseFlows(protocol, stdout);
      } catch (error) {
        if (isMissingProgram(error)) return [];
        throw error;
      }
    },

    async forwardDrops(podRange, signal) {
      const list = async (argv: readonly string[]): Promise<string> => {
        const { code, stdout, stderr } = await run(argv, { signal });
        if (code !== 0) throw new Error(explainNftFailure(code, stderr));
        return stdout;
      };
      const drops: string[] = [];
      for (const chain of findForwardDrops(await list(['nft', 'list', 'chains']), { family: 'ip', table })) {
        const rules = await list(['nft', '-s', '-t', 'list', 'table', chain.family, chain.table]);
        if (!rules.includes(podRange)) drops.push(`${chain.family} ${chain.table} ${chain.name}`);
      }
      // Old iptables keeps its rules where nft does not see them.
      const legacy = await run(['cat', '/proc/net/ip_tables_names'], { signal });
      if (!legacy.stdout.split('\n').includes('filter')) return drops;
      const rules = await run(['iptables-legacy', '-S', 'FORWARD'], { signal }).catch((error: unknown) => {
        if (isMissingProgram(error)) return undefined;
        throw error;
      });
      if (rules?.stdout.includes('-P FORWARD DROP') && !rules.stdout.includes(podRange))
        drops.push('iptables-legacy filter FORWARD');
      return drops;
    },
  };
}

function flowFilter(flow: StaleFlow): string[] {
  return [
    '-p',
    flow.protocol.toLowerCase(),
    ...(flow.unanswered ? ['--state', 'SYN_SENT'] : []),
    ...(flow.address === undefined ? [] : ['--orig-dst', flow.address]),
    '--orig-port-dst',
    String(flow.port),
    ...(flow.endpoint === undefined ? [] : ['--reply-src', flow.endpoint]),
  ];
}

function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
