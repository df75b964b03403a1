/** The network loop: Services, routes and CNI of this node follow the assignment, with or without a control plane. */
import { parseKey, type ObjectKey } from '../../contracts/objects/key.ts';
import type { AssignmentSource, AssignmentView, NetworkState } from '../core/assignment.ts';
import { localPodRange, networkSettings } from '../core/nftables/compile.ts';
import type { CniConfigFile } from '../ports/cni-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { PacketFilter } from '../ports/packet-filter.ts';
import type { Routing } from '../ports/routing.ts';
import { createFilterSync } from './filter-sync.ts';
import type { NetworkLog } from './network-log.ts';
import { routingDigest, syncCni, syncRouting } from './routing-sync.ts';

export interface NetworkSyncDeps {
  readonly assignment: AssignmentSource;
  readonly filter: PacketFilter;
  readonly routing: Routing;
  readonly cni: CniConfigFile;
  readonly clock: Clock;
  readonly log: NetworkLog;
  /** Hears every change of the state. */
  onState(state: NetworkState): void;
  /** Milliseconds between looks at what others may have changed; 60,000 when absent. */
  readonly verifyEveryMs?: number;
}

export interface NetworkSync {
  /** Stops; a transaction that runs is in or not, never half. Leaves the machine's network as it is: Services go on without the agent. */
  close(): Promise<void>;
  /** Resolves once the newest assignment at the time of the call is wholly in force; rejects when the loop is closed before. */
  synced(): Promise<void>;
}

const VERIFY_EVERY_MS = 60_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;

/** Which kinds the network is made of; a change to any other object only moves the version. */
const OUR_KINDS: ReadonlySet<string> = new Set(['Service', 'EndpointSlice', 'Node', 'Cluster', 'Pod']);

/**
 * Starts the loop. Changes that come during a pass lead to exactly one more. A failed pass is tried again after a pause that doubles
 * from 250 ms to 30 s, sooner when the assignment changes; its reason is in the state's `error`, and the version stays the last one
 * that was wholly in force.
 */
export function startNetworkSync(deps: NetworkSyncDeps): NetworkSync {
  const stop = new AbortController();
  const waiters = new Set<{ resolve(): void; reject(reason: Error): void }>();
  let pending: Set<ObjectKey> | 'all' = 'all';
  /** Set whenever there may be work; a pass clears it before it reads the assignment. */
  let asked = true;
  let wake: () => void = () => undefined;
  let state: NetworkState = { version: null, error: null };

  const unsubscribe = deps.assignment.onChange((changed) => {
    if (pending !== 'all') for (const key of changed) pending.add(key);
    asked = true;
    wake();
  });

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
    pending = new Set();
    if (view.version === null) {
      pending = 'all';
      return true;
    }
    const outcome = await pass(view, changed, verify, stop.signal).catch((error: unknown): PassOutcome => ({ inForce: false, problems: [reasonOf(error)] }));
    if (stop.signal.aborted) return false;
    tell({ version: outcome.inForce ? view.version : state.version, error: outcome.problems.length === 0 ? null : outcome.problems.join('; ') });
    if (!outcome.inForce) {
      for (const problem of outcome.problems) deps.log('error', 'network sync failed', { reason: problem });
    } else if (!asked) {
      for (const waiter of waiters) waiter.resolve();
      waiters.clear();
    }
    return outcome.inForce;
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    let verify = false;
    while (!stop.signal.aborted) {
      failures = await work(verify) ? 0 : failures + 1;
      const pause = failures > 0 ? Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LAST_RETRY_MS) : (deps.verifyEveryMs ?? VERIFY_EVERY_MS);
      verify = await pauseUnlessAsked(pause) && failures === 0;
    }
  };

  /** Waits for work or for the time to pass; tells whether it was the time. */
  const pauseUnlessAsked = async (ms: number): Promise<boolean> => {
    if (asked || stop.signal.aborted) return false;
    const over = new AbortController();
    const end = (): void => { over.abort(); };
    wake = end;
    stop.signal.addEventListener('abort', end, { once: true });
    try {
      await deps.clock.sleep(ms, over.signal);
      return true;
    } catch (error) {
      if (!over.signal.aborted) throw error;
      return false;
    } finally {
      wake = () => undefined;
      stop.signal.removeEventListener('abort', end);
    }
  };

  const running = run().catch((error: unknown) => {
    deps.log('error', 'network loop ended', { reason: reasonOf(error) });
    tell({ ...state, error: reasonOf(error) });
  });

  return {
    async close() {
      unsubscribe();
      stop.abort(new Error('the network loop is closed'));
      await running;
      for (const waiter of waiters) waiter.reject(new Error('the network loop was closed before the assignment was in force'));
      waiters.clear();
    },
    synced() {
      if (stop.signal.aborted) return Promise.reject(new Error('the network loop is closed'));
      const { version } = deps.assignment.current();
      if (version !== null && version === state.version && !asked) return Promise.resolve();
      return new Promise((resolve, reject) => { waiters.add({ resolve, reject }); });
    },
  };
}

