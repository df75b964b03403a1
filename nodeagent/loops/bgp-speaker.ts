/**
 * Tells routers of the addresses of load balancers that lead to this machine, as BGPPeers and BGPAdvertisements say. The
 * network loop gives the machine the addresses; an address is told once its rules are in force.
 */
import type { BgpReport } from '../../contracts/agent/index.ts';
import { errorText } from '../../contracts/errors.ts';
import { isKeyOf, objectKey, type ObjectKey } from '../../contracts/objects/key.ts';
import type { Service } from '../../contracts/objects/index.ts';
import type { AssignmentSource, AssignmentView } from '../core/assignment.ts';
import { passwordOf } from '../core/bgp/password.ts';
import { bgpPlan, planFor, plannedAddresses, type BgpPlan } from '../core/bgp/plan.ts';
import { protocolOf, renderBird, type SessionState } from '../core/bgp/render.ts';
import { withOwnPods } from '../core/data-plane/own-endpoints.ts';
import { ServiceIndex, serviceKey, type ServiceKey } from '../core/data-plane/service-index.ts';
import { isAdvertised } from '../core/load-balancer/holders.ts';
import type { LocalPodSource } from '../core/local-pods.ts';
import type { BgpDaemon } from '../ports/bgp-daemon.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { HeldAddresses } from './held-addresses.ts';
import type { NodeEvent } from './status-hub.ts';
import { createWaker } from './waker.ts';

export interface BgpSpeakerDeps {
  readonly assignment: AssignmentSource;
  readonly pods: LocalPodSource;
  readonly daemon: BgpDaemon;
  readonly clock: Clock;
  readonly log: Log;
  /** Hears every change; undefined: the node speaks to no router. */
  onState(state: BgpReport | undefined): void;
  readonly onEvent?: (event: NodeEvent) => void;
}

