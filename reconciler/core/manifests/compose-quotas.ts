/**
 * ResourceQuotas against the objects of their namespaces. A commit that has more than a quota allows is refused whole,
 * before anything of it is written; what is live already stays.
 */
import type { Kind, KubeObject, ResourceQuota } from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import { amountOf, LIMITABLE } from '../quota/object-counts.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import { suggest } from './suggest.ts';
import type { DesiredObject, DesiredState } from './types.ts';

type Quota = DesiredObject & { readonly object: ResourceQuota };

export function checkQuotas(state: DesiredState, tell: Tell): void {
  const objects = [...state.values()].map(({ object }) => object);
  for (const quota of state.values()) if (isQuota(quota)) checkQuota(quota, objects, tell);
}

function checkQuota(quota: Quota, objects: readonly KubeObject[], tell: Tell): void {
  const { metadata, spec } = quota.object;
  const list = (kind: Kind): readonly KubeObject[] =>
    objects.filter((object) => object.kind === kind && object.metadata.namespace === metadata.namespace);
  for (const [resource, hard] of Object.entries(spec.hard)) {
    const at = positionOf(quota, 'spec', 'hard', resource);
    const amount = amountOf(resource, list);
    if (amount === undefined) {
      const close = suggest(resource, LIMITABLE);
      const hint = close ? `did you mean ${close}?` : `remove it; what can be limited: ${andMore(LIMITABLE, 12)}`;
      tell('error', 'UnsupportedField', at, `spec.hard.${resource} is not enforced yet`, hint);
    } else if (!/^\d{1,9}$/.test(hard))
      tell('error', 'InvalidValue', at, `spec.hard.${resource} must be a whole number, as it counts objects`);
    else if (amount > Number(hard))
      tell(
        'error',
        'QuotaExceeded',
        at,
        `namespace ${metadata.namespace ?? ''} has ${amount} of ${resource}, and ResourceQuota ${metadata.name} allows ${hard}`,
        'remove some of them, or raise the quota',
      );
  }
}

function isQuota(desired: DesiredObject): desired is Quota {
  return desired.object.kind === 'ResourceQuota';
}
