/**
 * What the scheduler knows of the cluster: nodes by number, in columns, and the pods on them. It is updated by what
 * changed, never made anew, and keeps a journal of pods that came and went, so that what was worked out from it (see
 * {@link Candidates}) is brought up to date by reading what is new.
 *
 * Pods that the scheduler has placed are counted at once (*assumed*), before the store has the binding. Nothing here
 * depends on the order in which nodes and pods came.
 */
import {
  conditionIsTrue,
  DEFAULT_SCHEDULER_NAME,
  priorityOf,
  readKey,
  REGION_LABEL,
  ZONE_LABEL,
  type Namespace,
  type Node,
  type NodeStatus,
  type Pod,
  type PodGroupSpec,
  type PriorityClasses,
  type StoredPod,
  type StoredPodDisruptionBudget,
  type StoredService,
  type Taint,
} from '../../../contracts/objects/index.ts';
import type { HostPort } from '../../../contracts/objects/host-ports.ts';
import { capacityOf } from '../../../contracts/objects/pod-requests.ts';
import { isFinished } from '../workloads/pod-state.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { hash32 } from '../workloads/stable-hash.ts';
import { Budgets } from './budgets.ts';
import { addTo, Domains, grown, ResourceColumn } from './columns.ts';
import type { ClusterEvent } from './cluster-event.ts';
import { TakenPorts } from './host-ports.ts';
import { ImageTable } from './images.ts';
import { ShapeTable, type PodShape } from './pod-shape.ts';
import type { VolumePlacement } from './volume-placement.ts';
import { asPreempted } from './preemption.ts';

/** A pod that has its place. */
export interface Placed {
  readonly pod: StoredPod;
  readonly shape: PodShape;
  readonly nodeName: string;
  /** Number of the node; -1 while no such node is known. */
  readonly node: number;
  /** It has not its node yet: room is kept for it until its victims are gone. */
  readonly nominated: boolean;
  /** When it was started, in ms since the epoch. Infinity, which is later than any, while that is not known. */
  readonly start: number;
}

/** One line of the journal: a pod of the shape came to the node or left it. */
export interface JournalEntry {
  readonly shape: PodShape;
  readonly node: number;
  /**
   * 0: neither, but it would make another victim now (it has the place that was kept for it, or its start became
   * known).
   */
  readonly by: 1 | -1 | 0;
}

/** What a pod asks for of one resource. */
interface Demand {
  readonly amount: number;
  readonly column: ResourceColumn;
}

interface NodeRecord {
  node: Node;
  ready: boolean;
  /** What placement looks at, as text. */
  facts: string;
  readonly pods: Map<string, Placed>;
  /** Pods that take each host port (`TCP/80`). */
  readonly ports: TakenPorts;
}

const FIRST_CAPACITY = 64;
/** Entries that are kept, at least. Who is further behind than a few for each node is better off beginning anew. */
const JOURNAL_LENGTH = 1024;

export class ClusterState {
  readonly shapes = new ShapeTable();
  readonly services = new Map<string, readonly StoredService[]>();
  readonly budgets = new Budgets();
  /** Labels of namespaces by name. */
  readonly namespaces = new Map<string, Readonly<Record<string, string>>>();
  /** By `namespace/name`. */
  readonly podGroups = new Map<string, PodGroupSpec>();
  priorityClasses: PriorityClasses = new Map();
  /** Absent where no pod has a volume that is not everywhere. */
  volumes: VolumePlacement | undefined;

  #capacity = FIRST_CAPACITY;
  #length = 0;
  readonly #free: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #nodes: (NodeRecord | undefined)[] = [];
  #weightCpu = new Float64Array(FIRST_CAPACITY);
  #weightMemory = new Float64Array(FIRST_CAPACITY);
  #ties = new Uint32Array(FIRST_CAPACITY);
  readonly #resources = new Map<string, ResourceColumn>();
  readonly #demands = new WeakMap<PodShape, readonly Demand[]>();
  readonly #domains = new Map<string, Domains>();
  readonly #images = new ImageTable();

