/** NetworkPolicy: which connections pods take and open. */
import { KINDS, type NetworkPolicy } from '../../../contracts/objects/index.ts';
import { checkNetworkPolicy } from '../manifests/checks/check-network-policy.ts';
import { AGE, labelsText, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const NETWORK_POLICY: KindDescriptor<'NetworkPolicy'> = {
  identity: KINDS.NetworkPolicy,
  wave: 2,
  categories: [],
  columns: [NAME, { heading: 'POD-SELECTOR', cell: (policy) => selectorText(policy) }, AGE],
  listed: 'by key',
  check: { object: checkNetworkPolicy },
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: { of: ({ spec }) => spec.podSelector },
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: {
    how: 'shared',
    form: ({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion, creationTimestamp }, spec }) => ({
      apiVersion,
      kind,
      metadata: { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion, creationTimestamp },
      spec,
    }),
  },
  // Before nodes are told anything: without it they would open what it closes.
  recovery: { from: 'git', order: 15 },
  subresources: [],
};

/** As kubectl: labels, then expressions. */
function selectorText({ spec: { podSelector } }: NetworkPolicy): string {
  const terms = (podSelector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  const labels = Object.keys(podSelector.matchLabels ?? {}).length > 0 ? [labelsText(podSelector.matchLabels)] : [];
  return [...labels, ...terms].join(',') || NONE;
}
