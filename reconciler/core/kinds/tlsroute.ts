/** TLSRoute: where TLS connections of a Gateway go, by the name that they ask for. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { HOSTNAMES, ROUTE } from './route-kind.ts';

export const TLS_ROUTE: KindDescriptor<'TLSRoute'> = {
  ...ROUTE,
  identity: KINDS.TLSRoute,
  columns: [NAME, HOSTNAMES, AGE],
};