  readonly #placed = new Map<string, Placed>();
  readonly #homeless = new Map<string, Set<string>>();
  readonly #live = new Map<PodShape, Map<number, number>>();
  readonly #liveWithAffinity = new Set<PodShape>();
  readonly #groupSizes = new Map<string, number>();

  #journal: JournalEntry[] = [];
  #journalStart = 0;
  #changes = 0;
  #topology = 0;
  /** When what there is of volumes changed last, on the scale of {@link topology}. */
  #volumesChange = 0;
  /** By seed; there are as many as there are users of {@link ties}. */
  readonly #mixed = new Map<number, { readonly topology: number; readonly ties: Uint32Array }>();
  #advised: { readonly topology: number; readonly found: boolean } | undefined;
  #order: { readonly topology: number; readonly numbers: readonly number[] } | undefined;
  readonly #listeners = new Set<(event: ClusterEvent) => void>();

  // ---- nodes ----

  /** Node numbers are below this; some may be free. */
  get length(): number {
    return this.#length;
  }
  /** Nodes there are. */
  get nodeCount(): number {
    return this.#numbers.size;
  }
  /** Changes with every change but those of pods: what was derived from nodes, namespaces or Services is stale then. */
  get topology(): number {
    return this.#topology;
  }
  /** The same for what was derived for one shape. Changes, too, when nodes get or lose an image that its pods run. */
  topologyFor({ images, claims }: PodShape): number {
    const volumes = claims.length === 0 ? 0 : this.#volumesChange;
    return Math.max(this.#topology, this.#images.changedAt(images), volumes);
  }
  /** Node numbers, one of each zone in turn, each zone's by name. */
  zoneFairOrder(): readonly number[] {
    if (this.#order?.topology !== this.#topology)
      this.#order = { topology: this.#topology, numbers: this.#zoneFairOrder() };
    return this.#order.numbers;
  }
  number(nodeName: string): number | undefined {
    return this.#numbers.get(nodeName);
  }
  has(node: number): boolean {
    return this.#nodes[node] !== undefined;
  }
  node(node: number): Node {
    return this.#record(node).node;
  }
  nodeName(node: number): string {
    return this.#record(node).node.metadata.name;
  }
  nodeNames(): Iterable<string> {
    return this.#numbers.keys();
  }
  taints(node: number): readonly Taint[] {
    return this.#record(node).node.spec.taints ?? [];
  }
  /** Whether any node has a taint that only advises (PreferNoSchedule). */
  get hasAdvisingTaints(): boolean {
    if (this.#advised?.topology !== this.#topology) {
      const found = this.#nodes.some((record) =>
        record?.node.spec.taints?.some(({ effect }) => effect === 'PreferNoSchedule'),
      );
      this.#advised = { topology: this.#topology, found };
    }
    return this.#advised.found;
  }
  labels(node: number): Readonly<Record<string, string>> {
    return this.#record(node).node.metadata.labels ?? {};
  }
  ready(node: number): boolean {
    return this.#record(node).ready;
  }
  podsOn(node: number): Iterable<Placed> {
    return this.#record(node).pods.values();
  }
  portTaken(node: number, port: HostPort): boolean {
    return this.#record(node).ports.has(port);
  }
  images(node: number): NodeStatus['images'] {
    return this.#record(node).node.status?.images;
  }
  /** Nodes that have the image. */
  nodesWithImage(name: string): number {
    return this.#images.nodesWith(name);
  }
  /**
   * Breaks ties between nodes that are equally good: the greatest goes first. From the nodes' names and the seed alone,
   * whatever their numbers.
   */
  ties(seed: number): Uint32Array {
    let mixed = this.#mixed.get(seed);
    if (mixed?.topology !== this.#topology)
      this.#mixed.set(seed, (mixed = { topology: this.#topology, ties: this.#ties.map((tie) => mix(tie ^ seed)) }));
    return mixed.ties;
  }
  /** Cpu (thousandths of a core) and memory (bytes) of the pods on each node, each pod counted with a floor. */
  get weights(): { readonly cpu: Float64Array; readonly memory: Float64Array } {
    return { cpu: this.#weightCpu, memory: this.#weightMemory };
  }

  resource(name: string): ResourceColumn {
    let column = this.#resources.get(name);
    if (!column) {
      this.#resources.set(name, (column = new ResourceColumn(this.#capacity)));
      for (const [node, record] of this.#nodes.entries()) {
        if (!record) continue;
        column.allocatable[node] = capacityOf(record.node.status?.allocatable).get(name) ?? 0;
        let used = 0;
        for (const { shape } of record.pods.values()) used += shape.requests.get(name) ?? 0;
        column.used[node] = used;
      }
    }
    return column;
  }

  domains(key: string): Domains {
    let domains = this.#domains.get(key);
    if (!domains) {
      this.#domains.set(key, (domains = new Domains(key, this.#capacity)));
      for (const [node, record] of this.#nodes.entries())
        if (record) domains.set(node, readKey(record.node.metadata.labels, key));
    }
    return domains;
  }

  setNode(node: Node): void {
    const { name } = node.metadata;
    const ready = conditionIsTrue(node.status?.conditions, 'Ready');
    const facts = canonicalJson([node.metadata.labels, node.spec, ready, node.status?.allocatable]);
    const known = this.#numbers.get(name);
    if (known !== undefined) {
      const record = this.#record(known);
      const same = record.facts === facts;
      this.#images.change(record.node.status?.images, node.status?.images, ++this.#changes);
      Object.assign(record, { node, ready, facts });
      if (same) return;
      this.#describe(known, record);
      this.#topology = ++this.#changes;
      this.#tell({ type: 'NodeUpdate', node: known });
      return;
    }
    const number = this.#free.pop() ?? this.#length++;
    if (number >= this.#capacity) this.#grow();
    const record: NodeRecord = { node, ready, facts, pods: new Map(), ports: new TakenPorts() };
    this.#nodes[number] = record;
    this.#numbers.set(name, number);
    this.#ties[number] = hash32(name);
    this.#images.change(undefined, node.status?.images, ++this.#changes);
    this.#describe(number, record);
    this.#topology = ++this.#changes;
    for (const uid of this.#homeless.get(name) ?? []) {
      const placed = this.#placed.get(uid);
      if (placed) this.#settle({ ...placed, node: number });
    }
    this.#homeless.delete(name);
    this.#tell({ type: 'NodeAdd', node: number });
  }

  /** Its pods stay known: they are counted again should the node come back. */
  removeNode(name: string): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    const record = this.#record(number);
    for (const placed of [...record.pods.values()]) {
      this.#leave(placed);
      this.#placed.set(placed.pod.metadata.uid, { ...placed, node: -1 });
      this.#waitFor(name).add(placed.pod.metadata.uid);
    }
    this.#images.change(record.node.status?.images, undefined, ++this.#changes);
    for (const column of this.#resources.values()) column.allocatable[number] = column.used[number] = 0;
    for (const domains of this.#domains.values()) domains.set(number, undefined);
    this.#weightCpu[number] = this.#weightMemory[number] = 0;
    this.#nodes[number] = undefined;
    this.#numbers.delete(name);
    this.#free.push(number);
    this.#topology = ++this.#changes;
    this.#tell({ type: 'Other', kind: 'Node' });
  }

  // ---- pods ----

  priority(pod: Pod): number {
    return priorityOf(pod, this.priorityClasses);
  }
  shape(pod: Pod): PodShape {
    return this.shapes.of(pod, this.priority(pod));
  }
  placed(uid: string): Placed | undefined {
    return this.#placed.get(uid);
  }
  /** Pods of the group (`namespace/name`) that have a place. */
  placedOfGroup(group: string): number {
    return this.#groupSizes.get(group) ?? 0;
  }
  get podCount(): number {
    return this.#placed.size;
  }
  /** Shapes of the pods that have a place, with how many there are on each node. */
  liveShapes(): ReadonlyMap<PodShape, ReadonlyMap<number, number>> {
    return this.#live;
  }
  /** Those of {@link liveShapes} that want to be near or far from other pods. */
  liveShapesWithPodAffinity(): ReadonlySet<PodShape> {
    return this.#liveWithAffinity;
  }

  /**
   * Takes in a pod as the store has it; one that ended, or has neither node nor nomination here, holds no room.
   * Idempotent.
   */
  setPod(pod: StoredPod): void {
    const nodeName = pod.spec.nodeName;
    if (nodeName === undefined || isFinished(pod)) {
      const before = this.#placed.get(pod.metadata.uid);
      // The binding of an assumed pod is on its way: older news of it do not free its room.
      if (before && (isFinished(pod) || before.pod.spec.nodeName !== undefined)) this.removePod(pod.metadata.uid);
      return;
    }
    this.#put(pod, nodeName, false);
  }

  /** Counts the pod on the node before the store has its binding; undone by {@link removePod}. */
  assume(pod: StoredPod, nodeName: string): void {
    this.#put(pod, nodeName, false);
  }

  /** Keeps room for a pod that is to come there. */
  nominate(pod: StoredPod, nodeName: string): void {
    this.#put(pod, nodeName, true);
  }

  removePod(uid: string): void {
    const placed = this.#placed.get(uid);
    if (!placed) return;
    this.#placed.delete(uid);
    if (placed.shape.terminating) this.budgets.ended(placed.shape, placed.pod);
    if (placed.node < 0) this.#homeless.get(placed.nodeName)?.delete(uid);
    else {
      this.#leave(placed);
      this.#tell({ type: 'PodDelete', shape: placed.shape, node: placed.node });
    }
    if (this.shapes.size > 2 * this.#live.size + 1024) this.shapes.sweep((shape) => this.#live.has(shape));
  }

  /**
   * Counts the pod as terminating, for another that takes its place, before the store has its deletion. News of it that
   * know of no deletion take that back, so a caller whose deletion fails hands the pod to {@link setPod} again.
   */
  terminate(uid: string): void {
    const placed = this.#placed.get(uid);
    if (!placed || placed.shape.terminating) return;
    const { pod, nodeName, nominated } = placed;
    this.#put(asPreempted(pod, DEFAULT_SCHEDULER_NAME), nodeName, nominated);
  }

  /**
   * Frees the pod's room and ports to try what that would change. All else has the pod still: {@link podsOn}, {@link
   * liveShapes}, the journal and listeners. {@link putBack} must follow before anything is changed.
   */
  lift(placed: Placed): void {
    this.#occupy(placed, -1);
  }
  putBack(placed: Placed): void {
    this.#occupy(placed, 1);
  }

  /**
   * Answers `look` as if the pod had no place. Nothing comes of it: no event, and what was worked out from this state
   * is right before, within and after.
   */
  without<T>(uid: string, look: () => T): T {
    const placed = this.#placed.get(uid);
    if (!placed || placed.node < 0) return look();
    this.#placed.delete(uid);
    this.#leave(placed);
    try {
      return look();
    } finally {
      this.#settle(placed);
    }
  }

  // ---- the rest ----

  setServices(namespace: string, services: readonly StoredService[]): void {
    this.services.set(namespace, services);
    this.#topology = ++this.#changes;
    this.#tell({ type: 'Other', kind: 'Service' });
  }
  /** All PodDisruptionBudgets of the namespace. They restrict preemption, not places: {@link topology} stays. */
  setBudgets(namespace: string, budgets: readonly StoredPodDisruptionBudget[]): void {
    this.budgets.set(namespace, budgets);
    this.#tell({ type: 'Other', kind: 'PodDisruptionBudget' });
  }
  setNamespace({ metadata }: Namespace): void {
    const labels = { 'kubernetes.io/metadata.name': metadata.name, ...metadata.labels };
    const before = this.namespaces.get(metadata.name);
    if (before && canonicalJson(before) === canonicalJson(labels)) return;
    this.namespaces.set(metadata.name, labels);
    this.#topology = ++this.#changes;
    this.#tell({ type: 'Other', kind: 'Namespace' });
  }

  setPodGroup(group: string, spec: PodGroupSpec | undefined): void {
    if (this.podGroups.get(group)?.minMember === spec?.minMember) return;
    if (spec) this.podGroups.set(group, spec);
    else this.podGroups.delete(group);
    this.#tell({ type: 'Other', kind: 'PodGroup' });
  }

  /** Claims, volumes or classes changed: what is known of pods that use some is asked anew. */
  volumesChanged(): void {
    this.#volumesChange = ++this.#changes;
    this.#tell({ type: 'Other', kind: 'Volume' });
  }

  /** Calls with each event that may help a pod without a node. The result ends that. */
  subscribe(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Position after the newest entry. */
  get position(): number {
    return this.#journalStart + this.#journal.length;
  }
  /** Entries since the position, oldest first; undefined when some are forgotten. */
  since(position: number): readonly JournalEntry[] | undefined {
    if (position < this.#journalStart) return undefined;
    return position === this.position ? NONE : this.#journal.slice(position - this.#journalStart);
  }

  // ---- inner ----

  #record(node: number): NodeRecord {
    const record = this.#nodes[node];
    if (!record) throw new Error(`no node has number ${node}`);
    return record;
  }

  #zoneFairOrder(): readonly number[] {
    const zones = new Map<string, number[]>();
    for (const name of [...this.#numbers.keys()].sort()) {
      const number = this.#numbers.get(name) ?? -1;
      const labels = this.labels(number);
      const zone = `${labels[REGION_LABEL] ?? ''} ${labels[ZONE_LABEL] ?? ''}`;
      const members = zones.get(zone);
      if (members) members.push(number);
      else zones.set(zone, [number]);
    }
    const queues = [...zones].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members);
    const longest = Math.max(0, ...queues.map(({ length }) => length));
    return Array.from({ length: longest }, (_, at) => queues.flatMap((members) => members[at] ?? [])).flat();
  }

  #put(pod: StoredPod, nodeName: string, nominated: boolean): void {
    const { uid } = pod.metadata;
    const shape = this.shape(pod);
    const start = pod.status?.startTime === undefined ? Infinity : Date.parse(pod.status.startTime);
    const before = this.#placed.get(uid);
    if (before?.nodeName === nodeName && before.shape === shape) {
      const after = { ...before, pod, nominated, start };
      this.#placed.set(uid, after);
      if (before.node < 0) return;
      this.#record(before.node).pods.set(uid, after);
      if (before.nominated !== nominated || before.start !== start) this.#note({ node: before.node, shape, by: 0 });
      return;
    }
    const turned = before?.nodeName === nodeName && shape.terminating !== before.shape.terminating ? before : undefined;
    if (turned && shape.terminating) this.budgets.begins(turned.shape, turned.pod);
    if (turned && turned.node >= 0)
      return this.#turn(turned, { pod, shape, nodeName, node: turned.node, nominated, start });
    if (before) this.removePod(uid);
    const node = this.#numbers.get(nodeName) ?? -1;
    const placed: Placed = { pod, shape, nodeName, node, nominated, start };
    this.#placed.set(uid, placed);
    if (node < 0) {
      this.#waitFor(nodeName).add(uid);
      return;
    }
    this.#settle(placed);
    this.#tell({ type: 'PodAdd', shape, node });
  }

  /** It begins to terminate, or stays after all. It has its room before and after: nothing is relieved. */
  #turn(before: Placed, after: Placed): void {
    this.#leave(before);
    this.#settle(after);
    const { shape, node } = after;
    if (shape.terminating) return this.#tell({ type: 'PodDelete', shape: before.shape, node, leaving: true });
    this.budgets.ended(before.shape, before.pod);
    this.#tell({ type: 'PodAdd', shape, node });
  }

  #settle(placed: Placed): void {
    this.#placed.set(placed.pod.metadata.uid, placed);
    // Counted first: a column that is made on the way counts the pods that are there.
    this.#count(placed, 1);
    this.#record(placed.node).pods.set(placed.pod.metadata.uid, placed);
  }

  #leave(placed: Placed): void {
    this.#record(placed.node).pods.delete(placed.pod.metadata.uid);
    this.#count(placed, -1);
  }

  #occupy({ shape, node }: Placed, by: 1 | -1): void {
    for (const {
      amount,
      column: { used },
    } of this.#demandsOf(shape))
      used[node] = (used[node] ?? 0) + by * amount;
    this.#weightCpu[node] = (this.#weightCpu[node] ?? 0) + by * shape.weight.cpu;
    this.#weightMemory[node] = (this.#weightMemory[node] ?? 0) + by * shape.weight.memory;
    if (shape.hostPorts.length > 0) this.#record(node).ports.count(shape.hostPorts, by);
  }

  #demandsOf(shape: PodShape): readonly Demand[] {
    let demands = this.#demands.get(shape);
    if (!demands)
      this.#demands.set(
        shape,
        (demands = [...shape.requests].map(([name, amount]) => ({ amount, column: this.resource(name) }))),
      );
    return demands;
  }

  #count(placed: Placed, by: 1 | -1): void {
    this.#occupy(placed, by);
    const { shape, node } = placed;
    if (shape.group !== undefined && !shape.terminating) addTo(this.#groupSizes, shape.group, by);
    let nodes = this.#live.get(shape);
    if (!nodes) {
      this.#live.set(shape, (nodes = new Map<number, number>()));
      if (shape.affinity?.podAffinity || shape.affinity?.podAntiAffinity) this.#liveWithAffinity.add(shape);
    }
    addTo(nodes, node, by);
    if (nodes.size === 0) {
      this.#live.delete(shape);
      this.#liveWithAffinity.delete(shape);
    }
    this.#note({ node, shape, by });
  }

  #waitFor(nodeName: string): Set<string> {
    let waiting = this.#homeless.get(nodeName);
    if (!waiting) this.#homeless.set(nodeName, (waiting = new Set()));
    return waiting;
  }

