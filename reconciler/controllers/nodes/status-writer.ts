/** Writes what nodes say into the store: the reports of a moment in one round trip, the newest of each thing only. */
import {
  parseKey,
  isKeyOf,
  objectKey,
  type Condition,
  type Node,
  type ObjectKey,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { GrowingVolume, PodReport, TendedVolume } from '../../../contracts/agent/index.ts';
import { homeOf } from '../../../contracts/objects/made-volumes.ts';
import { deletion } from '../../core/admission/deletion.ts';
import { PlumbError } from '../../core/errors.ts';
import {
  differsBeyondHeartbeat,
  observedNodeStatus,
  withStatusCondition,
  type NodeObservation,
} from '../../core/nodes/node-status.ts';
import { boundedPodStatus } from '../../core/nodes/bounded-report.ts';
import { grownVolume, stuckGrowth } from '../../core/volumes/growth.ts';
import { DATA_DELETED } from '../../core/volumes/names.ts';
import { tendedVolume } from '../../core/volumes/share-volume.ts';
import { judgePodReport } from '../../core/nodes/pod-status.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { AnyWriteOp, WriteOp } from '../../ports/object-store.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreCache } from '../runtime/cache.ts';
import { turns } from '../runtime/slices.ts';
import { knownNode } from './known-node.ts';

export interface StatusWriterOptions {
  readonly cache: StoreCache;
  readonly clock: Clock;
  readonly log: Log;
  /** Somebody hears the nodes' beats as they come: writing them down now and then is enough. */
  readonly beatsAreHeard?: () => boolean;
}

type NewCondition = Omit<Condition, 'lastTransitionTime'>;
type ConditionKind = 'Machine' | 'Node';

const RETRY_MS = 250;
/** Of pods, and of other things, in one round trip: thousands of reports at once would hold up all else. */
const WRITTEN_AT_ONCE = 100;
/** The cache hears of somebody else's write within milliseconds. */
const CONFLICT_MS = 5;
/** A heartbeat is written this often within the time after which a node counts as silent. */
const BEATS_PER_GRACE = 4;
/** Where beats are heard without the store. Source: Kubernetes, kubelet, `nodeStatusReportFrequency`. */
const WRITE_BEAT_MS = 300_000;

/** What a Node's status was last made of: made of the same again, it would be the same. */
interface Seen {
  readonly node: Stored<Node>;
  readonly observation: NodeObservation;
}

export class StatusWriter {
  readonly #cache: StoreCache;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  /** Reports not yet written, by pod uid. */
  readonly #pods = new Map<string, { readonly node: string; readonly report: PodReport }>();
  /** Newest observation of every node that is heard. */
  readonly #observed = new Map<string, NodeObservation>();
  /** Volumes that are to go and that nothing is left of, by node. */
  readonly #emptied = new Map<string, readonly string[]>();
  /** Volumes that are to grow, by node. */
  readonly #growing = new Map<string, readonly GrowingVolume[]>();
  /** What is said of volumes on shares, by the node that tends them. */
  readonly #tended = new Map<string, readonly TendedVolume[]>();
  /** Conditions as they should be, by object and type. */
  readonly #conditions = new Map<ObjectKey<ConditionKind>, Map<string, NewCondition>>();
  /** When a heartbeat of each node was written last, on the monotonic clock. */
  readonly #beats = new Map<string, number>();
  /** Nodes whose status says what was observed. */
  readonly #seen = new Map<string, Seen>();
  readonly #beatsAreHeard: () => boolean;
  readonly #dirty = new Set<ObjectKey<ConditionKind>>();
  #flushing: Promise<void> | undefined;
  /** Why the store took nothing the last time; empty when it did. */
  #trouble = '';

  constructor(options: StatusWriterOptions) {
    this.#cache = options.cache;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#beatsAreHeard = options.beatsAreHeard ?? (() => false);
  }

  /**
   * Of a pod that is the node's own. Another is not even kept: a node can neither push out what a pod's own node said,
   * nor fill our memory.
   */
  pod(node: string, report: PodReport): void {
    const pod = this.#cache.get(objectKey('Pod', report.namespace, report.name));
    if (pod?.metadata.uid !== report.uid || pod.spec.nodeName !== node) return;
    this.#pods.set(report.uid, { node, report });
    this.#schedule();
  }

