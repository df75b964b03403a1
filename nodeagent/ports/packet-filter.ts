/** Our table in the kernel's packet filter. Nothing but that table is ever changed. */
import type { Command, Flow, StaleFlow } from '../core/nftables/model.ts';

export interface FilterTransaction {
  readonly commands: readonly Command[];
  /** Written into the table with the commands; `survey` reads it back. */
  readonly generation: string;
}

/** A look at the table in the kernel. */
export interface FilterSurvey {
  /** What the last transaction wrote; undefined where the table, or its mark, is gone. */
  readonly generation: string | undefined;
  /** Number of rules of each chain. */
  readonly rules: ReadonlyMap<string, number>;
}

/**
 * The commands did not fit the table that is there (somebody else changed it) or the kernel refuses them. Nothing was
 * changed.
 */
export class FilterRefusedError extends Error {
  override readonly name = 'FilterRefusedError';
}

export interface PacketFilter {
  /**
   * All or nothing, in one kernel transaction; connections that exist go on. Rejects with {@link FilterRefusedError}
   * where the transaction was refused.
   */
  apply(transaction: FilterTransaction, signal: AbortSignal): Promise<void>;
  /**
   * Whether the table is there and was not emptied. Costs the same however big the table is; does not see a change to a
   * part of it.
   */
  present(signal: AbortSignal): Promise<boolean>;
  /**
   * What is there, in full; costs seconds of kernel time where there are thousands of Services. Leaves out the elements
   * of sets and maps.
   */
  survey(signal: AbortSignal): Promise<FilterSurvey>;
  /**
   * Tells what others change, within moments, until the signal aborts: `own-table` for any change to our table,
   * `others` for chains and tables that may drop or accept forwarded packets. What {@link apply} does is not told.
   * Rejects when it cannot go on; what happened since then, or just before the call, is not told: look.
   */
  watch(tell: (change: 'own-table' | 'others') => void, signal: AbortSignal): Promise<never>;
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
   * Base chains of others that drop forwarded packets unless a rule of theirs accepts them, and have no rule that names
   * `podRange`. Each as `ip filter FORWARD`.
   */
  forwardDrops(podRange: string, signal: AbortSignal): Promise<readonly string[]>;
}
