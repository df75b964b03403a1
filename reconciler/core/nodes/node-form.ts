/** What other nodes need of a Node. */
import { HOSTNAME_LABEL, OS_LABEL, type Node, type Stored } from '../../../contracts/objects/index.ts';

/**
 * Routes need a node's pod range, address and WireGuard key, the holders of load balancers' addresses its labels; but for
 * those that its name tells, or that all have. Its owner is a Machine, which is read from Git again after a recovery.
 */
export function nodeForRoutes(node: Stored<Node>): Node {
  const { name, uid, resourceVersion, creationTimestamp } = node.metadata;
  const { addresses, wireguard } = node.status ?? {};
  const { [HOSTNAME_LABEL]: _hostname, [OS_LABEL]: _os, ...labels } = node.metadata.labels ?? {};
  return {
    apiVersion: node.apiVersion,
    kind: node.kind,
    metadata: {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      ...(Object.keys(labels).length > 0 && { labels }),
    },
    spec: node.spec.podCIDR === undefined ? {} : { podCIDR: node.spec.podCIDR },
    ...((addresses ?? wireguard) && {
      status: { ...(addresses && { addresses }), ...(wireguard && { wireguard }) },
    }),
  };
}
