/**
 * `Forwarder` as virtual servers of the kernel's IPVS, by the programs `ipvsadm` and `ip`. Packets that nftables marked are
 * this machine's own by a routing table of ours, which is the list of the addresses that are ours: IPVS keeps no names.
 */
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { Family } from '../../../contracts/ip.ts';
import type { Forwarding, IpvsScheduler, PlanOwner } from '../../core/data-plane/plan.ts';
import { wantedServers } from '../../core/ipvs/compile.ts';
import { describeDamage, planServers, type IpvsCommand } from '../../core/ipvs/diff.ts';
import { readLocalRoutes, readServers, type LiveServer } from '../../core/ipvs/listing.ts';
import type { ServerKey, VirtualServer } from '../../core/ipvs/model.ts';
import { renderCommands, renderRoutes } from '../../core/ipvs/render.ts';
import { SERVICE_MARK } from '../../core/nftables/model.ts';
import type { Clock } from '../../ports/clock.ts';
import { DamageWatch } from '../../ports/damage-watch.ts';
import type { Forwarder } from '../../ports/forwarder.ts';
import { FilterRefusedError, type FilterWrite } from '../../ports/packet-filter.ts';
import { isMissingProgram, type CommandResult, type RunCommand } from '../../ports/run-command.ts';
import { explainFailure, isNoSuchTable } from './stderr.ts';

export interface IpvsSettings {
  readonly family: Family;
  readonly run: RunCommand;
  readonly clock: Clock;
}

const TABLE = NODE_NAMES.ipvsTable;
const MARK = `0x${SERVICE_MARK.toString(16)}`;
const RULE = `fwmark ${MARK}/${MARK} lookup ${TABLE}`;

/**
 * Of the network namespace. The connection tracker knows whereto, for answers and for masquerading; a connection whose target
 * is gone is over at once; a client forgets a target of weight 0. Source: Linux, Documentation/networking/ipvs-sysctl.rst.
 */
const SETTINGS = ['conntrack', 'expire_nodest_conn', 'expire_quiescent_template'] as const;

/** How often it is asked whether connections of before are over. */
const REST_EVERY_MS = 2000;

/** What is there of ours. */
interface Found {
  readonly servers: ReadonlyMap<ServerKey, LiveServer>;
  readonly addresses: ReadonlySet<string>;
  readonly hasRule: boolean;
}

interface Written {
  readonly servers: ReadonlyMap<ServerKey, VirtualServer>;
  readonly addresses: ReadonlySet<string>;
}

