/** What `plumb get` shows of objects: the columns of their kind. */
import type { Kind, Node, ObjectsByKind, Pod } from '../../contracts/objects/index.ts';
import { findCondition } from '../../contracts/objects/index.ts';
import { age } from '../../reconciler/core/kinds/columns.ts';
import { DESCRIPTORS, type KindDescriptor } from '../../reconciler/core/kinds/index.ts';

/** What must be said of the nodes under these pods that are not heard, by their names. */
export function unheardNodes(nodes: readonly Node[], pods: readonly Pod[], now: Date): ReadonlyMap<string, string> {
  const used = new Set(pods.map((pod) => pod.spec.nodeName));
  return new Map(
    nodes
      .filter(
        (node) =>
          used.has(node.metadata.name) &&
          (findCondition(node.status?.conditions, 'Ready')?.status ?? 'Unknown') === 'Unknown',
      )
      .map((node) => {
        const { name } = node.metadata;
        const heard = findCondition(node.status?.conditions, 'Ready')?.lastHeartbeatTime;
        return [
          name,
          heard === undefined
            ? `node ${name} was not heard yet (Unknown): its pods are shown as they were left`
            : `node ${name} was last heard ${age(heard, now)} ago (Unknown): its pods are shown as they were then`,
        ];
      }),
  );
}

/** How objects are listed. */
export interface Listing {
  readonly wide: boolean;
  readonly namespace: boolean;
  readonly now: Date;
  /** Nodes that are not heard; none when absent. */
  readonly unheard?: ReadonlySet<string>;
}

/** Headings and rows for objects of one kind. */
export function rowsOf<K extends Kind>(
  kind: K,
  objects: readonly ObjectsByKind[K][],
  { wide, namespace, now, unheard = new Set() }: Listing,
): { headings: string[]; rows: string[][] } {
  const descriptor: KindDescriptor<K> = DESCRIPTORS[kind];
  const columns = descriptor.columns.filter((column) => wide || column.wide !== true);
  return {
    headings: [...(namespace ? ['NAMESPACE'] : []), ...columns.map((column) => column.heading)],
    rows: objects.map((object) => [
      ...(namespace ? [object.metadata.namespace ?? ''] : []),
      ...columns.map((column) => column.cell(object, { now, unheard })),
    ]),
  };
}
