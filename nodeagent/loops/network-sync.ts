/**
 * The network loop: Services, host ports, routes and CNI of this node follow the assignment and its own pods, with or
 * without a control plane.
 */
import { errorText } from '../../contracts/errors.ts';
import { isKeyOf, kindOfKey, type ObjectKey } from '../../contracts/objects/key.ts';
import type { AssignmentSource, AssignmentView, NetworkState } from '../core/assignment.ts';
import { NO_LOCAL_PODS, type LocalPodSource } from '../core/local-pods.ts';
import { bridgeWarnings } from '../core/cni/bridges.ts';
import { familySettings, isPodNetworkForeign, localPodRange } from '../core/data-plane/network.ts';
import type { Family } from '../../contracts/ip.ts';
import type { CniConfigFile } from '../ports/cni-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { FilterDisturbance, PacketFilter } from '../ports/packet-filter.ts';
import type { Routing } from '../ports/routing.ts';
import { createFilterSyncs } from './filter-syncs.ts';
import { watchFilter } from './filter-watch.ts';
import type { HeldAddresses } from './held-addresses.ts';
import type { NetworkLog } from './network-log.ts';
import type { KnownGuards } from './policy-gate.ts';
import type { NodeEvent } from './status-hub.ts';
import { concernsRouting, releaseAddresses, routingDigest, syncCni, syncRouting, withProxy } from './routing-sync.ts';

export interface NetworkSyncDeps {
  readonly assignment: AssignmentSource;
  /** What the node itself knows of its pods; the assignment alone counts when absent. */
  readonly pods?: LocalPodSource;
  /** Of IPv4; it hears of changes to the rules of both. */
  readonly filter: PacketFilter;
  /** Of IPv6: used where the cluster has that. Where it is absent, the node has none. */
  readonly filterIPv6?: PacketFilter;
  readonly routing: Routing;
  readonly cni: CniConfigFile;
  /** Addresses of load balancers that this machine holds; none when absent. */
  readonly held?: HeldAddresses;
  /** The user that the proxy runs as, by number; absent where there is none of its own. */
  readonly proxyUser?: number | undefined;
  readonly clock: Clock;
  readonly log: NetworkLog;
  /** Hears every change of the state. */
  onState(state: NetworkState): void;
  /** Hears, at each look, by which key others encrypt what they send here; never where the cluster has no WireGuard. */
  readonly onWireGuardKey?: (publicKey: string) => void;
  /** Hears what the rules in force guard; undefined while that is not known. */
  readonly onGuards?: (guards: KnownGuards | undefined) => void;
  /** Hears what a person should know of, for an Event of the Node. */
  readonly onEvent?: (event: NodeEvent) => void;
  /** Milliseconds between looks at what others may have changed and nobody told; 60,000 when absent. */
  readonly verifyEveryMs?: number;
}

export interface NetworkSync {
  /**
   * Stops; a transaction that runs is in or not, never half. Leaves the machine's network as it is: Services go on
   * without the agent.
   */
  close(): Promise<void>;
  /**
   * Resolves once the newest assignment at the time of the call is wholly in force; rejects when the loop is closed
   * before.
   */
  synced(): Promise<void>;
}

const VERIFY_EVERY_MS = 60_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;

/** Which kinds the network is made of; a change to any other object only moves the version. */
const OUR_KINDS = [
  'Service',
  'EndpointSlice',
  'Node',
  'Cluster',
  'ProxyConfig',
  'Pod',
  'NetworkPolicy',
  'PeerSlice',
  'Namespace',
] as const;

/**
 * Starts the loop. Changes that come during a pass lead to exactly one more. A failed pass is tried again after a pause
 * that doubles from 250 ms to 30 s, sooner when the assignment changes; its reason is in the state's `error`, and the
 * version stays the last one that was wholly in force.
 */
