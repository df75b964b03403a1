/** The node's own report: what the machine has, and whether pods can run on it. */
import { errorText } from '../../contracts/errors.ts';
import type { BgpReport, GrowingVolume, NodeReport, ProxyReport, TendedVolume } from '../../contracts/agent/index.ts';
import { HEARTBEAT_SECONDS } from '../../contracts/agent/places.ts';
import type { NetworkState } from '../core/assignment.ts';
import type { Pressure } from '../../contracts/objects/taints.ts';
import type { Pressures, PressureState } from '../core/node/pressure.ts';
import { nodeReport, type RuntimeView } from '../core/node/report.ts';
import type { Clock } from '../ports/clock.ts';
import type { ContainerRuntime, RuntimeHealth } from '../ports/container-runtime.ts';
import type { ImageStore } from '../ports/image-store.ts';
import type { Log } from '../ports/log.ts';
import type { NodeFacts } from '../ports/node-facts.ts';
import type { AssignmentStore } from './assignment-store.ts';
import type { StatusHub } from './status-hub.ts';
import { createWaker } from './waker.ts';

export interface NodeReporter {
  /** Newest; made before this resolves for the first time. */
  readonly ready: Promise<void>;
  internalIP(): string;
  /** Empty where the machine has none, or the cluster no IPv6. */
  internalIPv6(): string;
  systemdCgroup(): boolean;
  /** Whether the runtime can make what is mounted below a mount read-only too. */
  recursiveReadOnly(): boolean;
  /** Whether the runtime can leave out groups that only the image knows. */
  strictGroups(): boolean;
  /** Handlers of the runtime that can give a pod users of its own. */
  userNamespaces(): readonly string[];
  noteNetwork(state: NetworkState): void;
  notePressure(pressure: Pressure, state: PressureState): void;
  /** Volumes that are to go and of which nothing is left. */
  noteGoneVolumes(names: readonly string[]): void;
  /** Volumes that are to grow: they have, or why they have not. */
  noteGrowth(volumes: readonly GrowingVolume[]): void;
  /** Volumes on shares that this node tends: done, or why not. */
  noteTended(volumes: readonly TendedVolume[]): void;
  /** Bytes of the disk for volumes that are held to their sizes. */
  noteVolumeRoom(bytes: number): void;
  /** How far the proxy is; undefined where the node has none. */
  noteProxy(state: ProxyReport | undefined): void;
  /** What routers hear; undefined where the node speaks to none. */
  noteBgp(state: BgpReport | undefined): void;
  /** By which others encrypt what they send here. */
  noteWireGuardKey(publicKey: string): void;
  /** The machine goes down: it takes no traffic from now on. */
  noteShutdown(): void;
  /** What the node is short of. */
  pressures(): readonly Pressure[];
  /** As the runtime is set up; empty before it was asked. */
  sandboxImage(): string;
  /**
   * Looks at the runtime now: its settings are known and its sandbox image is there. Throws an Error while it does not
   * answer.
   */
  needRuntime(): Promise<void>;
  close(): Promise<void>;
}

export interface NodeReporterDeps {
  readonly assignment: AssignmentStore;
  readonly runtime: ContainerRuntime;
  readonly images: ImageStore;
  readonly facts: NodeFacts;
  readonly hub: StatusHub;
  readonly clock: Clock;
  readonly log: Log;
  readonly agentVersion: string;
}

