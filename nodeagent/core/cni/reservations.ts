/**
 * Addresses that host-local holds for sandboxes that are no more. A runtime gives an address back when it ends a
 * sandbox; one that is killed while it makes a sandbox forgets it, and the address stays taken for good.
 */
import { isIPv4 } from 'node:net';

/** One address, and whose it is. */
export interface Reservation {
  readonly address: string;
  /** Of a CRI sandbox. */
  readonly sandboxId: string;
  readonly device: string;
}

/** Sandboxes that hold addresses and that the runtime does not know, and since when, by the monotonic clock. */
export type Strangers = ReadonlyMap<string, number>;

/** Runtimes of the CRI name sandboxes so. What has another name, as nerdctl's containers have, is not looked after. */
const SANDBOX_ID = /^[0-9a-f]{64}$/;
const DEVICE = /^[\w.-]{1,15}$/;

/**
 * A file of host-local's folder: named by the address, the sandbox's id in its first line, the device in its second.
 * Undefined for every other file there. Source: containernetworking/plugins, host-local backend/disk.
 */
export function parseReservation(name: string, text: string): Reservation | undefined {
  const [sandboxId = '', device = 'eth0', ...more] = text.trim().split(/\r?\n/);
  return isIPv4(name) && SANDBOX_ID.test(sandboxId) && DEVICE.test(device) && more.length === 0
    ? { address: name, sandboxId, device }
    : undefined;
}

/**
 * Which to release: those whose sandbox was unknown to the runtime at every look for `patienceMs`, which is longer than
 * any sandbox takes to be made. `known` was listed after the reservations were. By the monotonic clock alone: neither a
 * step of the wall's clock nor a file's date makes a start in progress look old.
 */
export function staleReservations(
  before: Strangers,
  reservations: readonly Reservation[],
  known: ReadonlySet<string>,
  now: number,
  patienceMs: number,
): { readonly strangers: Strangers; readonly stale: readonly Reservation[] } {
  const unknown = reservations.filter((one) => !known.has(one.sandboxId));
  const strangers = new Map(unknown.map((one) => [one.sandboxId, before.get(one.sandboxId) ?? now]));
  return { strangers, stale: unknown.filter((one) => now - (strangers.get(one.sandboxId) ?? now) >= patienceMs) };
}
