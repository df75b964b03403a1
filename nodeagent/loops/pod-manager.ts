/**
 * All pods of the node: a worker for each that is assigned, and for each that is found in the runtime but no longer
 * assigned.
 */
import { unlessAborted } from '../../contracts/signals.ts';
import { errorText } from '../../contracts/errors.ts';
import type { Node, Pod, PodStatus } from '../../contracts/objects/index.ts';
import type { ObjectKey } from '../../contracts/objects/index.ts';
import { isKeyOf, objectKey } from '../../contracts/objects/key.ts';
import { shutdownPhases } from '../core/node/shutdown.ts';
import { refusal, refusalUnder, resizeVerdict, type Refusal } from '../core/pod/admission.ts';
import { identityOf, objectsFor, referredKeys } from '../core/pod/objects.ts';
import type { ObservedPod } from '../core/pod/observed.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import { LABEL } from '../core/pod/identity.ts';
import type { EvictionCause } from '../core/pod/plan.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { priorityIn } from './pods-to-run.ts';
import { startPodWorker, type PodWorker, type PodWorkerDeps } from './pod-worker.ts';
import { createWaker } from './waker.ts';

export type PodManagerDeps = Omit<PodWorkerDeps, 'judgeResize' | 'objects' | 'onGone' | 'onObserved' | 'prober'> & {
  readonly assignment: AssignmentStore;
  /** Statuses that an agent before this one reported, by uid. */
  readonly lastStatuses: ReadonlyMap<string, PodStatus>;
  /** Resolves when the runtime's settings are known; throws an Error while it does not answer. */
  needRuntime(): Promise<void>;
  makeProber(onChange: (uid: string) => void): PodWorkerDeps['prober'];
};

export interface PodManager {
  /** What is in the runtime of one pod, as last looked at. */
  observed(uid: string): ObservedPod | undefined;
  /** Running containers and the files they log to. */
  running(): readonly { readonly id: string; readonly logPath: string }[];
  /** Has every pod looked at again. */
  wakeAll(): void;
  /** Nothing of the pod is on the node but, perhaps, its status. */
  isCleared(uid: string): boolean;
  /** Gives a pod up: see {@link PodWorker.evict}. Nothing happens for one that is not here. */
  evict(uid: string, message: string, cause: EvictionCause): void;
  /** The machine goes down: ends all pods, in order, and begins no other. Resolves when they have ended or had their time. */
  shutDown(): Promise<void>;
  close(): Promise<void>;
}

/** The list of everything, when the runtime tells of exits by itself, and when it does not. */
const LIST_EVERY_MS = 10_000;
const LIST_WITHOUT_EVENTS_MS = 1000;
const EVENTS_AGAIN_MS = 1000;
/** Ends of containers and sandboxes that no look has shown yet. */
const STRAY_EXITS_KEPT = 256;
/** For how long a later listener still hears that a pod which nobody asked about is gone. */
const GONE_TOLD_MS = 600_000;

