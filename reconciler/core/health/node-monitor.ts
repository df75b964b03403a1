/**
 * What is remembered of nodes between passes, so that neither the control plane's own blindness nor a clock that was
 * set looks like the death of nodes. Times are readings of the monotonic clock, in ms. Source: Kubernetes,
 * pkg/controller/nodelifecycle/node_lifecycle_controller.go (nodeHealthMap, ComputeZoneState, handleDisruption) and
 * "Nodes: Rate limits on eviction".
 */
import {
  conditionIsTrue,
  findCondition,
  REGION_LABEL,
  ZONE_LABEL,
  type StoredNode,
  type Taint,
} from '../../../contracts/objects/index.ts';

/** `Partial`: at least three nodes, and more than half of all, are not ready. `Full`: none is. */
export type ZoneState = 'Normal' | 'Partial' | 'Full';

/** Share of nodes that are not ready from which a zone counts as disrupted. Kubernetes: --unhealthy-zone-threshold. */
const UNHEALTHY_SHARE = 0.55;
/**
 * In a disrupted zone of no more nodes nobody is evicted, in a larger one slowly. Kubernetes:
 * --large-cluster-size-threshold.
 */
const SMALL_ZONE = 50;
/**
 * Between two nodes of a zone that are emptied. Kubernetes: --node-eviction-rate 0.1, --secondary-node-eviction-rate
 * 0.01.
 */
const EVICTION_PERIOD_MS = 10_000;
const SLOW_EVICTION_PERIOD_MS = 100_000;

interface Zone {
  ready: number;
  notReady: number;
  /** When the next of its nodes may be emptied. */
  nextEvictionAt: number;
}

interface Known {
  readonly zone: string;
  readonly ready: boolean;
  heartbeat: string | undefined;
  /** The first look at it counts as well: nobody listened before. */
  heardAt: number | undefined;
  /** As {@link heardAt}, where a connection to its agent told, and its object nothing since. */
  heardLiveAt?: number;
  /** When its NoExecute taints were put, by key and timeAdded. */
  addedAt: ReadonlyMap<string, number>;
}

export class NodeMonitor {
  readonly #known = new Map<string, Known>();
  readonly #zones = new Map<string, Zone>();
  #ready = 0;
  #wasBlind = false;
  #sightings = 0;
  /** When the last blindness ended: silence before does not count. */
  #sightAt = -Infinity;

