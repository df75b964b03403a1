/**
 * ResourceQuota. Source: Kubernetes, ValidateResourceQuotaSpec, and IsResourceQuotaScopeValidForResource in
 * pkg/apis/core/helper/helpers.go.
 */
import { parseQuantity, type QuotaScope, type ResourceQuota } from '../../../../contracts/objects/index.ts';
import { amountOf, isCount } from '../../quota/amounts.ts';
import { kindOfResource, LIMITABLE } from '../../quota/usage.ts';
import { andMore } from '../../and-more.ts';
import type { CheckContext } from './context.ts';

const OPPOSITES: readonly (readonly [QuotaScope, QuotaScope])[] = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];
const COMPUTE = ['cpu', 'memory'].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]);
/** Of the resources with names of their own; huge pages, extended resources and `count/` go with every scope. */
const FREE = /^(count\/|(requests\.)?hugepages-|requests\.[^/]+\/)/;

export function checkResourceQuota({ spec }: ResourceQuota, { error, closest }: CheckContext): void {
  for (const [resource, hard] of Object.entries(spec.hard)) {
    const at = ['spec', 'hard', resource];
    if (!kindOfResource(resource)) {
      const close = closest(resource, () => LIMITABLE);
      const hint = close ? `did you mean ${close}?` : `remove it; what can be limited: ${andMore(LIMITABLE, 12)}`;
      error('UnsupportedField', at, 'is nothing that is counted', hint);
    } else if (parseQuantity(hard) < 0) error('InvalidValue', at, `must not be negative, found ${hard}`);
    else if (isCount(resource) && amountOf(resource, hard) !== parseQuantity(hard))
      error('InvalidValue', at, 'must be a whole number, as it counts pieces');
  }
  const selected = spec.scopeSelector?.matchExpressions ?? [];
  for (const [index, { scopeName, operator, values = [] }] of selected.entries()) {
    const at = ['spec', 'scopeSelector', 'matchExpressions', index];
    if (scopeName !== 'PriorityClass' && operator !== 'Exists')
      error('InvalidValue', [...at, 'operator'], `must be Exists for ${scopeName}, found ${operator}`);
    const needsValues = operator === 'In' || operator === 'NotIn';
    if (needsValues && values.length === 0) error('MissingField', at, `needs values where operator is ${operator}`);
    else if (!needsValues && values.length > 0)
      error('InvalidValue', [...at, 'values'], `must be empty where operator is ${operator}`);
  }
  const lists: readonly (readonly [readonly string[], readonly QuotaScope[]])[] = [
    [['spec', 'scopes'], spec.scopes ?? []],
    [['spec', 'scopeSelector', 'matchExpressions'], selected.map(({ scopeName }) => scopeName)],
  ];
  for (const [path, scopes] of lists) {
    for (const [one, other] of OPPOSITES)
      if (scopes.includes(one) && scopes.includes(other))
        error('InvalidValue', path, `has ${one} and ${other}: no pod is both`);
    for (const scope of scopes)
      for (const resource of Object.keys(spec.hard))
        if (!goesWith(scope, resource))
          error(
            'InvalidValue',
            ['spec', 'hard', resource],
            `cannot be limited for ${scope}`,
            scope === 'BestEffort' ? 'such a quota limits pods' : `it limits pods, ${COMPUTE.join(', ')}`,
          );
  }
}

function goesWith(scope: QuotaScope, resource: string): boolean {
  if (FREE.test(resource) || resource === 'pods' || !kindOfResource(resource)) return true;
  return scope !== 'BestEffort' && COMPUTE.includes(resource);
}
