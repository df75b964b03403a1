/** GRPCRoute: which gRPC calls of a Gateway go to which Services. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { HOSTNAMES, ROUTE } from './route-kind.ts';

export const GRPC_ROUTE: KindDescriptor<'GRPCRoute'> = {
  ...ROUTE,
  identity: KINDS.GRPCRoute,
  columns: [NAME, HOSTNAMES, AGE],
};
