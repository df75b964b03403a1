/** Free of schemas: a node agent uses it. */
import { isOfFamily, type Family } from '../ip.ts';
import type { Node } from './nodes.ts';

/** The address that other nodes reach this node at, or undefined before it first reported. */
export function internalIP(node: Node): string | undefined {
  return node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
}

/** As {@link internalIP}, of one family. Of IPv6 a node may have none for good. */
export function internalIPOf(node: Node, family: Family): string | undefined {
  return node.status?.addresses?.find((a) => a.type === 'InternalIP' && isOfFamily(family, a.address))?.address;
}
