/** TCPRoute: where connections to a port of a Gateway go. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { ROUTE } from './route-kind.ts';

export const TCP_ROUTE: KindDescriptor<'TCPRoute'> = {
  ...ROUTE,
  identity: KINDS.TCPRoute,
  columns: [NAME, AGE],
};
