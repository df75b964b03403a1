/** ClusterIssuer: who issues certificates of all namespaces. */
import { KINDS } from '../../../contracts/objects/index.ts';
import type { KindDescriptor } from './descriptor.ts';
import { ISSUER_KIND } from './issuer-kind.ts';

export const CLUSTER_ISSUER: KindDescriptor<'ClusterIssuer'> = { identity: KINDS.ClusterIssuer, ...ISSUER_KIND };
