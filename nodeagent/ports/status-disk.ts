/** Pods' last reported statuses, for an agent that starts after this one. Losing them costs a readiness flap, not a restart. */
import type { PodStatus } from '../../contracts/objects/index.ts';

export interface StatusDisk {
  load(): Promise<ReadonlyMap<string, PodStatus>>;
  save(statuses: ReadonlyMap<string, PodStatus>): Promise<void>;
}
