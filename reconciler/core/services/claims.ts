/** What of a cluster only one Service may have, or those that share it: by it Services are looked up. */
import {
  clusterIPsOf,
  findCondition,
  loadBalancerAddresses,
  mayHaveNodePorts,
  type StoredService,
} from '../../../contracts/objects/index.ts';

/** False while an address or port that the Service needs cannot be given. */
export const ALLOCATED = 'AddressesAllocated';

/** An address in the cluster, a port of the nodes, an address of a load balancer; `unmet` of those that wait for any. */
export type Claim = `address ${string}` | `port ${number}` | `balancer ${string}` | 'unmet';

/** Who has what; the Service that is asked for is not among them. */
export interface Holders {
  of(claim: Claim): readonly StoredService[];
}

export function claimsOf(service: StoredService): readonly Claim[] {
  return [
    ...clusterIPsOf(service.spec).map((address): Claim => `address ${address}`),
    ...(mayHaveNodePorts(service.spec) ? nodePortsOf(service).map((port): Claim => `port ${port}`) : []),
    ...loadBalancerAddresses(service).map((address): Claim => `balancer ${address}`),
    ...(findCondition(service.status?.conditions, ALLOCATED) ? ['unmet' as const] : []),
  ];
}

/** All ports of the nodes that a Service has. */
export function nodePortsOf({ spec }: Pick<StoredService, 'spec'>): readonly number[] {
  return [...spec.ports.map(({ nodePort }) => nodePort), spec.healthCheckNodePort].filter((port) => port !== undefined);
}
