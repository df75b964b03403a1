/** Free of schemas: a node agent uses it. */
import type { Node } from './nodes.ts';

/** The one address that other nodes reach this node at, or undefined before it first reported. */
export function internalIP(node: Node): string | undefined {
  return node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
}