export function startNetworkSync(deps: NetworkSyncDeps): NetworkSync {
  const stop = new AbortController();
  const waiters = new Set<{ resolve(): void; reject(reason: Error): void }>();
  /** What the rules in force may not show yet. Kept until they do. */
  let pending: Set<ObjectKey> | 'all' = 'all';
  /** What others changed in the packet filter since the last pass began. */
  let disturbed = new Set<FilterDisturbance>();
  /** Set whenever there may be work; a pass clears it before it reads the assignment. */
  let asked = true;
  let wake: () => void = () => undefined;
  let state: NetworkState = { version: null, error: null };

  const ask = (changed: readonly ObjectKey[]): void => {
    if (pending !== 'all') for (const key of changed) pending.add(key);
    asked = true;
    wake();
  };
  const watching = watchFilter(
    deps.filter,
    deps.clock,
    deps.log,
    (change) => {
      disturbed.add(change);
      ask([]);
    },
    stop.signal,
  );
  const subscriptions = [
    deps.assignment.onChange(ask),
    deps.pods?.onChange(ask),
    deps.held?.onChange(() => {
      ask([]);
    }),
  ];

  const tell = (next: NetworkState): void => {
    if (next.version === state.version && next.error === state.error) return;
    state = next;
    deps.onState(next);
  };

  const pass = createPass(deps);

  const work = async (verify: boolean): Promise<boolean> => {
    asked = false;
    const view = deps.assignment.current();
    const changed = pending;
    const look = { verify, disturbed };
    pending = new Set();
    disturbed = new Set();
    if (view.version === null) {
      pending = 'all';
      return true;
    }
    const outcome = await pass(view, changed, look, stop.signal);
    if (stop.signal.aborted) return false;
    // A pass that failed may have lost track of what it had looked at.
    if (!outcome.rulesInForce) pending = 'all';
    tell({
      version: outcome.inForce ? view.version : state.version,
      error: outcome.problems.length === 0 ? null : outcome.problems.join('; '),
    });
    if (!outcome.inForce) {
      for (const problem of outcome.problems) deps.log('error', 'network sync failed', { reason: problem });
    } else if (!asked) {
      for (const waiter of waiters) waiter.resolve();
      waiters.clear();
    }
    return outcome.inForce;
  };

  const run = async (): Promise<void> => {
    const every = deps.verifyEveryMs ?? VERIFY_EVERY_MS;
    let failures = 0;
    let verifyAt = deps.clock.monotonic() + every;
    while (!stop.signal.aborted) {
      // By the time alone: changes that keep coming, as from a pod that is ready and not ready by turns, do not put it
      // off.
      const verify = deps.clock.monotonic() >= verifyAt;
      if (verify) verifyAt = deps.clock.monotonic() + every;
      failures = (await work(verify)) ? 0 : failures + 1;
      const retryIn =
        failures > 0 ? Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LAST_RETRY_MS) : Number.POSITIVE_INFINITY;
      await pauseUnlessAsked(Math.min(retryIn, Math.max(0, verifyAt - deps.clock.monotonic())));
    }
  };

  /** Waits for work or for the time to pass. */
  const pauseUnlessAsked = async (ms: number): Promise<void> => {
    if (asked || stop.signal.aborted) return;
    const over = new AbortController();
    const end = (): void => {
      over.abort();
    };
    wake = end;
    stop.signal.addEventListener('abort', end, { once: true });
    try {
      await deps.clock.sleep(ms, over.signal);
    } catch (error) {
      if (!over.signal.aborted) throw error;
    } finally {
      wake = () => undefined;
      stop.signal.removeEventListener('abort', end);
    }
  };

  const running = run().catch((error: unknown) => {
    deps.log('error', 'network loop ended', { reason: errorText(error) });
    tell({ ...state, error: errorText(error) });
  });

  return {
    async close() {
      for (const unsubscribe of subscriptions) unsubscribe?.();
      stop.abort(new Error('the network loop is closed'));
      await Promise.all([running, watching]);
      for (const waiter of waiters)
        waiter.reject(new Error('the network loop was closed before the assignment was in force'));
      waiters.clear();
    },
    synced() {
      if (stop.signal.aborted) return Promise.reject(new Error('the network loop is closed'));
      const { version } = deps.assignment.current();
      if (version !== null && version === state.version && !asked) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiters.add({ resolve, reject });
      });
    },
  };
}

interface PassOutcome {
  /** Services and host ports of the view are in the packet filter. */
  readonly rulesInForce: boolean;
  /** Everything of the view is on the machine. */
  readonly inForce: boolean;
  /** Why not, or what is in the way although it is. */
  readonly problems: readonly string[];
}

interface Look {
  /** Look at everything on the machine, changed or not. */
  readonly verify: boolean;
  readonly disturbed: ReadonlySet<FilterDisturbance>;
}

type Pass = (
  view: AssignmentView,
  changed: ReadonlySet<ObjectKey> | 'all',
  look: Look,
  signal: AbortSignal,
) => Promise<PassOutcome>;

/**
 * One look at everything that may have changed; never rejects. The parts fail apart: broken routes do not hold back a
 * Service's endpoints.
 */
