/** Namespace: what is in it goes with it. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkNamespace } from '../manifests/checks/check-namespace.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const NAMESPACE: KindDescriptor<'Namespace'> = {
  identity: KINDS.Namespace,
  wave: 0,
  categories: [],
  columns: [NAME, { heading: 'STATUS', cell: (n) => n.status?.phase ?? 'Active' }, AGE],
  listed: 'by key',
  check: { object: checkNamespace },
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: 'stored',
  deletion: 'after its contents',
  fixed: [],
  sealed: [],
  // Its labels: pods of this node that policies know by their namespace.
  reach: {
    how: 'shared',
    form: ({ apiVersion, kind, metadata: { name, uid, resourceVersion, creationTimestamp, labels } }) => ({
      apiVersion,
      kind,
      metadata: { name, uid, resourceVersion, creationTimestamp, ...(labels && { labels }) },
    }),
  },
  // Before nodes are told anything: a policy that knows pods by their namespace would close what it allows.
  recovery: { from: 'git', order: 5 },
  subresources: [],
};
