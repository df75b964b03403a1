/**
 * What a forecast takes for a cluster: the session's controllers on a copy of the live state, and instead of nodes that
 * pods run and are ready once they have one, and end when they are told to. No kind of workload is known here.
 */
import {
  keyOf,
  withCondition,
  type Node,
  type ObjectKey,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import type { NodeMonitor } from '../../core/health/node-monitor.ts';
import { descriptorOf } from '../../core/kinds/index.ts';
import { controllerIn, hasPresentTemplate, podsOf, topmostKey } from '../../core/kinds/owners.ts';
import { finalStatus } from '../../core/nodes/pod-status.ts';
import { finish, type Paced } from '../../core/paced.ts';
import type { Changes, PlannedPod, PlayedCluster, RollingUpdate } from '../../core/scheduling/played.ts';
import type { Step } from '../../core/step.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import { controllerOf } from '../../core/workloads/owners.ts';
import { isActive, isFinished, isReady, isTerminating } from '../../core/workloads/pod-state.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { Controller, StoreView } from '../runtime/controller.ts';
import { ControllerPlay, type Bounds } from './controller-play.ts';
import { HeardNodes } from './heard-nodes.ts';
import { OverlayView } from './overlay-view.ts';

/** Author of what nodes say. */
const NODES = 'nodes';

export interface PlayOptions {
  /** The live state. */
  readonly view: StoreView;
  readonly now: Date;
  /** As the session makes them. */
  readonly controllers: (monitor: NodeMonitor) => readonly Controller[];
  readonly bounds?: Bounds;
}

export class ControllersPlayed implements PlayedCluster {
  /** The live state as it becomes. */
  readonly view: OverlayView;
  readonly #play: ControllerPlay;
  /** Objects that have pods, or make them, and that controllers have looked at. */
  readonly #concerned = new Set<ObjectKey>();
  /** Have a node and are not ready, by uid. */
  readonly #starting = new Map<string, ObjectKey>();
  /** Told to end, by uid. */
  readonly #ending = new Map<string, ObjectKey>();
  /** Not yet taken, by uid. */
  readonly #come = new Map<string, PlannedPod>();
  readonly #go = new Map<string, StoredPod>();
  readonly #started = new Map<string, StoredPod>();
  /** Not yet taken, by name. */
  readonly #nodes = new Map<string, Node | 'removed'>();
  readonly #joining = new Set<string>();
  #settings: ((type: ChangeEvent['type'], object: Stored, previous: Stored | undefined) => void) | undefined;

  constructor({ view, now, controllers, bounds }: PlayOptions) {
    this.view = new OverlayView(view);
    this.#play = new ControllerPlay({
      view: this.view,
      controllers: controllers(new HeardNodes(view.list('Node'), now)),
      now,
      ...(bounds && { bounds }),
      changed: (type, object, previous) => {
        this.#changed(type, object, previous);
      },
      looked: (key) => {
        this.#looked(key);
      },
    });
    // They will have ended; whoever is not concerned by the plan is not asked what he makes of that.
    for (const pod of view.list('Pod').filter(isTerminating)) {
      if (isHeld(pod)) this.view.put(ended(pod, now));
      else this.view.remove(keyOf(pod));
    }
  }

  get joining(): readonly string[] {
    return [...this.#joining];
  }
  get limits(): readonly string[] {
    return this.#play.limits;
  }

  /** Whether anything comes or goes, now or later. */
  get isMoving(): boolean {
    return this.#come.size + this.#go.size + this.#nodes.size > 0 || this.updates().length > 0;
  }

  /** Does the steps, and lets controllers work. What is refused is left out: the plan's own checks tell of it. */
  *apply(steps: readonly Step[], by: string): Paced<void> {
    yield* this.#play.do(
      steps.map((step) => this.#onPresentVersion(step)),
      by,
    );
    yield* this.settle();
  }

  /** From now on `listener` hears of changes of what placement goes by. */
  follow(listener: (type: ChangeEvent['type'], object: Stored, previous: Stored | undefined) => void): void {
    this.#settings = listener;
  }

  *settle(): Paced<void> {
    yield* this.#play.settle();
    while (this.#ending.size > 0) {
      const pods = [...this.#ending];
      this.#ending.clear();
      yield* this.#end(pods);
      yield* this.#play.settle();
    }
  }

  takeChanges(): Changes {
    const nodes = [...this.#nodes];
    const changes = {
      come: [...this.#come.values()],
      go: [...this.#go.values()],
      started: [...this.#started.values()],
      nodes: {
        changed: nodes.flatMap(([, node]) => (node === 'removed' ? [] : [node])),
        removed: nodes.flatMap(([name, node]) => (node === 'removed' ? [name] : [])),
      },
    };
    this.#come.clear();
    this.#go.clear();
    this.#started.clear();
    this.#nodes.clear();
    return changes;
  }

  placed(pod: StoredPod, nodeName: string): void {
    const { uid } = pod.metadata;
    const found = this.view.get(keyOf(pod));
    const waiting = found?.metadata.uid === uid ? found : pod;
    this.#ready({ ...waiting, spec: { ...waiting.spec, nodeName } });
    // It is known already who wanted a place for it.
    this.#come.delete(uid);
  }

  left(pod: StoredPod): boolean {
    const { uid, namespace } = pod.metadata;
    const owner = controllerIn(this.view, namespace, controllerOf(pod.metadata));
    finish(this.#end([[uid, keyOf(pod)]]));
    this.#go.delete(uid);
    return owner !== undefined;
  }

  start(): boolean {
    let any = false;
    for (const [uid, key] of this.#starting) {
      const pod: Stored | undefined = this.view.get(key);
      if (pod?.kind !== 'Pod' || pod.metadata.uid !== uid || !isStarting(pod)) continue;
      if (!hasPresentTemplate(this.view, pod)) continue;
      this.#ready(pod);
      any = true;
    }
    this.#starting.clear();
    return any;
  }

  hurry(): void {
    for (const { object, next, oldLeft } of this.#rollouts()) {
      const { podTemplate } = descriptorOf(object.kind);
      if (podTemplate === 'none' || podTemplate.rollout === 'none' || oldLeft === 0 || next.length === 0) continue;
      if (next.some(({ spec }) => spec.nodeName === undefined)) continue;
      const { metadata, ...hurried } = podTemplate.rollout.hurried(object);
      this.#play.show('put', {
        ...hurried,
        metadata: { ...metadata, generation: metadata.generation + 1 },
      });
    }
  }

  *later(): Paced<boolean> {
    while (yield* this.#play.later()) {
      yield* this.settle();
      if (this.#come.size + this.#go.size + this.#nodes.size > 0) return true;
    }
    return false;
  }

  updates(): readonly RollingUpdate[] {
    return this.#rollouts()
      .filter(({ oldLeft }) => oldLeft > 0)
      .map(({ object, next, oldLeft }) => ({
        workload: keyOf(object),
        oldLeft,
        next: new Set(next.map(({ metadata }) => metadata.uid)),
      }))
      .sort((a, b) => (a.workload < b.workload ? -1 : 1));
  }

  /** Of those that put new pods beside old ones. */
  #rollouts(): readonly { readonly object: Stored; readonly next: readonly StoredPod[]; readonly oldLeft: number }[] {
    return [...this.#concerned].flatMap((key) => {
      const object: Stored | undefined = this.view.get(key);
      const { podTemplate } = descriptorOf(object?.kind ?? 'Pod');
      if (!object || podTemplate === 'none' || podTemplate.rollout === 'none') return [];
      if (!podTemplate.rollout.isRolling(object)) return [];
      const pods = podsOf(this.view, object).filter(isActive);
      const next = pods.filter((pod) => hasPresentTemplate(this.view, pod));
      return [{ object, next, oldLeft: pods.length - next.length }];
    });
  }

  /** The step on the object as it is: the live state may have gone on since the plan was made. */
  #onPresentVersion(step: Step): Step {
    if (step.do !== 'update') return step;
    const present: Stored | undefined = this.view.get(keyOf(step.object));
    if (!present) return step;
    const { uid, resourceVersion } = present.metadata;
    return {
      ...step,
      object: { ...step.object, metadata: { ...step.object.metadata, uid, resourceVersion } } as Stored,
    };
  }

  #changed(type: ChangeEvent['type'], object: Stored, previous: Stored | undefined): void {
    if (object.kind === 'Pod') this.#podChanged(type, object, previous);
    else if (object.kind === 'Node') this.#nodeChanged(type, object, previous);
    else if (descriptorOf(object.kind).placement !== 'none') this.#settings?.(type, object, previous);
  }

  #podChanged(type: ChangeEvent['type'], pod: StoredPod, previous: Stored | undefined): void {
    const { uid } = pod.metadata;
    if (type === 'delete' || isTerminating(pod)) this.#started.delete(uid);
    if (type === 'delete') {
      this.#ending.delete(uid);
      // Nobody has seen a pod that comes and goes between two calls.
      if (!this.#come.delete(uid)) this.#go.set(uid, pod);
      return;
    }
    if (!previous) {
      this.#come.set(uid, { workload: topmostKey(this.view, pod), pod });
      if (isStarting(pod)) this.#starting.set(uid, keyOf(pod));
      return;
    }
    const before = previous as StoredPod;
    if (isTerminating(pod) && !isTerminating(before)) this.#ending.set(uid, keyOf(pod));
    if (isFinished(pod) && !isFinished(before) && !this.#come.delete(uid)) this.#go.set(uid, pod);
  }

  #nodeChanged(type: ChangeEvent['type'], node: Node, previous: Stored | undefined): void {
    const { name } = node.metadata;
    if (type === 'put' && !previous) this.#joining.add(name);
    else if (type === 'delete' && this.#joining.delete(name)) return;
    else if (!this.#joining.has(name)) this.#nodes.set(name, type === 'delete' ? 'removed' : node);
  }

  /** Their nodes have stopped them. What a finalizer holds shows that it has ended. */
  *#end(pods: readonly (readonly [uid: string, key: ObjectKey])[]): Paced<void> {
    for (const [uid, key] of pods) {
      const pod: Stored | undefined = this.view.get(key);
      if (pod?.kind === 'Pod' && pod.metadata.uid === uid && isHeld(pod) && !isFinished(pod))
        this.#play.show('put', ended(pod, this.#play.now));
    }
    yield* this.#play.do(
      pods.map(([uid, key]): Step => ({ do: 'delete', key, uid, gone: true })),
      NODES,
    );
  }

  #looked(key: ObjectKey): void {
    if (this.#concerned.has(key)) return;
    const object: Stored | undefined = this.view.get(key);
    if (!object || object.kind === 'Pod' || descriptorOf(object.kind).podTemplate === 'none') return;
    this.#concerned.add(key);
    for (const pod of podsOf(this.view, object)) if (isStarting(pod)) this.#starting.set(pod.metadata.uid, keyOf(pod));
  }

  #ready(pod: StoredPod): void {
    const now = kubeTime(this.#play.now);
    const conditions = withCondition(pod.status?.conditions, { type: 'Ready', status: 'True' }, now);
    const started: StoredPod = {
      ...pod,
      status: { startTime: now, ...pod.status, phase: 'Running', conditions },
    };
    this.#started.set(pod.metadata.uid, started);
    this.#play.show('put', started);
  }
}

function isStarting(pod: StoredPod): boolean {
  return isActive(pod) && pod.spec.nodeName !== undefined && !isReady(pod);
}

/** Its node's word does not let it go. */
function isHeld({ metadata }: StoredPod): boolean {
  return (metadata.finalizers ?? []).length > 0;
}

/** As its node reports it once it is stopped. */
function ended(pod: StoredPod, now: Date): StoredPod {
  return { ...pod, status: finalStatus(pod.status, kubeTime(now)) };
}
