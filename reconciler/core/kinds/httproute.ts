/** HTTPRoute: which requests of a Gateway go to which Services. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { HOSTNAMES, ROUTE } from './route-kind.ts';

export const HTTP_ROUTE: KindDescriptor<'HTTPRoute'> = {
  ...ROUTE,
  identity: KINDS.HTTPRoute,
  columns: [NAME, HOSTNAMES, AGE],
};
