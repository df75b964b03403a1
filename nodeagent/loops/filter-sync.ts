/**
 * Keeps the packet filter at the assignment: small transactions while all goes well, a whole one when anything is in
 * doubt.
 */
import { errorText } from '../../contracts/errors.ts';
import type { ObjectKey } from '../../contracts/objects/index.ts';
import type { AssignmentView } from '../core/assignment.ts';
import { planChange, sceneDigest, touchedBy, touchedByAll } from '../core/data-plane/assemble.ts';
import { flowsLeft, misledFlows, type Flow, type StaleFlow } from '../core/data-plane/flows.ts';
import { CLUSTER_DNS } from '../../contracts/agent/places.ts';
import { canonicalCidr, type Family } from '../../contracts/ip.ts';
import { familySettings, localPodRange } from '../core/data-plane/network.ts';
import type { Forwarding, NodePolicy, PlanChange, PlanOwner } from '../core/data-plane/plan.ts';
import { Guards } from '../core/data-plane/policy/guards.ts';
import type { GuardChange, GuardPart } from '../core/data-plane/policy/plan.ts';
import { ServiceIndex } from '../core/data-plane/service-index.ts';
import type { LocalPods } from '../core/local-pods.ts';
import { FilterRefusedError, type FilterSurvey, type PacketFilter } from '../ports/packet-filter.ts';
import type { NetworkLog } from './network-log.ts';

export interface FilterSync {
  /**
   * Brings the rules to `view`. `changed`: the keys that may differ from the last call; `all` reads the whole view, as
   * must the call after one that failed.
   */
  sync(view: AssignmentView, changed: ReadonlySet<ObjectKey> | 'all', signal: AbortSignal): Promise<void>;
  /** As `sync` with no change, with this UDP port closed to all but nodes; undefined closes none. */
  guardOverlay(view: AssignmentView, port: number | undefined, signal: AbortSignal): Promise<void>;
  /** Somebody else changed the rules: the next `sync` writes them whole. */
  distrust(): void;
  /**
   * Looks at the rules in the kernel, closely every tenth time; where somebody changed them, the next `sync` writes them
   * whole. Answers whether that is so.
   */
  verify(signal: AbortSignal): Promise<boolean>;
}

/**
 * A close look is dear with thousands of Services; being deleted or flushed, the usual damage, is seen at every look.
 */
const LOOKS_PER_SURVEY = 10;

const GONE = 'they are gone or were emptied';

export interface FilterSyncDeps {
  /** Whose rules are kept: those of {@link filter}. */
  readonly family: Family;
  readonly filter: PacketFilter;
  readonly pods: LocalPods;
  readonly log: NetworkLog;
  /** The user that the proxy runs as, by number. */
  readonly proxyUser?: number | undefined;
  /** Hears what the rules in force guard, when they are; undefined while that is not known. */
  readonly onGuards?: ((guards: Guards | undefined) => void) | undefined;
  /** Hears what was found, once the rules that others changed are whole again. */
  readonly onRepair: (found: string) => void;
}

