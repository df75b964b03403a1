/** ResourceQuotas: how much there is of what they limit. */
import { keyOf, objectKey, parseKey, type ObjectKey, type Stored } from '../../contracts/objects/index.ts';
import { planQuota } from '../core/quota/ledger.ts';
import { COUNTED_KINDS } from '../core/quota/usage.ts';
import type { Decision } from '../core/step.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const quota = view.get(objectKey('ResourceQuota', namespace, name));
  return quota ? planQuota(quota, view, now) : { steps: [] };
}

function quotasBeside({ metadata }: Stored, view: StoreView): readonly ObjectKey[] {
  return view.list('ResourceQuota', metadata.namespace).map(keyOf);
}

export const resourceQuotaController: Controller = {
  name: 'resourcequota-controller',
  kind: 'ResourceQuota',
  watches: Object.fromEntries(COUNTED_KINDS.map((kind) => [kind, quotasBeside])),
  decide,
};
