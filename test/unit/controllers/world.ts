/** A store, a view and a writer in one, small enough to read: writes are compare-and-set and seen at once. */
import {
  isCustom,
  isCustomKey,
  keyOf,
  labelsInclude,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type Stored,
  type StoredAt,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { deletion, isFinalized } from '../../../reconciler/core/admission/deletion.ts';
import { openNamespace } from '../../../reconciler/core/admission/namespace-lifecycle.ts';
import { SOURCE_ANNOTATION } from '../../../reconciler/core/diff/types.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { controllerOf } from '../../../reconciler/core/workloads/owners.ts';
import { claimsOf, type Claim } from '../../../reconciler/core/services/claims.ts';
import { canonicalJson } from '../../../reconciler/core/storage/canonical-json.ts';
import { isTyped, type AnyDecision, type Step } from '../../../reconciler/core/step.ts';
import {
  kindsOf,
  type Controller,
  type PassContext,
  type StoreView,
} from '../../../reconciler/controllers/runtime/controller.ts';
import { CustomTable } from '../../../reconciler/controllers/runtime/custom-table.ts';
import { Dispatch, type Lane } from '../../../reconciler/controllers/runtime/dispatch.ts';
import { OwnWrites } from '../../../reconciler/controllers/runtime/own-writes.ts';

/** What a decision made of an object: the version it saw, and the one it wrote. */
interface Written {
  readonly base: string;
  readonly made: string;
}

export class World implements StoreView {
  readonly custom = new CustomTable();
  readonly objects = new Map<ObjectKey, Stored>();
  readonly events: Extract<Step, { do: 'event' }>[] = [];
  /** Earliest time that each `controller key` asked to be looked at again. */
  readonly timers = new Map<string, number>();
  /** Set it to step the wall clock; {@link advance} moves both. */
  now = new Date('2026-01-01T00:00:00.000Z');
  monotonic = 0;
  private readonly lanes: readonly Lane[];
  private readonly dispatch: Dispatch<Lane>;
  private readonly queue = new Map<string, { lane: Lane; key: ObjectKey }>();
  private counter = 0;
  private clashes = 0;

  constructor(controllers: readonly Controller[] = []) {
    this.lanes = controllers.map((controller) => ({ controller, ownWrites: new OwnWrites() }));
    this.dispatch = new Dispatch({
      lanes: this.lanes,
      view: this,
      ask: (lane, keys) => {
        for (const key of keys) if (!isCustomKey(key)) this.enqueue(lane, key);
      },
      failed: (_lane, _object, error) => {
        throw error;
      },
    });
  }

  get context(): PassContext {
    const next = (): string => (++this.counter).toString(36).padStart(5, '0');
    return {
      view: this,
      now: this.now,
      monotonic: this.monotonic,
      signal: new AbortController().signal,
      ids: { uid: () => `uid-${next()}`, suffix: (n) => next().slice(-n) },
    };
  }

  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined {
    return this.objects.get(key) as StoredAt<Key> | undefined;
  }
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[] {
    return [...this.objects]
      .filter(([, o]) => o.kind === kind && (namespace === undefined || o.metadata.namespace === namespace))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, o]) => o) as readonly Stored[] as readonly StoredOf<K>[];
  }
  ownedBy<K extends Kind>(kind: K, uid: string): readonly StoredOf<K>[] {
    return this.list(kind).filter((o) => controllerOf(o.metadata)?.uid === uid);
  }
  dependents<K extends Kind>(kind: K, uid: string): readonly StoredOf<K>[] {
    return this.list(kind).filter((o) => o.metadata.ownerReferences?.some((owner) => owner.uid === uid));
  }
  podsOnNode(node: string): readonly StoredOf<'Pod'>[] {
    return this.list('Pod').filter((pod) => pod.spec.nodeName === node);
  }
  pendingPods(): readonly StoredOf<'Pod'>[] {
    return this.list('Pod').filter(
      (pod) => pod.spec.nodeName === undefined && pod.metadata.deletionTimestamp === undefined,
    );
  }
  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[] {
    return this.list(kind, namespace).filter((o) => o.metadata.labels?.[key] === value);
  }
  fromSource<K extends Kind>(kind: K, sourceName: string): readonly StoredOf<K>[] {
    return this.list(kind).filter((o) => o.metadata.annotations?.[SOURCE_ANNOTATION] === sourceName);
  }
  selecting<K extends Kind>(kind: K, { metadata }: StoredOf<'Pod'>): readonly StoredOf<K>[] {
    const found: readonly Stored[] = this.list('Service', metadata.namespace).filter(
      ({ spec: { selector = {} } }) => Object.keys(selector).length > 0 && labelsInclude(metadata.labels, selector),
    );
    return kind === 'Service' ? (found as readonly StoredOf<K>[]) : [];
  }
  pointingAt<K extends Kind>(kind: K, podUid: string): readonly StoredOf<K>[] {
    const found: readonly Stored[] = this.list('EndpointSlice').filter(({ endpoints }) =>
      endpoints.some(({ targetRef }) => targetRef?.uid === podUid),
    );
    if (kind !== 'PeerSlice') return kind === 'EndpointSlice' ? (found as readonly StoredOf<K>[]) : [];
    return this.list('PeerSlice').filter(({ members }) =>
      members.some(({ uid }) => uid === podUid),
    ) as readonly Stored[] as readonly StoredOf<K>[];
  }

  claiming<K extends Kind>(kind: K, claim: Claim): readonly StoredOf<K>[] {
    const found: readonly Stored[] = this.list('Service').filter((service) => claimsOf(service).includes(claim));
    return kind === 'Service' ? (found as readonly StoredOf<K>[]) : [];
  }

  /** Puts an object as some other writer would, keeping uid and creation time of one that is there. */
  put<T extends KubeObject>(object: T): T & Stored {
    const key = keyOf(object);
    const before = this.objects.get(key);
    const version = String(++this.counter);
    const changed =
      before === undefined ||
      canonicalJson({ ...before, metadata: 0, status: 0 }) !== canonicalJson({ ...object, metadata: 0, status: 0 });
    const stored = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: before?.metadata.uid ?? object.metadata.uid ?? `uid-${version}`,
        creationTimestamp:
          before?.metadata.creationTimestamp ?? object.metadata.creationTimestamp ?? this.now.toISOString(),
        generation: (before?.metadata.generation ?? 0) + (changed ? 1 : 0),
        resourceVersion: version,
      },
    };
    this.objects.set(key, stored);
    this.dispatch.changed('put', stored, before);
    return stored as T & Stored;
  }

  remove(key: ObjectKey): void {
    const object = this.objects.get(key);
    if (!object) return;
    this.objects.delete(key);
    this.dispatch.changed('delete', object, object);
  }

  private enqueue(lane: Lane, key: ObjectKey): void {
    this.queue.set(`${lane.controller.name} ${key}`, { lane, key });
  }

  /** Conflicts that steps met. A second write of a decision to an object builds on the first, as in the writer. */
  get conflicts(): number {
    return this.clashes;
  }

  apply(decision: AnyDecision): void {
    const written = new Map<ObjectKey, Written>();
    const refused = new Set<ObjectKey>();
    for (const step of decision.steps) {
      if (!isTyped(step)) throw new Error('there are no custom objects in this world');
      const key = step.do === 'event' ? undefined : step.do === 'delete' ? step.key : keyOf(step.object);
      if (key !== undefined && refused.has(key)) continue;
      const before = this.clashes;
      this.applyStep(step, written);
      if (key !== undefined && this.clashes > before) refused.add(key);
    }
  }

  private applyStep(step: Step, written: Map<ObjectKey, Written>): void {
    switch (step.do) {
      case 'event':
        this.events.push(step);
        return;
      case 'create':
        if (this.objects.has(keyOf(step.object))) this.clashes++;
        else if (!this.isRefused(step.object)) this.put(step.object);
        return;
      case 'update':
      case 'updateStatus': {
        const key = keyOf(step.object);
        const before = this.objects.get(key);
        const base = step.object.metadata.resourceVersion;
        const earlier = written.get(key);
        if (before?.metadata.resourceVersion !== (earlier?.base === base ? earlier.made : base)) {
          this.clashes++;
          this.requeue(key);
          return;
        }
        const status = (o: Stored): object => ('status' in o && o.status !== undefined ? { status: o.status } : {});
        if (before && step.do === 'update' && isFinalized(step.object, before)) return this.remove(key);
        const { status: _a, ...body } = step.object as Stored & { status?: unknown };
        const { status: _b, ...bodyBefore } = before as Stored & { status?: unknown };
        const merged =
          step.do === 'update' ? { ...body, ...status(before) } : { ...bodyBefore, ...status(step.object) };
        written.set(key, { base, made: this.put(merged).metadata.resourceVersion });
        return;
      }
      case 'delete': {
        const { key, uid, do: _delete, ...options } = step;
        const old = this.objects.get(key);
        if (old?.metadata.uid !== uid) return;
        const write = deletion({ operation: 'delete', old, ...options, by: 'test', view: this, now: this.now });
        if (write?.op === 'delete') this.remove(key);
        else if (write && !isCustom(write.object))
          written.set(key, {
            base: old.metadata.resourceVersion,
            made: this.put(write.object).metadata.resourceVersion,
          });
      }
    }
  }

  private isRefused(object: KubeObject): boolean {
    return openNamespace(object, { operation: 'create', object, by: 'test', view: this, now: this.now }) !== undefined;
  }

  private requeue(key: ObjectKey): void {
    for (const lane of this.dispatch.of(key)) this.enqueue(lane, key);
  }

  /** One waiting pass, the `index`-th; false when none waits. */
  step(index = 0): boolean {
    const entries = [...this.queue.entries()];
    const entry = entries[index % Math.max(1, entries.length)];
    if (!entry) return false;
    const [id, { lane, key }] = entry;
    this.queue.delete(id);
    const decided = lane.controller.decide(key, this.context);
    const decision = 'steps' in decided ? decided : finish(decided);
    const own = lane.ownWrites.expect(key, decision.steps);
    this.apply(decision);
    own.over();
    if (decision.requeueAfterMs === 0) this.enqueue(lane, key);
    else if (decision.requeueAfterMs !== undefined) this.timers.set(id, this.monotonic + decision.requeueAfterMs);
    return true;
  }

  get waiting(): number {
    return this.queue.size;
  }

  /** Works until nothing waits; fails when that takes more than `limit` passes (a hot loop). */
  settle(limit = 2000): number {
    let passes = 0;
    while (this.step())
      if (++passes > limit) throw new Error(`still busy after ${limit} passes: ${[...this.queue.keys()].join(', ')}`);
    return passes;
  }

  /** Moves time and runs the passes whose time has come. */
  advance(ms: number): void {
    this.now = new Date(this.now.getTime() + ms);
    this.monotonic += ms;
    for (const [id, at] of [...this.timers]) {
      if (at > this.monotonic) continue;
      this.timers.delete(id);
      const [name, key] = id.split(' ');
      const lane = this.lanes.find(({ controller }) => controller.name === name);
      if (lane && key) this.enqueue(lane, key as ObjectKey);
    }
  }

  /** Asks for what controllers find work in, as a resync and a start do: nothing comes by a watch. */
  resync(): void {
    for (const lane of this.lanes)
      for (const kind of kindsOf(lane.controller))
        for (const object of this.list<Kind>(kind))
          if (this.dispatch.concerns(lane, object, undefined)) this.enqueue(lane, keyOf(object));
  }
}
