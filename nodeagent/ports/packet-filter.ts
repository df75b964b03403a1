/**
 * This node's part of the cluster's network, of one address family, in the kernel's packet filter. Speaks of plans, not of rules: how a plan
 * looks in the kernel is the backend's business. Nothing but our own rules is ever changed.
 */
import type { Flow, StaleFlow } from '../core/data-plane/flows.ts';
import type { PlanChange, ServicePlan } from '../core/data-plane/plan.ts';

export interface FilterWrite {
  /** Commands that the kernel was given; 0 when all was there already, and then no generation was written. */
  readonly commands: number;
}

/** A look at our rules in the kernel. */
export interface FilterSurvey {
  /** What the last write left there; undefined where the rules, or their mark, are gone. */
  readonly generation: string | undefined;
  /** How the rules differ from what this object wrote last, for a log line; undefined when they do not. */
  readonly damage: string | undefined;
}

/**
 * The write does not fit the rules that are there (somebody else changed them) or the kernel refuses it. Nothing was
 * changed.
 */
export class FilterRefusedError extends Error {
  override readonly name = 'FilterRefusedError';
}

/** What others change: our rules, or theirs, which may drop or accept forwarded packets. */
export type FilterDisturbance = 'own-rules' | 'others';

/** A place where others drop packets of pods. */
export interface ForwardDrop {
  /** As its program names it: `ip filter FORWARD`. */
  readonly chain: string;
  /** Commands that accept packets of pods there, for a person. */
  readonly remedy: string;
}

/**
 * Writes are all or nothing, as the kernel sees them and for packets between two moments; connections that exist go on
 * where they are. Each leaves its generation beside the rules, which `survey` reads back. Not for two writes at a time.
 */
export interface PacketFilter {
  /**
   * Our rules become this plan, whatever was there, without a moment in between. Which client sticks to which endpoint
   * is forgotten. Rejects with {@link FilterRefusedError}.
   */
  replace(plan: ServicePlan, generation: string, signal: AbortSignal): Promise<FilterWrite>;
  /**
   * Brings the rules from the last plan to the next one, at a cost that follows the change. Only after a write that
   * succeeded: rejects with {@link FilterRefusedError} before the first, and after one that rejected for any reason.
   */
  change(change: PlanChange, generation: string, signal: AbortSignal): Promise<FilterWrite>;
  /** Takes our rules away; nothing happens where there are none. */
  remove(signal: AbortSignal): Promise<void>;
  /**
   * Whether our rules are there and were not emptied. Costs the same however many there are; does not see a change to a
   * part of them.
   */
  present(signal: AbortSignal): Promise<boolean>;
  /**
   * What is there, in full; may cost seconds of kernel time where there are thousands of Services. Leaves out which
   * addresses are in sets and maps.
   */
  survey(signal: AbortSignal): Promise<FilterSurvey>;
  /**
   * Tells what others change, of our rules of both families, within moments, until the signal aborts. What this object writes is not told. Rejects when
   * it cannot go on; what happened since then, or just before the call, is not told: look.
   */
  watch(tell: (disturbance: FilterDisturbance) => void, signal: AbortSignal): Promise<never>;
  /**
   * Why the plan in force is forwarded by nftables although it asks for other means (`forwardBy`), for a person; undefined while
   * all is as asked.
   */
  substitution(): string | undefined;
  /**
   * Makes the connection tracker forget flows. `unsupported` (nothing was done) where the machine has no tool for it:
   * such flows then end when they were silent for the kernel's time-out (30 to 120 s).
   */
  forgetFlows(flows: readonly StaleFlow[], signal: AbortSignal): Promise<'done' | 'unsupported'>;
  /**
   * The flows that the connection tracker knows: UDP, or TCP that nobody answered yet. Empty where the machine has no
   * tool for it.
   */
  flows(of: 'UDP' | 'unanswered TCP', signal: AbortSignal): Promise<readonly Flow[]>;
  /**
   * Where others drop or reject forwarded packets unless a rule of theirs accepts them, and have no rule that names `podRange`.
   */
  forwardDrops(podRange: string, signal: AbortSignal): Promise<readonly ForwardDrop[]>;
}