export function createIpvsForwarder({ family, run, clock }: IpvsSettings): Forwarder {
  const ip = ['ip', family === 'IPv4' ? '-4' : '-6'];
  /** What the kernel has; undefined while unknown. */
  let written: Written | undefined;
  let mark = '';
  const forwardings = new Map<PlanOwner, readonly Forwarding[]>();
  let scheduler: IpvsScheduler = 'rr';
  /** What was taken away is still there for connections. */
  let hasRest = false;
  let turn: Promise<unknown> = Promise.resolve();

  /** One after the other: a rest is taken away while others may want to write. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  const ask = async (argv: readonly string[], signal: AbortSignal, input?: string): Promise<CommandResult> =>
    run(argv, { signal, ...(input !== undefined && { input }) });

  const told = async (argv: readonly string[], signal: AbortSignal, input?: string): Promise<string> => {
    const { code, stdout, stderr } = await ask(argv, signal, input);
    if (code !== 0) throw new Error(explainFailure(argv[0] ?? '', code, stderr));
    return stdout;
  };

  const hasRule = async (signal: AbortSignal): Promise<boolean> =>
    (await told([...ip, 'rule', 'show'], signal)).includes(RULE);

  const routes = async (signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const { code, stdout, stderr } = await ask([...ip, 'route', 'show', 'table', TABLE], signal);
    if (code !== 0 && !isNoSuchTable(stderr)) throw new Error(explainFailure('ip', code, stderr));
    return readLocalRoutes(stdout);
  };

  /** `more`: addresses that are ours too, whatever became of the table. */
  const find = async (signal: AbortSignal, more: ReadonlySet<string> = new Set()): Promise<Found> => {
    const [rule, addresses, listing] = await Promise.all([
      hasRule(signal),
      routes(signal),
      told(['ipvsadm', '-L', '-n'], signal),
    ]);
    const all = readServers(listing, family);
    return {
      hasRule: rule,
      addresses,
      servers: new Map([...all].filter(([, { address }]) => addresses.has(address) || more.has(address))),
    };
  };

  const damageOf = ({ servers, addresses, hasRule: isRule }: Found): string | undefined => {
    if (written === undefined) return undefined;
    if (!isRule) return `the rule that leads to routing table ${TABLE} is gone`;
    for (const address of written.addresses)
      if (!addresses.has(address)) return `address ${address} is not in routing table ${TABLE}`;
    return describeDamage(written.servers, servers);
  };

  const look = async (signal: AbortSignal): Promise<string | undefined> =>
    damageOf(await find(signal, written?.addresses));

  const looks = new DamageWatch(clock, async (signal) => (await look(signal)) !== undefined);

  const isWritten = (now: Written | undefined): void => {
    written = now;
    looks.know(now !== undefined);
  };

  const batch = async (lines: readonly string[], signal: AbortSignal): Promise<void> => {
    if (lines.length > 0) await told([...ip, '-batch', '-'], signal, lines.map((line) => `${line}\n`).join(''));
  };

  const restore = async (commands: readonly IpvsCommand[], signal: AbortSignal): Promise<string | undefined> => {
    if (commands.length === 0) return undefined;
    const { code, stderr } = await ask(['ipvsadm', '--restore'], signal, renderCommands(commands));
    return code === 0 && stderr.trim() === '' ? undefined : explainFailure('ipvsadm', code, stderr);
  };

  /** From what was found to what is wanted. An address is ours before there is a server at it, and until there is none. */
  const write = async (found: Found, signal: AbortSignal): Promise<FilterWrite & { readonly now: Written }> => {
    const { commands, after } = planServers(wantedServers(forwardings, scheduler), found.servers);
    const addresses = new Set([...after.values()].map(({ address }) => address));
    const { add, remove } = renderRoutes(TABLE, addresses, found.addresses);
    const now = { servers: after, addresses };
    const count = commands.length + add.length + remove.length + Number(!found.hasRule);
    if (count === 0) return { commands: 0, now };
    looks.noteWrite();
    await batch([...(found.hasRule ? [] : [`rule add pref ${TABLE} ${RULE}`]), ...add], signal);
    const refusal = await restore(commands, signal);
    await batch(remove, signal);
    // `ipvsadm` goes on after a line that failed.
    const all = readServers(await told(['ipvsadm', '-L', '-n'], signal), family);
    const ours = new Map([...all].filter(([, { address }]) => addresses.has(address)));
    const difference = describeDamage(after, ours);
    looks.noteWrite();
    if (difference !== undefined) throw new FilterRefusedError(refusal ?? `ipvsadm did not do it: ${difference}`);
    return { commands: count, now };
  };

  /** Nothing of ours is there any more. */
  const clear = async ({ servers, addresses, hasRule: isRule }: Found, signal: AbortSignal): Promise<void> => {
    const refusal = await restore(
      [...servers.values()].map((server): IpvsCommand => ({ do: 'delete', server })),
      signal,
    );
    if (refusal !== undefined) throw new Error(refusal);
    const { remove } = renderRoutes(TABLE, new Set(), addresses);
    await batch([...remove, ...(isRule ? [`rule del pref ${TABLE} ${RULE}`] : [])], signal);
  };

  /** Answers whether connections keep something there. */
  const clearWhatRests = async (signal: AbortSignal): Promise<boolean> => {
    if (!(await hasRule(signal)) && (await routes(signal)).size === 0) return false;
    const found = await find(signal);
    if ([...found.servers.values()].some(({ connections }) => connections > 0)) return true;
    await clear(found, signal);
    return false;
  };

  const refusing = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof Error) || error instanceof FilterRefusedError) throw error;
      const reason = isMissingProgram(error)
        ? 'there is no ipvsadm on this machine: apt-get install ipvsadm'
        : error.message;
      throw new FilterRefusedError(reason, { cause: error });
    }
  };

  const prepare = async (signal: AbortSignal): Promise<void> => {
    await told(['ipvsadm', '-L', '-n'], signal);
    for (const name of SETTINGS) await told(['tee', `/proc/sys/net/ipv4/vs/${name}`], signal, '1');
  };

  return {
    replace: (plan, generation, signal) =>
      inTurn(() =>
        refusing(signal, async () => {
          isWritten(undefined);
          hasRest = false;
          forwardings.clear();
          for (const [owner, list] of plan.forwardings) forwardings.set(owner, list);
          scheduler = plan.policy.scheduler ?? 'rr';
          await prepare(signal);
          const { commands, now } = await write(await find(signal), signal);
          isWritten(now);
          mark = generation;
          return { commands };
        }),
      ),

    change: (changed, generation, signal) =>
      inTurn(() =>
        refusing(signal, async () => {
          const before = written;
          if (before === undefined) throw new FilterRefusedError('it is not known what is in IPVS');
          for (const [owner, list] of changed) {
            if (list.length === 0) forwardings.delete(owner);
            else forwardings.set(owner, list);
          }
          const found = await find(signal, before.addresses);
          const damage = damageOf(found);
          // From here on, what the kernel has is not known until all of it is known to be in.
          isWritten(undefined);
          if (damage !== undefined) throw new FilterRefusedError(damage);
          const { commands, now } = await write(found, signal);
          if (commands > 0) mark = generation;
          isWritten(now);
          return { commands };
        }),
      ),

    remove: (signal) =>
      inTurn(async () => {
        isWritten(undefined);
        forwardings.clear();
        try {
          hasRest = await clearWhatRests(signal);
        } catch (error) {
          if (!isMissingProgram(error)) throw error;
        }
      }),

    async present(signal) {
      return written !== undefined && (await look(signal)) === undefined;
    },

    async survey(signal) {
      if (written === undefined) return { generation: undefined, damage: undefined };
      const damage = await look(signal);
      return { generation: damage === undefined ? mark : undefined, damage };
    },

    async watch(tell, signal) {
      const rest = async (): Promise<never> => {
        for (;;) {
          await clock.sleep(REST_EVERY_MS, signal);
          if (hasRest) await inTurn(async () => (hasRest &&= await clearWhatRests(signal)));
        }
      };
      return Promise.race([looks.watch(tell, signal), rest()]);
    },
  };
}
