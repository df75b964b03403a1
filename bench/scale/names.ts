/** Names and addresses of the benchmark's nodes. */
import { join } from 'node:path';

/** Of the cluster in the store: its only Source. */
export const CLUSTER_NAME = 'scale';

export function nameOf(index: number): string {
  return `node-${index}`;
}

export function addressOf(index: number): string {
  return `172.${16 + Math.floor(index / 65_536)}.${Math.floor(index / 256) % 256}.${index % 256}`;
}

/** Fleets are counted from 1: a machine's port is its fleet's number. */
export function fleetSocket(dir: string, fleet: number): string {
  return join(dir, `fleet-${fleet}`);
}