  /** Of volumes that are the node's own, and are to go: nothing is left of them there. */
  #goneVolumeOps(): { readonly op: AnyWriteOp; readonly isLast: boolean; readonly again: () => void }[] {
    return [...this.#emptied].flatMap(([node, names]) =>
      names.flatMap((name) => {
        const volume = this.#cache.get(objectKey('PersistentVolume', undefined, name));
        if (!volume || volume.metadata.deletionTimestamp === undefined || homeOf(volume) !== node) return [];
        if (volume.status?.reason === DATA_DELETED) return [];
        const status = { phase: 'Released' as const, ...volume.status, reason: DATA_DELETED };
        return [
          { op: { op: 'updateStatus' as const, object: { ...volume, status } }, isLast: true, again: () => undefined },
        ];
      }),
    );
  }

  /** Of volumes that are the node's own, and are to grow: they have, or why they have not. */
  #growthOps(): { readonly op: AnyWriteOp; readonly isLast: boolean; readonly again: () => void }[] {
    return [...this.#growing].flatMap(([node, words]) =>
      words.flatMap((word) => {
        const volume = this.#cache.get(objectKey('PersistentVolume', undefined, word.name));
        const ref = volume?.spec.claimRef;
        if (!volume || !ref) return [];
        const grown = grownVolume(volume, node, word);
        const claim = this.#cache.get(objectKey('PersistentVolumeClaim', ref.namespace, ref.name));
        const status = claim && stuckGrowth(volume, claim, node, word);
        const op: AnyWriteOp | undefined = grown
          ? { op: 'update', object: grown }
          : claim && status && { op: 'updateStatus', object: { ...claim, status } };
        return op ? [{ op, isLast: true, again: () => this.#touch(objectKey('Node', undefined, node)) }] : [];
      }),
    );
  }

  /** Of volumes on shares that the node tends: done, or why not. */
  #tendedOps(now: Date): { readonly op: AnyWriteOp; readonly isLast: boolean; readonly again: () => void }[] {
    return [...this.#tended].flatMap(([node, words]) =>
      words.flatMap((word) => {
        const volume = this.#cache.get(objectKey('PersistentVolume', undefined, word.name));
        const op = volume && tendedVolume(volume, node, word, now);
        return op ? [{ op, isLast: true, again: () => this.#touch(objectKey('Node', undefined, node)) }] : [];
      }),
    );
  }

  /** A sign of life with what the node is like. Written when it says something new, or when a heartbeat is due. */
  node(name: string, observation: NodeObservation): void {
    this.#observed.set(name, observation);
    const gone = observation.report?.goneVolumes;
    if (gone) this.#emptied.set(name, gone);
    else this.#emptied.delete(name);
    const growing = observation.report?.growingVolumes;
    if (growing) this.#growing.set(name, growing);
    else this.#growing.delete(name);
    const tended = observation.report?.tendedVolumes;
    if (tended) this.#tended.set(name, tended);
    else this.#tended.delete(name);
    this.#touch(objectKey('Node', undefined, name));
  }

  /** The node is not heard any more: what it said last is not repeated. */
  silent(name: string): void {
    this.#observed.delete(name);
    this.#emptied.delete(name);
    this.#growing.delete(name);
    this.#tended.delete(name);
    this.#beats.delete(name);
    this.#seen.delete(name);
  }

  condition(key: ObjectKey<ConditionKind>, condition: NewCondition): void {
    const conditions = this.#conditions.get(key) ?? new Map<string, NewCondition>();
    this.#conditions.set(key, conditions.set(condition.type, condition));
    this.#touch(key);
  }

  /** The object came into being or changed: what is known of it may have to be written again. */
  appeared(key: ObjectKey<ConditionKind>): void {
    if (this.#conditions.has(key) || (isKeyOf(key, 'Node') && this.#observed.has(parseKey(key).name))) this.#touch(key);
  }

  forget(key: ObjectKey<ConditionKind>): void {
    this.#conditions.delete(key);
  }

  /** Another control plane speaks to the node: what it told here is not written any more. */
  left(name: string): void {
    this.silent(name);
    for (const key of [objectKey('Machine', undefined, name), objectKey('Node', undefined, name)]) this.forget(key);
    for (const [uid, { node }] of [...this.#pods]) if (node === name) this.#pods.delete(uid);
  }

  /** Between two heartbeats of a node, milliseconds. */
  heartbeatMs(): number {
    return (clusterSettings(this.#cache).nodes.monitorGracePeriodSeconds * 1000) / BEATS_PER_GRACE;
  }

  /** Waits for the write under way; what was not written is told again by the agents. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the status writer is being closed'));
    await this.#flushing;
  }

  #touch(key: ObjectKey<ConditionKind>): void {
    this.#dirty.add(key);
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#stopping.signal.aborted) this.#flushing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      do {
        await turns.next();
        await this.#writeAll(signal);
      } while ((this.#pods.size > 0 || this.#dirty.size > 0) && !signal.aborted);
    } catch (error) {
      if (!signal.aborted) this.#log.error('reports of nodes are not written', { error: String(error) });
    }
    this.#flushing = undefined;
  }

  async #writeAll(signal: AbortSignal): Promise<void> {
    const pods = [...firstOf(this.#pods)];
    const keys = [...firstOf(this.#dirty)];
    for (const [uid] of pods) this.#pods.delete(uid);
    for (const key of keys) this.#dirty.delete(key);
    const now = this.#clock.now();
    const told: { readonly op: AnyWriteOp; readonly isLast: boolean; readonly again: () => void }[] = [];
    for (const [uid, { node, report }] of pods) {
      if (turns.isOver) await turns.next();
      const next = this.#podOp(node, report, now);
      const again = (): void => {
        if (!this.#pods.has(uid)) this.#pods.set(uid, { node, report });
      };
      if (next) told.push({ ...next, again });
    }
    for (const key of keys) {
      if (turns.isOver) await turns.next();
      const op = this.#keyOp(key, now);
      const again = (): void => {
        this.#dirty.add(key);
      };
      if (op) told.push({ op, isLast: true, again });
    }
    const ops = [...told, ...this.#goneVolumeOps(), ...this.#growthOps(), ...this.#tendedOps(now)];
    if (ops.length === 0) return;
    try {
      const results = await this.#cache.write(
        ops.map(({ op }) => op),
        signal,
      );
      const refused = ops.filter((_op, index) => {
        const result = results[index];
        return result?.ok === false && result.reason === 'Conflict';
      });
      for (const { again } of refused) again();
      for (const { isLast, again } of ops) if (!isLast) again();
      if (refused.length > 0) await this.#clock.sleep(CONFLICT_MS, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // Whatever it is: an agent tells a thing once. A lost store ends the session, and with it this writer.
      const code = error instanceof PlumbError ? error.code : String(error);
      if (code !== this.#trouble && code !== 'StoreUnavailable')
        this.#log.warn('reports of nodes wait: the store refuses them', { error: String(error) });
      this.#trouble = code;
      for (const { again } of ops) again();
      await this.#clock.sleep(RETRY_MS, signal);
      return;
    }
    this.#trouble = '';
  }

  /** `isLast`: no other write follows from the report. */
  #podOp(
    node: string,
    report: PodReport,
    now: Date,
  ): { readonly op: AnyWriteOp; readonly isLast: boolean } | undefined {
    const pod = this.#cache.get(objectKey('Pod', report.namespace, report.name));
    const told =
      pod && report.status
        ? { ...report, status: boundedPodStatus(report.status, pod.spec, knownNode(node, this.#cache), now) }
        : report;
    const verdict = judgePodReport(pod, told, node, kubeTime(now));
    switch (verdict.do) {
      case 'ignore':
        return undefined;
      case 'setStatus':
        return { op: { op: 'updateStatus', object: verdict.pod }, isLast: true };
      case 'setFinalStatus':
        return { op: { op: 'updateStatus', object: verdict.pod }, isLast: false };
      case 'remove': {
        const op = deletion({ operation: 'delete', old: verdict.pod, gone: true, by: node, view: this.#cache, now });
        return op && { op, isLast: true };
      }
    }
  }

  #keyOp(key: ObjectKey<ConditionKind>, now: Date): WriteOp | undefined {
    const before = this.#cache.get(key);
    if (!before) return undefined;
    let after = before.kind === 'Node' ? this.#observe(before) : before;
    for (const condition of this.#conditions.get(key)?.values() ?? [])
      after = withStatusCondition<StoredOf<ConditionKind>>(after, condition, now.toISOString()) ?? after;
    return after === before ? undefined : { op: 'updateStatus', object: after };
  }

  #observe(node: Stored<Node>): Stored<Node> {
    const { name } = node.metadata;
    const observation = this.#observed.get(name);
    if (!observation) return node;
    const beat = this.#beats.get(name);
    const at = this.#clock.monotonic();
    // A little early: the next look is a whole period away. Not by the times shown, which a stepped clock makes
    // meaningless.
    const everyMs = this.#beatsAreHeard() ? WRITE_BEAT_MS : this.heartbeatMs();
    const due = beat === undefined || at - beat >= everyMs * 0.8;
    if (!due && saysTheSame(this.#seen.get(name), node, observation)) return node;
    const status = observedNodeStatus(node.status, observation);
    if (!due && !differsBeyondHeartbeat(node.status, status)) {
      this.#seen.set(name, { node, observation });
      return node;
    }
    this.#beats.set(name, at);
    return { ...node, status };
  }
}

function* firstOf<T>(all: Iterable<T>): Generator<T> {
  let count = 0;
  for (const one of all) {
    if (count++ >= WRITTEN_AT_ONCE) return;
    yield one;
  }
}

function saysTheSame(
  seen: Seen | undefined,
  node: Stored<Node>,
  { report, images, machine }: NodeObservation,
): boolean {
  return (
    seen?.node === node &&
    seen.observation.report === report &&
    seen.observation.images === images &&
    seen.observation.machine === machine
  );
}
