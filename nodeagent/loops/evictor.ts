/** Pods are given up one at a time: what one held has to be free again before anybody can tell whether that was enough. */
import type { Clock } from '../ports/clock.ts';
import type { PodManager } from './pod-manager.ts';

export interface Evictor {
  /** A pod that was given up still holds what it held. */
  isBusy(): boolean;
  evict(uid: string, message: string): void;
}

/** Kubelet's podCleanupTimeout: no longer than that is waited for one pod. */
const EVICTION_MS = 30_000;

export function createEvictor(pods: Pick<PodManager, 'isCleared' | 'evict'>, clock: Pick<Clock, 'monotonic'>): Evictor {
  let last: { readonly uid: string; readonly at: number } | undefined;
  return {
    isBusy: () => last !== undefined && clock.monotonic() - last.at < EVICTION_MS && !pods.isCleared(last.uid),
    evict(uid, message) {
      last = { uid, at: clock.monotonic() };
      pods.evict(uid, message, 'NodePressure');
    },
  };
}
