/** BackendTLSPolicy: how the certificate of a Service is verified. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { policyHealth } from '../health/gateway.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { ROUTE } from './route-kind.ts';

export const BACKEND_TLS_POLICY: KindDescriptor<'BackendTLSPolicy'> = {
  ...ROUTE,
  identity: KINDS.BackendTLSPolicy,
  columns: [NAME, AGE],
  health: { judge: policyHealth, shown: 'when not healthy' },
};
