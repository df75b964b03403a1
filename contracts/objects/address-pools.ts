/** Which addresses a pool has. Free of schemas: a node agent uses it. */
import { addressBlock, isAddress, parseAddress, rangeHolds } from '../ipv4.ts';
import type { IPAddressPool } from './load-balancers.ts';

export function poolHas({ spec }: IPAddressPool, address: string): boolean {
  if (!isAddress(address) || (spec.avoidBuggyIPs && isBuggyAddress(parseAddress(address)))) return false;
  return spec.addresses.some((text) => {
    const block = addressBlock(text);
    return block !== undefined && rangeHolds(block, parseAddress(address));
  });
}

/** Whether it ends in .0 or .255, which some old devices take for a broadcast. */
export function isBuggyAddress(address: number): boolean {
  return address % 256 === 0 || address % 256 === 255;
}
