/** What other nodes need of a Node. */
import type { Node, Stored } from '../../../contracts/objects/index.ts';

/**
 * Routes need a node's pod range and address. Its owner is a Machine, which is read from Git again after a recovery.
 */
export function nodeForRoutes(node: Stored<Node>): Node {
  const { name, uid, resourceVersion, creationTimestamp } = node.metadata;
  return {
    apiVersion: node.apiVersion,
    kind: node.kind,
    metadata: { name, uid, resourceVersion, creationTimestamp },
    spec: node.spec.podCIDR === undefined ? {} : { podCIDR: node.spec.podCIDR },
    ...(node.status?.addresses && { status: { addresses: node.status.addresses } }),
  };
}
