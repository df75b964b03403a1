/**
 * Kinds of which a node tells the object in its inventory, in this order: what only nodes know after the store was lost
 * is in these. Of all else that it holds it tells the keys. Free of schemas: a node agent uses it.
 */
import type { Claim } from './inventory.ts';

export const CLAIMED_KINDS = [
  'Source',
  'Node',
  'PersistentVolume',
  'Service',
  'Pod',
] as const satisfies readonly Claim['kind'][];
