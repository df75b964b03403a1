/**
 * The machine's routes and the overlay device. Only what carries our protocol number or our device's name is ever
 * changed.
 */
import type { Family } from '../../contracts/ip.ts';
import type { RoutingSnapshot, RoutingStep } from '../core/routes/model.ts';

export interface Routing {
  /**
   * Links, our routes, our overlay device, and the settings named by `sysctls` (paths under /proc/sys; absent ones are
   * left out). Routes of these families, of IPv4 alone when absent.
   */
  inspect(sysctls: readonly string[], signal: AbortSignal, families?: readonly Family[]): Promise<RoutingSnapshot>;
  /** Runs the steps in order. Rejects at the first that fails, saying which; earlier ones stay done. */
  apply(steps: readonly RoutingStep[], signal: AbortSignal): Promise<void>;
}
