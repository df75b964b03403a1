/**
 * The machine's routes and the overlay's device. Only what carries our protocol number or one of our devices' names is
 * ever changed.
 */
import type { Family } from '../../contracts/ip.ts';
import type { Bridge } from '../core/cni/bridges.ts';
import type { RoutingSnapshot, RoutingStep } from '../core/routes/model.ts';

/** The machine's own. */
export interface WireGuardKey {
  /** The file that has the private half, for the kernel alone. */
  readonly path: string;
  /** In base64, as wg(8) writes it. */
  readonly publicKey: string;
}

export interface Routing {
  /**
   * Links, our routes, our overlay device, and the settings named by `sysctls` (paths under /proc/sys; absent ones are
   * left out). Routes of these families, of IPv4 alone when absent.
   */
  inspect(sysctls: readonly string[], signal: AbortSignal, families?: readonly Family[]): Promise<RoutingSnapshot>;
  /** The machine's bridges, whoever made them. */
  bridges(signal: AbortSignal): Promise<readonly Bridge[]>;
  /**
   * Makes the machine's key where it has none, and a WireGuard device with it; idempotent. The private half stays in a
   * file that only root reads. `problem`: why the machine cannot have one, and what to do. Rejects where the key can
   * neither be read nor made.
   */
  prepareWireGuard(signal: AbortSignal): Promise<{ readonly publicKey: string; readonly problem?: string }>;
  /** Runs the steps in order. Rejects at the first that fails, saying which; earlier ones stay done. */
  apply(steps: readonly RoutingStep[], signal: AbortSignal): Promise<void>;
}