  /** Takes the node's readiness in, and is told when it changes the state of its zone or of all. Idempotent. */
  count(node: StoredNode): { readonly turned: boolean } {
    const { name, labels = {} } = node.metadata;
    const before = this.#known.get(name);
    const zone = `${labels[REGION_LABEL] ?? ''}/${labels[ZONE_LABEL] ?? ''}`;
    const ready = conditionIsTrue(node.status?.conditions, 'Ready');
    if (before?.zone === zone && before.ready === ready) return { turned: false };
    const states = [this.#stateOf(zone), this.blind];
    if (before) this.#add(before, -1);
    const known: Known = { heartbeat: undefined, heardAt: undefined, addedAt: new Map(), ...before, zone, ready };
    this.#known.set(name, known);
    this.#add(known, 1);
    return { turned: states[0] !== this.#stateOf(zone) || states[1] !== this.blind };
  }

  /** Whether the removal changes the state of its zone or of all. */
  forget(name: string): { readonly turned: boolean } {
    const known = this.#known.get(name);
    if (!known) return { turned: false };
    const states = [this.#stateOf(known.zone), this.blind];
    this.#known.delete(name);
    this.#add(known, -1);
    return { turned: states[0] !== this.#stateOf(known.zone) || states[1] !== this.blind };
  }

  /**
   * Takes in what the node tells of times: a heartbeat that is new was just heard, except in an Unknown condition, which
   * the control plane wrote. `now` is only used for taints that were there before.
   */
  observe(node: StoredNode, at: number, now: Date): void {
    this.count(node);
    const known = this.#known.get(node.metadata.name);
    if (!known) return;
    const ready = findCondition(node.status?.conditions, 'Ready');
    const heartbeat = ready?.lastHeartbeatTime;
    if (known.heardAt === undefined || (heartbeat !== known.heartbeat && ready?.status !== 'Unknown')) {
      known.heardAt = at;
      delete known.heardLiveAt;
    }
    known.heartbeat = heartbeat;
    const before = known.addedAt;
    known.addedAt = new Map(
      (node.spec.taints ?? [])
        .filter(({ effect }) => effect === 'NoExecute')
        .map((taint) => [taintId(taint), before.get(taintId(taint)) ?? at - ageByWall(now)(taint)]),
    );
  }

  /** Its agent gave a sign of life over its connection: its object does not have to say so. */
  hears(name: string, at: number): void {
    const known = this.#known.get(name);
    if (!known) return;
    known.heardAt = at;
    known.heardLiveAt = at;
  }

  /** Milliseconds since the last sign of life over a connection; undefined when its object tells of a later one. */
  heardMsAgo(name: string, at: number): number | undefined {
    const heard = this.#known.get(name)?.heardLiveAt;
    return heard === undefined ? undefined : at - heard;
  }

  /**
   * No node is ready: it is the control plane that sees nothing, or all is lost; in both cases nothing is gained by
   * moving pods.
   */
  get blind(): boolean {
    return this.#ready === 0 && this.#known.size > 0;
  }

  /** How many times a node became ready while no other was. Whoever looks less often than nodes change sees it too. */
  get sightings(): number {
    return this.#sightings;
  }

  /** For how long the node was not heard while it could have been. */
  silentMs(name: string, at: number): number {
    if (this.blind) this.#wasBlind = true;
    else if (this.#wasBlind) {
      this.#wasBlind = false;
      // The others get their time to be heard again.
      this.#sightAt = at;
    }
    return at - Math.max(this.#known.get(name)?.heardAt ?? at, this.#sightAt);
  }

  /** Milliseconds for which the taint has been on the node. */
  taintAgeMs(name: string, taint: Taint, at: number): number {
    return at - (this.#known.get(name)?.addedAt.get(taintId(taint)) ?? at);
  }

  /** Milliseconds until a node of that one's zone may be emptied; undefined while none may. */
  evictsInMs(name: string, at: number): number | undefined {
    const zone = this.#zoneOf(name);
    if (this.blind || (stateOf(zone) === 'Partial' && sizeOf(zone) <= SMALL_ZONE)) return undefined;
    return Math.max(0, (zone?.nextEvictionAt ?? at) - at);
  }

  /** A node is being emptied: the next of its zone has to wait. */
  evicts(name: string, at: number): void {
    const zone = this.#zoneOf(name);
    if (zone) zone.nextEvictionAt = at + (stateOf(zone) === 'Partial' ? SLOW_EVICTION_PERIOD_MS : EVICTION_PERIOD_MS);
  }

  /** Names of the nodes that are not ready. */
  notReady(): string[] {
    return [...this.#known].flatMap(([name, { ready }]) => (ready ? [] : [name]));
  }

  #zoneOf(name: string): Zone | undefined {
    return this.#zones.get(this.#known.get(name)?.zone ?? '');
  }

  #stateOf(zone: string): ZoneState {
    return stateOf(this.#zones.get(zone));
  }

  #add({ zone: name, ready }: Known, by: 1 | -1): void {
    const zone = this.#zones.get(name) ?? { ready: 0, notReady: 0, nextEvictionAt: -Infinity };
    this.#zones.set(name, zone);
    if (ready) {
      zone.ready += by;
      this.#ready += by;
      if (by === 1 && this.#ready === 1) this.#sightings += 1;
    } else zone.notReady += by;
    if (sizeOf(zone) === 0) this.#zones.delete(name);
  }
}

/** How long ago the taint was put, by its own word. */
export function ageByWall(now: Date): (taint: Taint) => number {
  return ({ timeAdded }) => (timeAdded === undefined ? 0 : Math.max(0, now.getTime() - Date.parse(timeAdded)));
}

function taintId({ key, value = '', timeAdded = '' }: Taint): string {
  return `${key}=${value}@${timeAdded}`;
}

function sizeOf(zone: Zone | undefined): number {
  return zone ? zone.ready + zone.notReady : 0;
}

function stateOf(zone: Zone | undefined): ZoneState {
  if (!zone || zone.notReady === 0) return 'Normal';
  if (zone.ready === 0) return 'Full';
  return zone.notReady > 2 && zone.notReady / sizeOf(zone) >= UNHEALTHY_SHARE ? 'Partial' : 'Normal';
}
