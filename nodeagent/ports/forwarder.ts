/**
 * The part of a node's packet filter that leads new connections from frontends to targets, of one address family, by other
 * means than nftables. It marks what it leads (`SERVICE_MARK`); what is masqueraded, refused and guarded is nftables' with each.
 */
import type { Forwarding, PlanOwner, ServicePlan } from '../core/data-plane/plan.ts';
import type { FilterSurvey, FilterWrite } from './packet-filter.ts';

/** As with `PacketFilter`: writes are all or nothing, each leaves its generation, and they are not for two at a time. */
export interface Forwarder {
  /**
   * Our rules become these, whatever was there. Rejects with `FilterRefusedError`, whose message tells what this machine lacks;
   * nothing was changed then.
   */
  replace(
    plan: Pick<ServicePlan, 'policy' | 'forwardings'>,
    generation: string,
    signal: AbortSignal,
  ): Promise<FilterWrite>;
  /** All forwardings of each owner that is named. Only after a write that succeeded. Rejects as above. */
  change(
    forwardings: ReadonlyMap<PlanOwner, readonly Forwarding[]>,
    generation: string,
    signal: AbortSignal,
  ): Promise<FilterWrite>;
  /**
   * Takes our rules away, those of an earlier process too; nothing happens where there are none, or no program for them. What
   * connections still need goes later, while `watch` runs.
   */
  remove(signal: AbortSignal): Promise<void>;
  /** Whether our rules are there and were not emptied. */
  present(signal: AbortSignal): Promise<boolean>;
  survey(signal: AbortSignal): Promise<FilterSurvey>;
  /**
   * Tells, while there are rules that this object wrote, when others changed them: within a second where there are no thousands
   * of Services. Rejects when the signal aborts.
   */
  watch(tell: () => void, signal: AbortSignal): Promise<never>;
}