interface PassOutcome {
  /** Everything of the view is on the machine. */
  readonly inForce: boolean;
  /** Why not, or what is in the way although it is. */
  readonly problems: readonly string[];
}

type Pass = (view: AssignmentView, changed: ReadonlySet<ObjectKey> | 'all', verify: boolean, signal: AbortSignal) => Promise<PassOutcome>;

/** One look at everything that may have changed. The parts fail apart: broken routes do not hold back a Service's endpoints. */
function createPass({ filter, routing, cni, log }: NetworkSyncDeps): Pass {
  const filterSync = createFilterSync(filter, log);
  let filterFailed = false;
  let routed: string | undefined;
  let warnings: string[] = [];

  return async (view, changed, verify, signal) => {
    const failures: string[] = [];
    const attempt = async (what: string, action: () => Promise<void>): Promise<boolean> => {
      try {
        await action();
        return true;
      } catch (error) {
        failures.push(`${what}: ${reasonOf(error)}`);
        return false;
      }
    };

    const relevant = changed === 'all' ? changed : new Set([...changed].filter((key) => OUR_KINDS.has(parseKey(key).kind)));
    filterFailed = !await attempt('packet filter', async () => {
      const damaged = verify && await filterSync.verify(signal);
      // A failed pass may have lost track of what it had looked at.
      const keys = filterFailed ? 'all' : relevant;
      if (damaged || keys === 'all' || keys.size > 0) await filterSync.sync(view, keys, signal);
    });

    const digest = routingDigest(view);
    if (verify || digest !== routed) {
      const before = warnings;
      warnings = [];
      const done = await attempt('routes', async () => {
        const { podMtu } = await syncRouting(view, routing, log, signal);
        const missing = await syncCni(view, cni, podMtu, log, signal);
        if (missing !== undefined) warnings.push(missing);
        warnings.push(...await forwardWarnings(view, filter, signal));
      });
      routed = done ? digest : undefined;
      for (const warning of warnings) if (!before.includes(warning)) log('warn', warning);
    }
    return { inForce: failures.length === 0, problems: [...failures, ...warnings] };
  };
}

/** Rules of others that pods' packets do not survive. A drop is final in nftables: no rule of ours can overrule it. */
async function forwardWarnings(view: AssignmentView, filter: PacketFilter, signal: AbortSignal): Promise<string[]> {
  if (localPodRange(view) === undefined) return [];
  const { podCIDR } = networkSettings(view);
  const drops = await filter.forwardDrops(podCIDR, signal);
  return drops.map((chain) => (
    `chain ${chain} drops forwarded packets by policy and has no rule for pods (${podCIDR}): pods cannot be reached. `
    + `Accept them there, for instance: iptables -I FORWARD -s ${podCIDR} -j ACCEPT; iptables -I FORWARD -d ${podCIDR} -j ACCEPT`
  ));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
