/** Health of any object: the judgement of its kind. */
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import { heldDeletion } from './held-deletion.ts';
import { healthy, type Health, type HealthView } from './health.ts';

/**
 * Health of a live object; `undefined` is one that should be there and is not. Kinds that merely hold data are healthy.
 */
export function objectHealth(object: KubeObject | undefined, view: HealthView): Health {
  if (!object) return { status: 'Missing', message: 'is not in the cluster' };
  const deletion = heldDeletion(object);
  if (deletion) return deletion;
  const { health, identity } = descriptorOf(object.kind);
  if (health === 'stored') return healthy(identity.namespaced ? 'is stored' : 'is in force');
  return health.judge(object, view);
}
