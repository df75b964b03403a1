/** Health of claims and volumes. */
import { findCondition, type PersistentVolume, type PersistentVolumeClaim } from '../../../contracts/objects/index.ts';
import { growthOf } from '../volumes/growth.ts';
import { degraded, healthy, progressing, type Health } from './health.ts';

/**
 * A claim that waits for its first pod is as it should be: what waits with it is the pod. One whose volume is gone says
 * so, as data is gone with it.
 */
export function claimHealth(claim: PersistentVolumeClaim): Health {
  const { spec, status } = claim;
  const binding = findCondition(status?.conditions, 'Binding');
  const growth = growthOf(claim);
  if (growth) return progressing(`has ${growth.from} and is to have ${growth.to}: ${growth.message}`);
  if (status?.phase === 'Bound') return healthy(`is bound to ${spec.volumeName ?? ''}`);
  if (status?.phase === 'Lost') return degraded(`has lost its volume ${spec.volumeName ?? ''}`);
  if (binding?.reason === 'WaitForFirstConsumer') return healthy('waits for the first pod that uses it');
  return progressing(binding?.message ?? 'waits for a volume');
}

export function volumeHealth({ spec, status }: PersistentVolume): Health {
  const claim = spec.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '';
  switch (status?.phase) {
    case 'Bound':
      return healthy(`is bound to ${claim}`);
    case 'Available':
      return healthy('is available');
    case 'Released':
      return healthy(`keeps what ${claim} left`);
    case 'Failed':
      return degraded(status.message ?? status.reason ?? 'has failed');
    default:
      return progressing('has not been looked at yet');
  }
}
