/**
 * What the node has to tell, and who listens: the newest status of every pod, the node's own, and events until somebody
 * heard them.
 */
import type { NodeImage, NodeReport, PodReport, StaticPodFile, StatusLine } from '../../contracts/agent/index.ts';
import type { PodStatus } from '../../contracts/objects/index.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import type { Clock } from '../ports/clock.ts';

/** Events kept while nobody listens, and for one who listens slowly. */
export const EVENTS_KEPT = 500;

export interface PodEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Something that happened to the machine, for an Event of the Node. */
export type NodeEvent = PodEvent;

export interface StatusHub {
  /** Equal to the last one told: nothing happens. */
  tellPod(pod: PodIdentity, status: PodStatus): void;
  /** Nothing of it is left here. Told to every later listener until {@link forget}. */
  tellGone(pod: PodIdentity, last?: PodStatus): void;
  forget(uid: string): void;
  tellEvent(pod: PodIdentity, event: PodEvent): void;
  tellNodeEvent(event: NodeEvent): void;
  tellNode(report: NodeReport): void;
  /** Equal to the last ones told: nothing happens. */
  tellImages(images: readonly NodeImage[]): void;
  /** Equal to the last ones told: nothing happens. */
  tellStaticPods(files: readonly StaticPodFile[]): void;
  pods(): readonly PodReport[];
  node(): NodeReport | undefined;
  /** Hears everything known first, `synced`, then each change. */
  subscribe(listener: (line: StatusLine) => void): () => void;
  /** Hears each pod's report that is another one than before. */
  onChange(listener: (report: PodReport) => void): void;
  /** Hears of each pod that nothing is kept of any more. */
  onForget(listener: (uid: string) => void): void;
  statuses(): ReadonlyMap<string, PodStatus>;
}

export function createStatusHub(clock: Clock): StatusHub {
  const reports = new Map<string, PodReport>();
  const shown = new Map<string, string>();
  const listeners = new Set<(line: StatusLine) => void>();
  const changeListeners: ((report: PodReport) => void)[] = [];
  const forgetListeners: ((uid: string) => void)[] = [];
  let unheard: StatusLine[] = [];
  let nodeReport: NodeReport | undefined;
  let images: StatusLine | undefined;
  let imagesShown = '';
  let staticPods: StatusLine | undefined;
  let staticPodsShown = '';

  function tell(line: StatusLine): void {
    for (const listener of listeners) listener(line);
  }

  /** What a later listener does not hear again. */
  function tellOnce(line: StatusLine): void {
    if (listeners.size > 0) tell(line);
    else unheard = [...unheard, line].slice(-EVENTS_KEPT);
  }

  function put(report: PodReport): void {
    const text = JSON.stringify(report);
    if (shown.get(report.uid) === text) return;
    shown.set(report.uid, text);
    reports.set(report.uid, report);
    tell({ type: 'pod', pod: report });
    for (const listener of changeListeners) listener(report);
  }

  return {
    tellPod: ({ namespace, name, uid }, status) => put({ namespace, name, uid, gone: false, status }),
    tellGone: ({ namespace, name, uid }, last) =>
      put({ namespace, name, uid, gone: true, ...(last && { status: last }) }),
    forget(uid) {
      reports.delete(uid);
      shown.delete(uid);
      for (const listener of forgetListeners) listener(uid);
    },
    tellEvent({ namespace, name, uid }, event) {
      tellOnce({ type: 'event', event: { namespace, name, uid, ...event, at: clock.now().toISOString(), count: 1 } });
    },
    tellNodeEvent(event) {
      tellOnce({ type: 'node-event', event: { ...event, at: clock.now().toISOString(), count: 1 } });
    },
    tellNode(report) {
      nodeReport = report;
      tell({ type: 'node', node: report });
    },
    tellImages(list) {
      const text = JSON.stringify(list);
      if (text === imagesShown) return;
      imagesShown = text;
      images = { type: 'images', images: [...list] };
      tell(images);
    },
    tellStaticPods(files) {
      const text = JSON.stringify(files);
      if (text === staticPodsShown) return;
      staticPodsShown = text;
      staticPods = { type: 'static-pods', files: [...files] };
      tell(staticPods);
    },
    pods: () => [...reports.values()],
    node: () => nodeReport,
    subscribe(listener) {
      if (nodeReport) listener({ type: 'node', node: nodeReport });
      if (images) listener(images);
      if (staticPods) listener(staticPods);
      for (const pod of reports.values()) listener({ type: 'pod', pod });
      listener({ type: 'synced' });
      for (const line of unheard) listener(line);
      unheard = [];
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onChange(listener) {
      changeListeners.push(listener);
    },
    onForget(listener) {
      forgetListeners.push(listener);
    },
    statuses: () =>
      new Map([...reports].flatMap(([uid, { gone, status }]) => (status && !gone ? [[uid, status] as const] : []))),
  };
}