export interface BgpSpeaker extends HeldAddresses {
  /** The machine goes down: tells the routers so. Resolves when they were told; never rejects. */
  leave(): Promise<void>;
  /** Stops following; the daemon speaks on. */
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;
const LEAVE_MS = 5000;
const MOST_PROBLEMS = 100;
const LONGEST_MESSAGE = 1000;
const OUR_KINDS = [
  'Node',
  'IPAddressPool',
  'L2Advertisement',
  'BGPAdvertisement',
  'BGPPeer',
  'Community',
  'Secret',
] as const;

/**
 * A pass that failed is tried again after a pause that doubles from 1 s to 60 s. Until the network loop has said for the
 * first time what is in force, nothing is done to a daemon that an agent before this one left.
 */
export function startBgpSpeaker(deps: BgpSpeakerDeps): BgpSpeaker {
  const { assignment, daemon, clock, log } = deps;
  const closing = new AbortController();
  const { signal } = closing;
  const waker = createWaker(clock);
  const listeners = new Set<() => void>();
  const index = new ServiceIndex();
  const balancers = new Map<ServiceKey, Service>();
  let wasAsked = false;
  let plan: BgpPlan | undefined;
  /** Addresses that the machine is to have for it. */
  let held: readonly string[] = [];
  /** Those besides that another way leads to, which has its own holder. */
  let shared: ReadonlySet<string> = new Set();
  let inForce: ReadonlySet<string> | undefined;
  let isLeaving = false;
  let isStopped = false;
  let isInstalled = false;
  /** What the daemon has; undefined: not known. */
  let loaded: string | undefined;
  let established = new Map<string, boolean>();
  let failure: string | undefined;
  let told: string | undefined;

  const decide = (view: AssignmentView): void => {
    const node = view.get(objectKey('Node', undefined, view.node));
    const peers = view.list('BGPPeer');
    const services = [...balancers.values()];
    const pools = view.list('IPAddressPool');
    plan =
      node === undefined || peers.length === 0
        ? undefined
        : bgpPlan({
            node,
            services,
            slicesOf: ({ metadata, spec }) =>
              index
                .slices(view, serviceKey(metadata.namespace, metadata.name))
                .map((slice) => withOwnPods(slice, spec.publishNotReadyAddresses, view, deps.pods)),
            pools,
            advertisements: view.list('BGPAdvertisement'),
            communities: view.list('Community'),
            peers,
            passwordOf: (peer) => passwordOf(peer, view),
          });
    const addresses = plannedAddresses(plan);
    const onLink = view.list('L2Advertisement');
    shared = new Set(addresses.filter((address) => isAdvertised(address, pools, onLink)));
    const next = addresses.filter((address) => !shared.has(address));
    waker.wake();
    if (next.join() === held.join()) return;
    held = next;
    for (const listener of listeners) listener();
  };

  const onChange = (changed: readonly ObjectKey[]): void => {
    const view = assignment.current();
    if (view.version === null) return;
    const isAsked = view.list('BGPPeer').length > 0;
    const touched = isAsked && !wasAsked ? index.reset(view) : isAsked ? index.update(view, changed) : [];
    let concerned = isAsked !== wasAsked || changed.some((key) => isKeyOf(key, ...OUR_KINDS));
    wasAsked = isAsked;
    if (!isAsked) balancers.clear();
    for (const key of touched) {
      const service = view.get(key);
      if (service?.spec.type === 'LoadBalancer') balancers.set(key, service);
      else if (!balancers.delete(key)) continue;
      concerned = true;
    }
    if (concerned) decide(view);
  };

  function tell(report: BgpReport): void {
    const text = JSON.stringify(report);
    if (text === told) return;
    told = text;
    deps.onState(report);
  }

  function fail(detail: string): void {
    const message = detail.slice(0, LONGEST_MESSAGE);
    if (failure !== message) {
      log.warn('routers are not told as they should be', { detail: message });
      deps.onEvent?.({ type: 'Warning', reason: 'BGPFailed', message });
    }
    failure = message;
    tell({ sessions: [], problems: [{ message }] });
  }

  /** Nothing is asked of this node: what runs of ours ends, also of an agent before this one. */
  async function rest(): Promise<undefined> {
    if (!isStopped) await daemon.stop(signal);
    isStopped = true;
    loaded = undefined;
    failure = undefined;
    established = new Map();
    if (told !== undefined) deps.onState(undefined);
    told = undefined;
  }

  /** Milliseconds until the next pass; undefined when only a change is waited for. */
  async function pass(): Promise<number | undefined> {
    const view = assignment.current();
    if (view.version === null || isLeaving) return undefined;
    const wanted = plan;
    if (wanted === undefined) return await rest();
    const ready = inForce;
    if (ready === undefined) return undefined;
    if (!isInstalled) {
      const missing = await daemon.missing(signal);
      if (missing !== undefined) {
        fail(missing);
        return LAST_RETRY_MS;
      }
      isInstalled = true;
    }
    isStopped = false;
    let sessions = await daemon.sessions(signal);
    if (sessions === undefined && loaded !== undefined) {
      log.warn('BIRD ended; it is started again');
      deps.onEvent?.({ type: 'Warning', reason: 'BGPRestarted', message: 'BIRD ended and is started again' });
    }
    const config = renderBird(planFor(wanted, (address) => ready.has(address) || shared.has(address)));
    if (sessions === undefined || config !== loaded) {
      const complaint = await daemon.load(config, signal);
      if (complaint !== undefined) {
        loaded = undefined;
        throw new Error(`BIRD does not take its configuration: ${complaint}`);
      }
      loaded = config;
      sessions = await daemon.sessions(signal);
    }
    failure = undefined;
    report(wanted, sessions ?? new Map());
    return LOOK_EVERY_MS;
  }

  function report({ sessions, problems }: BgpPlan, states: ReadonlyMap<string, SessionState>): void {
    const now = new Map<string, boolean>();
    const lines = sessions.map(({ id, peer, spec }) => {
      const state = states.get(protocolOf(id));
      const isUp = state?.established ?? false;
      now.set(peer, isUp);
      const before = established.get(peer) ?? false;
      const of = `session with BGPPeer ${peer} (${spec.peerAddress})`;
      if (isUp !== before) {
        log.info(isUp ? 'a router listens' : 'a router is not heard', { peer, address: spec.peerAddress });
        deps.onEvent?.(
          isUp
            ? { type: 'Normal', reason: 'BGPSessionUp', message: `${of} is established` }
            : { type: 'Warning', reason: 'BGPSessionDown', message: `${of} ended` },
        );
      }
      return { peer, established: isUp, ...(!isUp && state?.message && { message: state.message }) };
    });
    established = now;
    tell({ sessions: lines, problems: problems.slice(0, MOST_PROBLEMS).map((problem) => ({ ...problem })) });
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      let wait: number | undefined;
      try {
        wait = await pass();
        failures = 0;
      } catch (cause) {
        if (signal.aborted) return;
        wait = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
        failures += 1;
        fail(errorText(cause));
      }
      await waker.until(wait === undefined ? undefined : clock.monotonic() + wait);
    }
  }

  const subscriptions = [assignment.onChange(onChange), deps.pods.onChange(onChange)];
  onChange([]);
  waker.wake();
  const running = run();

  return {
    current: () => held,
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    inForce(addresses) {
      const next = new Set(addresses);
      if (inForce !== undefined && next.size === inForce.size && addresses.every((one) => inForce?.has(one))) return;
      inForce = next;
      waker.wake();
    },
    async leave() {
      isLeaving = true;
      using bound = clock.deadline(LEAVE_MS, signal);
      await daemon.stop(bound.signal).catch((cause: unknown) => {
        log.warn('cannot tell routers that the machine goes down', { reason: errorText(cause) });
      });
    },
    async close() {
      for (const unsubscribe of subscriptions) unsubscribe();
      closing.abort(new Error('the speaker is closed'));
      waker.wake();
      await running;
    },
  };
}