  #describe(number: number, { node }: NodeRecord): void {
    const allocatable = capacityOf(node.status?.allocatable);
    for (const name of allocatable.keys()) this.resource(name);
    for (const [name, column] of this.#resources) column.allocatable[number] = allocatable.get(name) ?? 0;
    for (const [key, domains] of this.#domains) domains.set(number, readKey(node.metadata.labels, key));
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#weightCpu = grown(this.#weightCpu, this.#capacity);
    this.#weightMemory = grown(this.#weightMemory, this.#capacity);
    const ties = new Uint32Array(this.#capacity);
    ties.set(this.#ties);
    this.#ties = ties;
    for (const column of this.#resources.values()) column.grow(this.#capacity);
    for (const domains of this.#domains.values()) domains.grow(this.#capacity);
  }

  #note(entry: JournalEntry): void {
    this.#journal.push(entry);
    const kept = Math.max(JOURNAL_LENGTH, 4 * this.#length);
    if (this.#journal.length < 2 * kept) return;
    this.#journal = this.#journal.slice(kept);
    this.#journalStart += kept;
  }

  #tell(event: ClusterEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

const NONE: readonly JournalEntry[] = [];

/** Source: MurmurHash3's finalizer, shortened. */
function mix(value: number): number {
  const mixed = Math.imul(value, 0x85ebca6b);
  return (Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) ^ (mixed >>> 16)) >>> 0;
}
