/** ResourceQuota: how many objects a namespace may have, and how much its pods and claims may take. */
import { KINDS, type ResourceQuota } from '../../../contracts/objects/index.ts';
import { healthy, progressing, type Health } from '../health/health.ts';
import { checkResourceQuota } from '../manifests/checks/check-resource-quota.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const RESOURCE_QUOTA: KindDescriptor<'ResourceQuota'> = {
  identity: KINDS.ResourceQuota,
  wave: 1,
  categories: [],
  columns: [NAME, { heading: 'REQUEST', cell: usage }, AGE],
  listed: 'by key',
  check: { object: checkResourceQuota },
  compared: { paths: ({ spec }) => Object.keys(spec.hard).map((resource) => ['spec', 'hard', resource]) },
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: { judge: quotaHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};

/** As kubectl prints it: `services: 1/5, count/deployments.apps: 2/10`. */
function usage({ status }: ResourceQuota): string {
  return Object.entries(status?.hard ?? {})
    .map(([resource, hard]) => `${resource}: ${new Map(Object.entries(status?.used ?? {})).get(resource) ?? 0}/${hard}`)
    .join(', ');
}

function quotaHealth(quota: ResourceQuota): Health {
  return quota.status
    ? healthy(usage(quota) || 'limits nothing')
    : progressing('its objects have not been counted yet');
}