export function startNodeReporter(deps: NodeReporterDeps): NodeReporter {
  const { assignment, runtime, facts, hub, clock, log } = deps;
  const closing = new AbortController();
  const waker = createWaker(clock);
  let network: NetworkState = { version: null, error: null };
  let pressures: Pressures = {};
  let goesDown = false;
  let goneVolumes: readonly string[] = [];
  let growingVolumes: readonly GrowingVolume[] = [];
  let tendedVolumes: readonly TendedVolume[] = [];
  let volumeRoom: number | undefined;
  let proxy: ProxyReport | undefined;
  let bgp: BgpReport | undefined;
  let wireguardKey: string | undefined;
  let report: NodeReport | undefined;
  /** As the runtime told last: while it does not answer, what it can do has not changed. */
  let health: RuntimeHealth | undefined;
  let runtimeView: RuntimeView = { reachable: false, message: 'the container runtime was not asked yet' };
  let version = '';
  /** Name of the sandbox image, once it was seen to be there. */
  let sandboxImage = '';
  let trouble = '';

  /**
   * At every look: others remove images too. Once it was there, a node that lacks it is in order but for new pods,
   * which say what they lack.
   */
  async function ensureSandboxImage(image: string): Promise<void> {
    try {
      await deps.images.ensureSandboxImage(image, closing.signal);
      sandboxImage = image;
      trouble = '';
    } catch (cause) {
      if (sandboxImage !== image) throw cause;
      const detail = errorText(cause);
      if (!closing.signal.aborted && detail !== trouble)
        log.warn('the sandbox image is gone and cannot be brought back', { image, detail });
      trouble = detail;
    }
  }

  async function askRuntime(): Promise<RuntimeView> {
    try {
      const told = await runtime.health(closing.signal);
      health = told;
      if (version === '') {
        const { name, version: number } = await runtime.version(closing.signal);
        version = `${name}://${number}`;
      }
      await ensureSandboxImage(told.sandboxImage);
      return { reachable: true, health: told };
    } catch (cause) {
      version = '';
      return { reachable: false, message: errorText(cause) };
    }
  }

  async function pass(): Promise<void> {
    const [machine, seen] = await Promise.all([facts.read(), askRuntime()]);
    if (closing.signal.aborted) return;
    runtimeView = seen;
    const next = nodeReport({
      machine,
      runtime: seen,
      runtimeVersion: version,
      network,
      pressures,
      goesDown,
      goneVolumes,
      growingVolumes,
      tendedVolumes,
      volumeRoom,
      proxy,
      bgp,
      wireguardKey,
      view: assignment.current(),
      agentVersion: deps.agentVersion,
      agentRss: facts.ownMemory(),
    });
    const { agentRss: _rss, ...before } = report ?? ({} as NodeReport);
    const { agentRss: _next, ...after } = next;
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    if (report?.ready !== next.ready)
      log.info('node readiness', { ready: next.ready, reason: next.reason, detail: next.message });
    report = next;
    hub.tellNode(next);
  }

  async function run(first: () => void): Promise<void> {
    while (!closing.signal.aborted) {
      await pass().catch((cause: unknown) => {
        log.warn('the node report cannot be made', { detail: errorText(cause) });
      });
      first();
      await waker.until(clock.monotonic() + HEARTBEAT_SECONDS * 1000);
    }
  }

  let done: Promise<void> = Promise.resolve();
  const ready = new Promise<void>((resolve) => {
    done = run(resolve);
  });
  return {
    ready,
    internalIP: () => report?.internalIP ?? '',
    internalIPv6: () => report?.internalIPv6 ?? '',
    systemdCgroup: () => health?.systemdCgroup ?? false,
    recursiveReadOnly: () => health?.recursiveReadOnly ?? false,
    strictGroups: () => health?.strictGroups ?? false,
    userNamespaces: () => health?.userNamespaces ?? [],
    noteNetwork(state) {
      network = state;
      waker.wake();
    },
    notePressure(pressure, state) {
      pressures = { ...pressures, [pressure]: state };
      waker.wake();
    },
    noteGoneVolumes(names) {
      goneVolumes = names;
      waker.wake();
    },
    noteGrowth(volumes) {
      growingVolumes = volumes;
      waker.wake();
    },
    noteTended(volumes) {
      tendedVolumes = volumes;
      waker.wake();
    },
    noteVolumeRoom(bytes) {
      volumeRoom = bytes;
      waker.wake();
    },
    noteProxy(state) {
      proxy = state;
      waker.wake();
    },
    noteBgp(state) {
      bgp = state;
      waker.wake();
    },
    noteWireGuardKey(publicKey) {
      if (publicKey === wireguardKey) return;
      wireguardKey = publicKey;
      waker.wake();
    },
    noteShutdown() {
      goesDown = true;
      waker.wake();
    },
    pressures: () =>
      (Object.keys(pressures) as Pressure[]).filter((pressure) => pressures[pressure]?.pressure === true),
    sandboxImage: () => sandboxImage,
    async needRuntime() {
      if (!runtimeView.reachable) await pass();
      if (!runtimeView.reachable) throw new Error(runtimeView.message);
    },
    async close() {
      closing.abort();
      waker.wake();
      await done;
    },
  };
}
