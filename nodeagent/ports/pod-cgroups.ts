/** The cgroup that a pod's containers are in. The runtime makes it with the pod's first sandbox. */
import type { PodLimits } from '../core/pod/pod-limits.ts';

export interface PodCgroups {
  /**
   * Bounds the processes of a pod whose sandbox runs, and those of all pods together; and its cpu and memory, where
   * `limits` are given: `raise` leaves what is higher as it is. Idempotent. Throws an Error where the pod holds more memory
   * than that: it would be ended.
   */
  limit(parent: string, limits: PodLimits | undefined, how: 'set' | 'raise'): Promise<void>;
  /** Processes and threads of a pod; undefined where they are not counted. */
  processesIn(parent: string): Promise<number | undefined>;
  /** Of a pod of which nothing runs. Idempotent. */
  remove(parent: string): Promise<void>;
}
