/** Whether two Machines are one server. */
import type { MachineSpec } from '../../../contracts/objects/index.ts';

type Place = Pick<MachineSpec, 'address' | 'port' | 'hostKey'>;

/**
 * Of two of one name. One with the same host key has moved; one with another where it was had its system installed
 * anew. Where both differ another server has taken the name.
 */
export function isSameHost(a: Place, b: Place): boolean {
  return a.hostKey === b.hostKey || isSamePlace(a, b);
}

/** Of two of any name: servers that were made from one image may share a host key. */
export function isSamePlace(a: Place, b: Place): boolean {
  return a.address === b.address && a.port === b.port;
}
