/** Which nodes run a proxy. */
import {
  conditionIsTrue,
  internalIP,
  labelsInclude,
  type StoredNode,
  type StoredProxyConfig,
} from '../../../contracts/objects/index.ts';
import type { GatewayNode } from './world.ts';

/** Of taints with these beginnings: a node that has them for a time goes on to serve. */
const PASSING = 'node.kubernetes.io/';

/**
 * Those with the labels, and where none are asked for, all that pods may be placed on. One that is cordoned, drained or not
 * heard goes on to serve whom it serves; people are no longer sent there.
 */
export function gatewayNodes(
  nodes: readonly StoredNode[],
  selector: Readonly<Record<string, string>> | undefined,
  configOf: (node: string) => StoredProxyConfig | undefined,
): readonly GatewayNode[] {
  return nodes
    .filter((node) => (selector ? labelsInclude(node.metadata.labels, selector) : takesPods(node)))
    .flatMap((node): GatewayNode[] => {
      const address = internalIP(node);
      if (address === undefined) return [];
      const isPublished =
        conditionIsTrue(node.status?.conditions, 'Ready') &&
        node.spec.unschedulable !== true &&
        node.metadata.deletionTimestamp === undefined;
      const { name } = node.metadata;
      return [
        { name, address, isPublished, proxy: node.status?.proxy, generation: configOf(name)?.metadata.generation },
      ];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function takesPods({ spec }: StoredNode): boolean {
  return !(spec.taints ?? []).some(({ key, effect }) => effect !== 'PreferNoSchedule' && !key.startsWith(PASSING));
}