export function startPodManager(deps: PodManagerDeps): PodManager {
  const { assignment, runtime, clock, log, hub } = deps;
  const workers = new Map<string, PodWorker>();
  const uidOfKey = new Map<ObjectKey, string>();
  const referers = new Map<string, ReadonlySet<string>>();
  const uidOfPart = new Map<string, string>();
  const observed = new Map<string, ObservedPod>();
  const gone = new Set<string>();
  const strayExits = new Set<string>();
  /** Pods that nobody assigned and that had files, and no worker, at the last list. */
  let leftFiles: ReadonlySet<string> = new Set();
  const closing = new AbortController();
  const beat = createWaker(clock);
  let eventsLive = false;
  let goesDown = false;
  /** Pods that the runtime held at the first list; others are known to be new here. */
  let listedOnce: ReadonlySet<string> | undefined;

  const prober = deps.makeProber((uid) => workers.get(uid)?.wake());
  const workerDeps: PodWorkerDeps = {
    ...deps,
    prober,
    objects: (namespace) => objectsFor(assignment.current(), namespace),
    judgeResize: (uid, wanted) => resizeVerdict(wanted, ownNode(), takenIn(uid)),
    onGone: ({ uid }, last) => retire(uid, last),
    onObserved({ uid }, seen) {
      observed.set(uid, seen);
      const parts = [
        ...seen.containers.map((c) => ({ id: c.id, alive: c.state === 'running' })),
        ...seen.sandboxes.map((s) => ({ id: s.id, alive: s.ready })),
      ];
      for (const { id, alive } of parts) {
        uidOfPart.set(id, uid);
        // It ended before it was known whose it is.
        if (strayExits.delete(id) && alive) queueMicrotask(() => workers.get(uid)?.noteExit(id));
      }
    },
  };

  function start(identity: PodIdentity, pod: Pod | undefined): void {
    if (goesDown) return;
    const reported = pod?.status;
    const isOver = reported?.phase === 'Succeeded' || reported?.phase === 'Failed';
    const previous = (isOver ? reported : undefined) ?? deps.lastStatuses.get(identity.uid) ?? reported;
    const fresh = listedOnce !== undefined && !listedOnce.has(identity.uid) && !observed.has(identity.uid);
    const refused = fresh && pod && !previous ? whyNot(pod) : undefined;
    workers.set(identity.uid, startPodWorker(workerDeps, { identity, pod, previous, fresh, refused }));
  }

  function whyNot(pod: Pod): Refusal | undefined {
    return (
      refusalUnder(deps.pressures(), pod, priorityIn(assignment)(pod)) ??
      refusal(pod, ownNode(), takenIn(), deps.facts())
    );
  }

  function ownNode(): Node | undefined {
    const view = assignment.current();
    return view.get(objectKey('Node', undefined, view.node));
  }

  /** Pods of the assignment that the node has said yes to and that have not ended, as they are allocated; not that one. */
  function takenIn(but?: string): readonly Pod[] {
    return assignment
      .current()
      .list('Pod')
      .flatMap((pod) => {
        const { uid } = identityOf(pod);
        const worker = uid === but ? undefined : workers.get(uid);
        return worker?.isOver() === false ? (worker.allocated() ?? pod) : [];
      });
  }

  /** What a pod gave up, another may have waited for. */
  function roomMayBeThere(): void {
    for (const worker of workers.values()) if (worker.waitsForRoom()) worker.wake();
  }

  /** Those that the node has said yes to before are asked nothing, so they come first; the others as they were made. */
  function inTurn(keys: readonly ObjectKey<'Pod'>[]): readonly ObjectKey<'Pod'>[] {
    const turn = (key: ObjectKey<'Pod'>): string => {
      const pod = assignment.current().get(key);
      const uid = pod?.metadata.uid ?? '';
      return listedOnce?.has(uid) === true || deps.lastStatuses.has(uid)
        ? ''
        : `${pod?.metadata.creationTimestamp ?? ''} ${key}`;
    };
    return keys
      .map((key) => ({ key, turn: turn(key) }))
      .sort((a, b) => (a.turn < b.turn ? -1 : Number(a.turn > b.turn)))
      .map(({ key }) => key);
  }

  function retire(uid: string, last: PodStatus | undefined): void {
    const worker = workers.get(uid);
    if (!worker) return;
    workers.delete(uid);
    prober.forget(uid);
    for (const [id, owner] of uidOfPart) if (owner === uid) uidOfPart.delete(id);
    observed.delete(uid);
    gone.add(uid);
    // What only left files was reported, if ever, by an agent before this one.
    if (worker.identity.name !== '') hub.tellGone(worker.identity, last);
    if (!isAssigned(uid)) {
      gone.delete(uid);
      void clock.sleep(GONE_TOLD_MS, closing.signal).then(
        () => hub.forget(uid),
        () => undefined,
      );
    }
    roomMayBeThere();
    log.info('pod is gone', { pod: `${worker.identity.namespace}/${worker.identity.name}`, uid });
    // Called from within the worker's own pass: it ends by itself.
    void worker.close();
  }

  const isAssigned = (uid: string): boolean => [...uidOfKey.values()].includes(uid);

  function podChanged(key: ObjectKey<'Pod'>): void {
    const pod = assignment.current().get(key);
    const uid = pod?.metadata.uid;
    const before = uidOfKey.get(key);
    if (before !== undefined && before !== uid) {
      uidOfKey.delete(key);
      referers.delete(before);
      if (gone.delete(before)) hub.forget(before);
      workers.get(before)?.assign(undefined);
    }
    if (!pod || uid === undefined) return;
    uidOfKey.set(key, uid);
    referers.set(uid, referredKeys(pod));
    const worker = workers.get(uid);
    if (worker) worker.assign(pod);
    else if (!gone.has(uid)) start(identityOf(pod), pod);
  }

  const unsubscribe = assignment.onChange((changed) => {
    if (!listedOnce) return;
    for (const key of inTurn(changed.filter((one) => isKeyOf(one, 'Pod')))) podChanged(key);
    if (changed.some((key) => isKeyOf(key, 'Node', 'Pod'))) roomMayBeThere();
    for (const key of changed) {
      if (isKeyOf(key, 'ConfigMap', 'Secret', 'PersistentVolumeClaim', 'RuntimeClass')) {
        for (const [uid, keys] of referers) if (keys.has(key)) workers.get(uid)?.objectsChanged();
      }
      if (isKeyOf(key, 'PersistentVolume')) for (const uid of usersOf(key)) workers.get(uid)?.objectsChanged();
    }
  });

  /** Pods whose claims the volume is bound to: they refer to the claim, and the claim to it. */
  function usersOf(key: ObjectKey<'PersistentVolume'>): readonly string[] {
    const claim = assignment.current().get(key)?.spec.claimRef;
    if (!claim) return [];
    const named = objectKey('PersistentVolumeClaim', claim.namespace, claim.name);
    return [...referers].flatMap(([uid, keys]) => (keys.has(named) ? [uid] : []));
  }

  /** One look at everything: who has no worker gets one, who differs from what its worker saw is woken. */
  async function list(): Promise<void> {
    if (!listedOnce) await deps.needRuntime();
    const [sandboxes, containers] = await Promise.all([
      runtime.listSandboxes(undefined, closing.signal),
      runtime.listContainers(undefined, closing.signal),
    ]);
    const signatures = new Map<string, string[]>();
    const identities = new Map<string, PodIdentity>();
    const note = (identity: PodIdentity, part: string): void => {
      identities.set(identity.uid, identity);
      signatures.set(identity.uid, [...(signatures.get(identity.uid) ?? []), part]);
    };
    for (const sandbox of sandboxes) note(sandbox.pod, `${sandbox.id}/${sandbox.ready}`);
    for (const c of containers)
      note(
        { uid: c.podUid, name: c.labels[LABEL.podName] ?? '', namespace: c.labels[LABEL.podNamespace] ?? '' },
        `${c.id}/${c.state}`,
      );
    const withFiles = await deps.files.list();
    if (!listedOnce) {
      listedOnce = new Set([...identities.keys(), ...withFiles.map(({ uid }) => uid)]);
      for (const key of inTurn(
        assignment
          .current()
          .list('Pod')
          .map((pod) => objectKey('Pod', pod.metadata.namespace, pod.metadata.name)),
      ))
        podChanged(key);
    }
    const found = (identity: PodIdentity, what: string): void => {
      const { namespace, name, uid } = identity;
      log.info(what, { pod: `${namespace}/${name}`, uid });
      gone.delete(uid);
      start(identity, undefined);
    };
    for (const [uid, identity] of identities) {
      const worker = workers.get(uid);
      if (worker && signatureOf(observed.get(uid)) !== (signatures.get(uid) ?? []).sort().join()) worker.wake();
      if (!worker && assignment.loaded) found(identity, 'found a pod that is not assigned here');
    }
    // An agent that was killed between a pod's last container and its files; kubelet: cleanupOrphanedPodDirs. Seen
    // twice, as a worker may have removed them since they were listed.
    const left = withFiles.filter(({ uid }) => !workers.has(uid) && !isAssigned(uid));
    for (const identity of left)
      if (assignment.loaded && leftFiles.has(identity.uid)) found(identity, 'found files of a pod that is gone');
    leftFiles = new Set(left.map(({ uid }) => uid));
    for (const [uid, worker] of workers)
      if (!identities.has(uid) && signatureOf(observed.get(uid)) !== '') worker.wake();
  }

  async function listForever(): Promise<void> {
    while (!closing.signal.aborted) {
      await list().catch((cause: unknown) => {
        if (!closing.signal.aborted)
          log.warn('the container runtime cannot be listed', {
            detail: errorText(cause),
          });
      });
      await beat.until(clock.monotonic() + (eventsLive && listedOnce ? LIST_EVERY_MS : LIST_WITHOUT_EVENTS_MS));
    }
  }

  function keepStrayExit(id: string): void {
    strayExits.add(id);
    const oldest = strayExits.size > STRAY_EXITS_KEPT ? strayExits.values().next().value : undefined;
    if (oldest !== undefined) strayExits.delete(oldest);
  }

  async function listenForever(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        eventsLive = true;
        for await (const id of runtime.events(closing.signal)) {
          const uid = uidOfPart.get(id);
          if (uid !== undefined) workers.get(uid)?.noteExit(id);
          else keepStrayExit(id);
        }
      } catch {
        // The list, now at its faster beat, says what is wrong.
      }
      eventsLive = false;
      beat.wake();
      await clock.sleep(EVENTS_AGAIN_MS, closing.signal).catch(() => undefined);
    }
  }

  hub.onChange(({ status }) => {
    if (status?.phase === 'Succeeded' || status?.phase === 'Failed') roomMayBeThere();
  });
  const loops = [listForever(), listenForever()];

  return {
    observed: (uid) => observed.get(uid),
    running: () =>
      [...observed.values()].flatMap((seen) =>
        seen.containers.filter((c) => c.state === 'running').map((c) => ({ id: c.id, logPath: c.detail.logPath })),
      ),
    wakeAll() {
      for (const worker of workers.values()) worker.wake();
    },
    isCleared: (uid) => workers.get(uid)?.isCleared() !== false,
    evict: (uid, message, cause) => workers.get(uid)?.evict(message, cause),
    async shutDown() {
      goesDown = true;
      const priority = priorityIn(assignment);
      const ending = [...workers.values()].flatMap((worker) => {
        const pod = worker.allocated();
        const { uid } = worker.identity;
        return pod ? { uid, priority: priority(pod), graceSeconds: pod.spec.terminationGracePeriodSeconds } : [];
      });
      for (const { graceSeconds, seconds } of shutdownPhases(ending)) {
        const ended = Promise.all([...graceSeconds].flatMap(([uid, grace]) => workers.get(uid)?.shutDown(grace) ?? []));
        using limit = clock.deadline(seconds * 1000);
        await unlessAborted(limit.signal, ended).catch(() => undefined);
      }
    },
    async close() {
      unsubscribe();
      await Promise.all([...workers.values()].map((worker) => worker.close()));
      closing.abort();
      beat.wake();
      await prober.close();
      await Promise.all(loops);
    },
  };
}

function signatureOf(seen: ObservedPod | undefined): string {
  if (!seen) return '';
  return [...seen.sandboxes.map((s) => `${s.id}/${s.ready}`), ...seen.containers.map((c) => `${c.id}/${c.state}`)]
    .sort()
    .join();
}
