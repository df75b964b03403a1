/**
 * Keeps the packet filter at the assignment: small transactions while all goes well, a whole one when anything is in
 * doubt.
 */
import { errorText } from '../../contracts/errors.ts';
import type { ObjectKey } from '../../contracts/objects/index.ts';
import type { AssignmentView } from '../core/assignment.ts';
import type { LocalPods } from '../core/local-pods.ts';
import { compileChanges, localPodRange, touchedBy, touchedByAll } from '../core/nftables/compile.ts';
import {
  changeRuleset,
  EMPTY_RULESET,
  misledFlows,
  renderWhole,
  type FragmentChanges,
} from '../core/nftables/delta.ts';
import type { Flow, Ruleset, StaleFlow } from '../core/nftables/model.ts';
import { ServiceIndex } from '../core/nftables/service-index.ts';
import { describeDamage } from '../core/nftables/verify.ts';
import { FilterRefusedError, type PacketFilter } from '../ports/packet-filter.ts';
import type { NetworkLog } from './network-log.ts';

export interface FilterSync {
  /**
   * Brings the table to `view`. `changed`: the keys that may differ from the last call; `all` reads the whole view, as
   * must the call after one that failed.
   */
  sync(view: AssignmentView, changed: ReadonlySet<ObjectKey> | 'all', signal: AbortSignal): Promise<void>;
  /** As `sync` with no change, with this UDP port closed to all but nodes; undefined closes none. */
  guardOverlay(view: AssignmentView, port: number | undefined, signal: AbortSignal): Promise<void>;
  /** Somebody else changed the table: the next `sync` writes it whole. */
  distrust(): void;
  /**
   * Looks at the table in the kernel, closely every tenth time; where somebody changed it, the next `sync` writes it
   * whole. Answers whether that is so.
   */
  verify(signal: AbortSignal): Promise<boolean>;
}

/**
 * A close look is dear with thousands of Services; being deleted or flushed, the usual damage, is seen at every look.
 */
const LOOKS_PER_SURVEY = 10;

export interface FilterSyncDeps {
  readonly filter: PacketFilter;
  readonly pods: LocalPods;
  readonly log: NetworkLog;
  /** Hears what was found, once the table that others changed is whole again. */
  readonly onRepair: (found: string) => void;
}

export function createFilterSync({ filter, pods, log, onRepair }: FilterSyncDeps): FilterSync {
  const index = new ServiceIndex();
  /** What the kernel has; undefined while unknown. */
  let committed: { ruleset: Ruleset; generation: string } | undefined;
  /** What it should have, as of the last look. */
  let wanted: Ruleset = EMPTY_RULESET;
  /** What others did to the table since it was written. */
  let damage: string | undefined;
  let pending: StaleFlow[] = [];
  /** Some client may wait for the answer of a TCP endpoint that gets no new connections. */
  let waiting = false;
  let localRange: string | undefined;
  let overlayPort: number | undefined;
  let count = 0;
  let looks = 0;
  let flowsKnown = false;
  let warned = false;

  const decide = (view: AssignmentView, changed: ReadonlySet<ObjectKey> | 'all'): void => {
    const range = localPodRange(view);
    const scope = { view, pods, index, overlayPort };
    // Which endpoints are this node's own is part of every Service's fragment.
    const touched =
      changed === 'all' || range !== localRange
        ? touchedByAll(scope, wanted.fragments.keys())
        : touchedBy(scope, changed);
    advance(compileChanges(scope, touched));
    localRange = range;
  };

  const advance = (changes: FragmentChanges): void => {
    const delta = changeRuleset(wanted, changes);
    wanted = delta.next;
    // What comes after the first pass is known; before it, only the connection tracker knows what the rules once were.
    if (!flowsKnown) return;
    pending.push(...delta.staleFlows);
    waiting ||= delta.leftByTcp;
  };

  const commit = async (signal: AbortSignal): Promise<void> => {
    if (committed?.ruleset === wanted) return;
    const commands = committed
      ? changeRuleset(committed.ruleset, changedFragments(committed.ruleset, wanted)).commands
      : renderWhole(wanted);
    if (commands.length === 0 && committed) {
      committed = { ...committed, ruleset: wanted };
      return;
    }
    count += 1;
    const generation = String(count);
    const whole = committed === undefined;
    // Whatever happens next, what the kernel has is not known until the transaction is known to be in.
    committed = undefined;
    await filter.apply({ commands, generation }, signal);
    committed = { ruleset: wanted, generation };
    log('debug', 'packet filter written', { generation, commands: commands.length, whole });
    if (damage !== undefined) onRepair(damage);
    damage = undefined;
  };

  /** Best effort: rules that are in force are not called broken for a flow that ends by itself a little later. */
  const forget = async (signal: AbortSignal): Promise<void> => {
    const flows = pending;
    const looks: Flow[] = [];
    pending = [];
    try {
      if (!flowsKnown) looks.push(...(await filter.flows('UDP', signal)));
      if (!flowsKnown || waiting) looks.push(...(await filter.flows('unanswered TCP', signal)));
      flowsKnown = true;
      waiting = false;
      const stale = [...flows, ...misledFlows(wanted, looks)];
      if (stale.length === 0 || (await filter.forgetFlows(stale, signal)) === 'done') return;
      warnOfFlows('the program conntrack is not installed');
    } catch (error) {
      if (signal.aborted) throw error;
      flowsKnown = true;
      waiting = false;
      warnOfFlows(errorText(error));
    }
  };

  const warnOfFlows = (reason: string): void => {
    if (!warned)
      log(
        'warn',
        'clients of removed endpoints may wait until the kernel forgets their flows (30 to 120 s of silence)',
        { reason },
      );
    warned = true;
  };

  const noteDamage = (found: string): void => {
    log('warn', 'our packet filter table is not as it was written; writing it again', { found });
    damage = found;
    committed = undefined;
  };

  const write = async (signal: AbortSignal): Promise<void> => {
    try {
      await commit(signal);
    } catch (error) {
      if (!(error instanceof FilterRefusedError)) throw error;
      log('warn', 'packet filter refused a change; writing the whole table', { reason: error.message });
      await commit(signal);
    }
    await forget(signal);
  };

  return {
    async sync(view, changed, signal) {
      decide(view, changed);
      await write(signal);
    },

    async guardOverlay(view, port, signal) {
      if (port !== overlayPort) {
        overlayPort = port;
        advance(compileChanges({ view, pods, index, overlayPort }, { services: [], pods: [], frame: true }));
      }
      await write(signal);
    },

    distrust() {
      if (committed !== undefined) noteDamage('somebody else changed it');
    },

    async verify(signal) {
      if (committed === undefined) return true;
      looks += 1;
      const found =
        looks % LOOKS_PER_SURVEY === 0
          ? describeDamage(committed.ruleset, committed.generation, await filter.survey(signal))
          : (await filter.present(signal))
            ? undefined
            : 'the table is gone or was emptied';
      if (found === undefined) return false;
      noteDamage(found);
      return true;
    },
  };
}

/** Owners whose fragment is another object: fragments are immutable and shared between rulesets. */
function changedFragments(from: Ruleset, to: Ruleset): Map<string, ReturnType<Ruleset['fragments']['get']>> {
  const changes = new Map<string, ReturnType<Ruleset['fragments']['get']>>();
  for (const [owner, fragment] of to.fragments)
    if (from.fragments.get(owner) !== fragment) changes.set(owner, fragment);
  for (const owner of from.fragments.keys()) if (!to.fragments.has(owner)) changes.set(owner, undefined);
  return changes;
}
