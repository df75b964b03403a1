/**
 * Pods' last reported statuses, for an agent that starts after this one. Losing them costs a readiness flap, not a
 * restart.
 */
import type { PodStatus } from '../../contracts/objects/index.ts';

export interface LastStatuses {
  /** By uid. */
  readonly statuses: ReadonlyMap<string, PodStatus>;
  /** The machine was started anew since: nothing runs of what they tell. */
  readonly rebooted: boolean;
}

export interface StatusDisk {
  load(): Promise<LastStatuses>;
  save(statuses: ReadonlyMap<string, PodStatus>): Promise<void>;
}
