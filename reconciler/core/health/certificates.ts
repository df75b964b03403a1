/** Health of Certificates and issuers, by what their controller says of them. */
import { findCondition, type Certificate, type ClusterIssuer, type Issuer } from '../../../contracts/objects/index.ts';
import { degraded, healthy, progressing, type Health } from './health.ts';

export function certificateHealth({ status }: Certificate): Health {
  const ready = findCondition(status?.conditions, 'Ready');
  const issuing = findCondition(status?.conditions, 'Issuing');
  if (issuing?.status === 'False') return degraded(issuing.message ?? 'could not be issued');
  if (ready?.status === 'True') return healthy(ready.message ?? 'ready');
  if (issuing?.status === 'True') return progressing(issuing.message ?? 'is being issued');
  return ready ? degraded(ready.message ?? 'is not ready') : progressing('waits for its controller');
}

export function issuerHealth({ status }: Issuer | ClusterIssuer): Health {
  const ready = findCondition(status?.conditions, 'Ready');
  if (!ready) return progressing('waits for its controller');
  return ready.status === 'True'
    ? healthy(ready.message === undefined || ready.message === '' ? 'ready' : ready.message)
    : degraded(ready.message ?? 'is not ready');
}
