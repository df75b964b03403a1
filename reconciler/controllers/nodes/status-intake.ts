/** Takes in what a node's agent tells of the node and its pods: no more than it may tell, and of its own only. */
import type {
  NodeEventReport,
  NodeImage,
  NodeReport,
  StaticPodFile,
  StatusLine,
} from '../../../contracts/agent/index.ts';
import { NODE_PATHS } from '../../../contracts/agent/places.ts';
import {
  familyNetwork,
  objectKey,
  type StoredMachine,
  type StoredNode,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import type { AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import { boundedEvent, boundedImages, boundedNodeReport } from '../../core/nodes/bounded-report.ts';
import { hostAddress, hostAddressIPv6 } from '../../core/nodes/host-address.ts';
import { Rate } from '../../core/rate.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { EventRecorder } from '../runtime/event-recorder.ts';
import { isAnothersKey, isByName, knownNode, neighbourhoodOf } from './known-node.ts';
import type { StatusWriter } from './status-writer.ts';

export interface StatusIntakeDeps {
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly tracker: AssignmentTracker;
  readonly writer: StatusWriter;
  readonly clock: Clock;
  readonly log: Log;
  /** Asks for a pass of the `nodes` queue. */
  readonly requestPush: (node: string) => void;
  /** Told which static pods a node has files of. */
  readonly staticPods: (node: string, files: readonly StaticPodFile[]) => void;
}

/** The session whose agent is heard, as it is now. */
export interface HeardNode {
  readonly name: string;
  machine(): StoredMachine;
  /** Where it was reached; undefined while it is not connected. */
  reachedAt(): string | undefined;
  /** Last sign of life, as it is shown. */
  heardTime(): string;
}

type OwnLine = Extract<StatusLine, { type: 'node' | 'images' | 'static-pods' }>;

/** Events of one node: at once, and each second. Beyond that they are counted in the log. */
const EVENT_BURST = 200;
const EVENTS_PER_SECOND = 20;
/** What a node says of itself: at once, and each second. Of more the newest is taken in when its turn comes. */
const REPORT_BURST = 20;
const REPORTS_PER_SECOND = 5;

export class StatusIntake {
  readonly #node: HeardNode;
  readonly #deps: StatusIntakeDeps;
  readonly #ending = new AbortController();
  readonly #events: Rate;
  #eventsLost = 0;
  readonly #reports: Rate;
  /** Lines that wait for their turn: the newest of each type. */
  readonly #waiting = new Map<OwnLine['type'], OwnLine>();
  #turn: Promise<void> | undefined;
  #report: NodeReport | undefined;
  #toldAddress = '';
  #toldAddressIPv6: string | undefined;
  #images: readonly NodeImage[] | undefined;

  constructor(node: HeardNode, deps: StatusIntakeDeps) {
    this.#node = node;
    this.#deps = deps;
    this.#events = new Rate(EVENT_BURST, EVENTS_PER_SECOND, deps.clock.monotonic());
    this.#reports = new Rate(REPORT_BURST, REPORTS_PER_SECOND, deps.clock.monotonic());
  }

  take(line: StatusLine): void {
    if (this.#ending.signal.aborted) return;
    switch (line.type) {
      case 'node':
      case 'images':
      case 'static-pods':
        this.#waiting.set(line.type, line);
        if (this.#reports.take(this.#deps.clock.monotonic())) this.#takeWaiting();
        else this.#turn ??= this.#awaitTurn();
        return;
      case 'pod':
        this.#deps.writer.pod(this.#node.name, line.pod);
        return;
      case 'event': {
        const { namespace, name, uid } = line.event;
        const pod = this.#deps.cache.get(objectKey('Pod', namespace, name));
        if (pod?.metadata.uid === uid && pod.spec.nodeName === this.#node.name) this.#record(pod, line.event);
        return;
      }
      case 'node-event': {
        const node = this.#deps.cache.get(objectKey('Node', undefined, this.#node.name));
        if (node) this.#record(node, line.event);
        return;
      }
      case 'synced':
      case 'heartbeat':
        return;
    }
  }

  /** The node lives, and is as it said last; nothing while it said nothing. */
  beat(): void {
    if (!this.#report || this.#ending.signal.aborted) return;
    // Each time: the others' addresses change as well.
    const { first, second } = this.#hostAddresses();
    // The same object while nothing changed, by which the writer knows a beat.
    if (first !== this.#report.internalIP || second !== this.#report.internalIPv6) {
      const { internalIPv6: _, ...report } = this.#report;
      this.#report = { ...report, internalIP: first, ...(second !== undefined && { internalIPv6: second }) };
    }
    this.#deps.writer.node(this.#node.name, {
      report: this.#report,
      images: this.#images,
      machine: this.#node.machine().spec,
      heardAt: this.#node.heardTime(),
    });
  }

  /** The connection is over: what it said of itself is not repeated. */
  forget(): void {
    this.#report = undefined;
    this.#waiting.clear();
    this.#images = undefined;
  }

  /** Nothing is taken in from now on. Resolves when nothing of it runs any more. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#turn;
  }

  async #awaitTurn(): Promise<void> {
    const { signal } = this.#ending;
    await this.#deps.clock.sleep(1000 / REPORTS_PER_SECOND, signal).catch(() => undefined);
    this.#turn = undefined;
    if (!signal.aborted && this.#waiting.size > 0) this.#takeWaiting();
  }

  #takeWaiting(): void {
    for (const line of this.#waiting.values()) {
      if (line.type === 'images') {
        this.#images = boundedImages(line.images);
        continue;
      }
      if (line.type === 'static-pods') {
        this.#deps.staticPods(this.#node.name, line.files);
        continue;
      }
      this.#report = this.#withOwnKey(boundedNodeReport(line.node));
      this.#toldAddress = this.#report.internalIP;
      this.#toldAddressIPv6 = this.#report.internalIPv6;
      for (const node of this.#deps.tracker.inForce(this.#node.name, this.#report.networkVersion))
        this.#deps.requestPush(node);
    }
    this.#waiting.clear();
    this.beat();
  }

  #withOwnKey(report: NodeReport): NodeReport {
    const { wireguardKey, ...others } = report;
    const { cache, clock } = this.#deps;
    const { name } = this.#node;
    if (wireguardKey === undefined || !isAnothersKey(name, wireguardKey, cache)) return report;
    const node = cache.get(objectKey('Node', undefined, name));
    if (node)
      this.#record(node, {
        type: 'Warning',
        reason: 'WireGuardKeyRefused',
        message: `it tells the WireGuard key of another node: on it, remove ${NODE_PATHS.state}/wireguard and restart the agent, which makes a new one`,
        at: clock.now().toISOString(),
        count: 1,
      });
    return others;
  }

  /** Of the node and its own pods only, and no more than it may tell. */
  #record(regarding: StoredNode | StoredPod, told: NodeEventReport): void {
    const { clock, recorder, log } = this.#deps;
    const { name } = this.#node;
    if (!this.#events.take(clock.monotonic())) {
      this.#eventsLost += 1;
      if (this.#eventsLost === 1) log.warn('a node tells more events than are kept', { node: name });
      return;
    }
    if (this.#eventsLost > 0) log.warn('events of a node were left out', { node: name, events: this.#eventsLost });
    this.#eventsLost = 0;
    const { type, reason, message, at, count } = boundedEvent(told, clock.now());
    recorder.record({ regarding, type, reason, message, component: 'nodeagent', host: name, at, count });
  }

  #hostAddresses(): { readonly first: string; readonly second: string | undefined } {
    const { cache } = this.#deps;
    const { name } = this.#node;
    const around = neighbourhoodOf(name, cache);
    const before = knownNode(name, cache);
    const first = hostAddress(
      {
        told: this.#toldAddress,
        reachedAt: this.#node.reachedAt(),
        byName: isByName(this.#node.machine()),
        before: before.internalIP,
      },
      around,
    );
    if (!familyNetwork(clusterSettings(cache).network, 'IPv6')) return { first, second: undefined };
    return { first, second: hostAddressIPv6({ told: this.#toldAddressIPv6, before: before.internalIPv6 }, around) };
  }
}