function createPass({
  filter,
  filterIPv6,
  pods = NO_LOCAL_PODS,
  held,
  routing,
  cni,
  log,
  proxyUser,
  onWireGuardKey,
  onGuards,
  onEvent,
}: NetworkSyncDeps): Pass {
  const filterSync = createFilterSyncs({
    filters: { IPv4: filter, IPv6: filterIPv6 },
    pods,
    log,
    proxyUser,
    onGuards,
    onRepair: (found) =>
      onEvent?.({
        type: 'Warning',
        reason: 'PacketFilterRepaired',
        message: `Services and host ports were without their rules (${found}); they are written again`,
      }),
  });
  let routed: string | undefined;
  /** The addresses that the machine has. */
  let had: readonly string[] | undefined;
  let warnings: string[] = [];
  /** Of bridges of a plugin's; undefined before they were looked at. */
  let bridged: readonly string[] | undefined;

  return async (view, changed, { verify, disturbed }, signal) => {
    const failures: string[] = [];
    const attempt = async (what: string, action: () => Promise<void>): Promise<boolean> => {
      try {
        await action();
        return true;
      } catch (error) {
        failures.push(`${what}: ${errorText(error)}`);
        return false;
      }
    };

    const relevant = changed === 'all' ? changed : new Set([...changed].filter((key) => isKeyOf(key, ...OUR_KINDS)));
    const wanted = held?.current();
    // What guards an address is in force as long as the machine has the address, and a little longer.
    if (wanted !== undefined && (had === undefined || had.some((address) => !wanted.includes(address))))
      await attempt('addresses', () => releaseAddresses(withProxy(view, wanted), routing, log, signal));
    const rulesInForce = await attempt('packet filter', async () => {
      if (disturbed.has('own-rules')) filterSync.distrust();
      const damaged = (verify || disturbed.size > 0) && (await filterSync.verify(signal));
      if (damaged || relevant === 'all' || relevant.size > 0) await filterSync.sync(view, relevant, signal);
    });

    let firewallLooked = !verify && !disturbed.has('others');
    if (
      verify ||
      routed === undefined ||
      had !== held?.current() ||
      relevant === 'all' ||
      [...relevant].some((key) => concernsRouting(kindOfKey(key)))
    ) {
      await attempt('routes', async () => {
        const digest = routingDigest(view);
        const current = held?.current();
        const addresses = rulesInForce ? current : current?.filter((address) => had?.includes(address));
        if (!verify && digest === routed && addresses === had) return;
        firewallLooked = false;
        routed = undefined;
        const { podMtu } = await syncRouting(
          view,
          withProxy(view, addresses ?? []),
          routing,
          { guardOverlay: (port) => filterSync.guardOverlay(view, port, signal), onWireGuardKey },
          log,
          signal,
        );
        await syncCni(view, cni, podMtu, log, signal);
        routed = digest;
        had = addresses;
        held?.inForce(addresses ?? []);
      });
    }
    if (!firewallLooked) {
      await attempt('firewall', async () => {
        const before = warnings;
        warnings = (
          await Promise.all([
            forwardWarnings('IPv4', view, filter, signal),
            ...(filterIPv6 ? [forwardWarnings('IPv6', view, filterIPv6, signal)] : []),
          ])
        ).flat();
        for (const warning of warnings) if (!before.includes(warning)) log('warn', warning);
      });
    }
    if (!isPodNetworkForeign(view)) bridged = undefined;
    // A plugin makes its bridge with a node's first pod.
    else if (
      verify ||
      bridged === undefined ||
      relevant === 'all' ||
      [...relevant].some((key) => isKeyOf(key, 'Pod'))
    ) {
      await attempt('bridges', async () => {
        const before = bridged ?? [];
        bridged = bridgeWarnings(await routing.bridges(signal), (family) => localPodRange(view, family));
        for (const warning of bridged) if (!before.includes(warning)) log('warn', warning);
      });
    }
    const substitutions = [filter.substitution(), filterIPv6?.substitution()].filter((one) => one !== undefined);
    return {
      rulesInForce,
      inForce: failures.length === 0,
      problems: [...failures, ...substitutions, ...warnings, ...(bridged ?? [])],
    };
  };
}

/** Rules of others that pods' packets do not survive. Those of a plugin's network are between it and them. */
async function forwardWarnings(
  family: Family,
  view: AssignmentView,
  filter: PacketFilter,
  signal: AbortSignal,
): Promise<string[]> {
  const podCIDR = familySettings(view, family)?.podCIDR;
  if (podCIDR === undefined || localPodRange(view, family) === undefined || isPodNetworkForeign(view)) return [];
  const drops = await filter.forwardDrops(podCIDR, signal);
  return drops.map(
    ({ chain, remedy }) =>
      `chain ${chain} drops forwarded packets that no rule of it takes, and has none for pods (${podCIDR}): pods cannot be reached. Accept them there: ${remedy}`,
  );
}
