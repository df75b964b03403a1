/**
 * ResourceQuotas against the objects of their namespaces. A commit that has more than a quota allows is refused whole,
 * before anything of it is written; what is live already stays.
 */
import type { Kind, ResourceQuota } from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import { groupBy } from '../group-by.ts';
import { amountOf, LIMITABLE } from '../quota/object-counts.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { Suggestions } from './suggest.ts';
import type { DesiredObject, DesiredState } from './types.ts';

type Quota = DesiredObject & { readonly object: ResourceQuota };

export function checkQuotas(state: DesiredState, suggestions: Suggestions, tell: Tell): void {
  const quotas = [...state.values()].filter(isQuota);
  if (quotas.length === 0) return;
  const amountIn = amountsOf(state);
  for (const quota of quotas) checkQuota(quota, amountIn, suggestions, tell);
}

/** How much of a resource a namespace has; undefined for one that is not counted. */
type AmountIn = (namespace: string | undefined, resource: string) => number | undefined;

/** Looks at each object once, and counts each resource once, however many quotas there are. */
function amountsOf(state: DesiredState): AmountIn {
  const placeOf = (kind: Kind, namespace = ''): string => `${namespace}/${kind}`;
  const objects = groupBy(
    [...state.values()].map(({ object }) => object),
    ({ kind, metadata }) => placeOf(kind, metadata.namespace),
  );
  const counted = new Map<string, number | undefined>();
  return (namespace = '', resource) => {
    const place = `${namespace}/${resource}`;
    if (!counted.has(place))
      counted.set(
        place,
        amountOf(resource, (kind) => objects.get(placeOf(kind, namespace)) ?? []),
      );
    return counted.get(place);
  };
}

function checkQuota(quota: Quota, amountIn: AmountIn, suggestions: Suggestions, tell: Tell): void {
  const { metadata, spec } = quota.object;
  for (const [resource, hard] of Object.entries(spec.hard)) {
    const at = positionOf(quota, 'spec', 'hard', resource);
    const amount = amountIn(metadata.namespace, resource);
    if (amount === undefined) {
      const close = suggestions.closest(resource, () => LIMITABLE);
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