export function createFilterSync({
  family,
  filter,
  pods,
  log,
  proxyUser,
  onGuards,
  onRepair,
}: FilterSyncDeps): FilterSync {
  const index = new ServiceIndex();
  const guards = new Guards();
  let podRange: string | undefined;
  /** What the kernel should have, as of the last look: this plan. No policy before the first. */
  let policy: NodePolicy | undefined;
  const forwardings = new Map<PlanOwner, readonly Forwarding[]>();
  /** What of it the kernel may not have yet. */
  const unwritten = {
    policy: false,
    owners: new Set<PlanOwner>(),
    guards: new Map<string, GuardPart | undefined>(),
  };
  /** Of the last write; undefined while it is not known what the kernel has. */
  let generation: string | undefined;
  /** What others did to the rules since they were written. */
  let damage: string | undefined;
  let stale: StaleFlow[] = [];
  /** Some client may wait for the answer of a TCP endpoint that gets no new connections. */
  let waiting = false;
  let scene: string | undefined;
  let localRange: string | undefined;
  let overlayPort: number | undefined;
  let count = 0;
  let looks = 0;
  let flowsKnown = false;
  let warned = false;

  const decide = (view: AssignmentView, changed: ReadonlySet<ObjectKey> | 'all'): void => {
    const digest = sceneDigest(view, family);
    const scope = { family, view, pods, index, overlayPort, proxyUser };
    // Which targets are this node's own, and near, is part of every forwarding.
    const touched =
      changed === 'all' || digest !== scene ? touchedByAll(scope, forwardings.keys()) : touchedBy(scope, changed);
    advance(planChange(scope, touched));
    const range = localPodRange(view, family);
    decideGuards(view, range, changed);
    localRange = range;
    scene = digest;
  };

  /** Whose addresses are in which rules depends on the ranges too. */
  const decideGuards = (
    view: AssignmentView,
    range: string | undefined,
    changed: ReadonlySet<ObjectKey> | 'all',
  ): void => {
    onGuards?.(undefined);
    const settings = familySettings(view, family);
    if (!settings) return;
    const cidr = canonicalCidr(settings.podCIDR);
    // Names are asked of an address of IPv4.
    const addresses = { podRange: cidr, dns: family === 'IPv4' ? CLUSTER_DNS.address : undefined };
    const scope = { family, view, pods, addresses, localRange: range };
    const all = range !== localRange || cidr !== podRange;
    const change: GuardChange = guards.change(scope, all ? 'all' : changed);
    podRange = cidr;
    for (const [name, part] of change) unwritten.guards.set(name, part);
  };

  const advance = (change: PlanChange): void => {
    if (change.policy) {
      policy = change.policy;
      unwritten.policy = true;
    }
    for (const [owner, after] of change.forwardings) {
      const before = forwardings.get(owner) ?? [];
      if (after.length === 0) forwardings.delete(owner);
      else forwardings.set(owner, after);
      if (before.length > 0 || after.length > 0) unwritten.owners.add(owner);
      // What comes after the first pass is known; before it, only the connection tracker knows what the rules once were.
      if (!flowsKnown) continue;
      const left = flowsLeft(before, after);
      stale.push(...left.stale);
      waiting ||= left.leftByTcp;
    }
  };

  const takeUnwritten = (): PlanChange => {
    const owners = [...unwritten.owners];
    const change = {
      ...(unwritten.policy && { policy }),
      forwardings: new Map(owners.map((owner) => [owner, forwardings.get(owner) ?? []] as const)),
      guards: new Map(unwritten.guards),
    };
    unwritten.policy = false;
    unwritten.guards.clear();
    unwritten.owners.clear();
    return change;
  };

  const commit = async (signal: AbortSignal): Promise<void> => {
    if (policy === undefined) return;
    const before = generation;
    const isDone = !unwritten.policy && unwritten.owners.size === 0 && unwritten.guards.size === 0;
    if (before !== undefined && isDone) return;
    const change = takeUnwritten();
    // Whatever happens next, what the kernel has is not known until the write is known to be in.
    generation = undefined;
    const next = String(count + 1);
    const { commands } =
      before === undefined
        ? await filter.replace({ policy, forwardings, guards: guards.parts }, next, signal)
        : await filter.change(change, next, signal);
    if (commands === 0) {
      generation = before;
      return;
    }
    count += 1;
    generation = next;
    log('debug', 'packet filter written', { family, generation, commands, whole: before === undefined });
    if (damage !== undefined) onRepair(damage);
    damage = undefined;
  };

  /** Best effort: rules that are in force are not called broken for a flow that ends by itself a little later. */
  const forget = async (signal: AbortSignal): Promise<void> => {
    const left = stale;
    const found: Flow[] = [];
    stale = [];
    try {
      if (!flowsKnown) found.push(...(await filter.flows('UDP', signal)));
      if (!flowsKnown || waiting) found.push(...(await filter.flows('unanswered TCP', signal)));
      flowsKnown = true;
      waiting = false;
      const flows = [...left, ...misledFlows(forwardings, found)];
      if (flows.length === 0 || (await filter.forgetFlows(flows, signal)) === 'done') return;
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
    log('warn', 'our packet filter rules are not as they were written; writing them again', { found });
    damage = found;
    generation = undefined;
  };

  const write = async (signal: AbortSignal): Promise<void> => {
    try {
      await commit(signal);
    } catch (error) {
      if (!(error instanceof FilterRefusedError)) throw error;
      log('warn', 'packet filter refused a change; writing all rules', { reason: error.message });
      await commit(signal);
    }
    if (policy !== undefined) onGuards?.(guards);
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
        advance(
          planChange({ family, view, pods, index, overlayPort, proxyUser }, { services: [], pods: [], policy: true }),
        );
      }
      await write(signal);
    },

    distrust() {
      if (generation !== undefined) noteDamage('somebody else changed them');
    },

    async verify(signal) {
      if (generation === undefined) return true;
      looks += 1;
      const found =
        looks % LOOKS_PER_SURVEY === 0
          ? describeSurvey(await filter.survey(signal), generation)
          : (await filter.present(signal))
            ? undefined
            : GONE;
      if (found === undefined) return false;
      noteDamage(found);
      return true;
    },
  };
}

function describeSurvey(found: FilterSurvey, written: string): string | undefined {
  if (found.generation === undefined) return GONE;
  if (found.generation !== written) return `they are of generation ${found.generation}, not ${written}`;
  return found.damage;
}
