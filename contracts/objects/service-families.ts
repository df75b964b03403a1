/**
 * Which address families a Service has. Source: Kubernetes pkg/registry/core/service/storage/alloc.go
 * (initIPFamilyFields). Free of schemas: a node agent uses it.
 */
import { familyOf, type Family } from '../ip.ts';
import type { ServiceSpec } from './services.ts';

type Of = Pick<ServiceSpec, 'clusterIP' | 'clusterIPs' | 'ipFamilies' | 'ipFamilyPolicy' | 'selector' | 'type'>;

/** Its addresses, the first as `clusterIP`; none of a headless one, and of one that has none yet. */
export function clusterIPsOf(spec: Pick<ServiceSpec, 'clusterIP' | 'clusterIPs'>): readonly string[] {
  if (spec.clusterIP === undefined || spec.clusterIP === 'None') return [];
  return spec.clusterIPs ?? [spec.clusterIP];
}

/** Its address of that family. */
export function clusterIPOf(spec: Pick<ServiceSpec, 'clusterIP' | 'clusterIPs'>, family: Family): string | undefined {
  return clusterIPsOf(spec).find((address) => familyOf(address) === family);
}

/**
 * Those that a Service is to have in a cluster of these families, in order: what it says, what its addresses say, else
 * the cluster's first; and the other one where it wants both, and the cluster has both.
 */
export function serviceFamilies(spec: Of, cluster: readonly Family[]): readonly Family[] {
  if (spec.type === 'ExternalName') return [];
  const said = spec.ipFamilies?.length
    ? spec.ipFamilies
    : [...new Set(clusterIPsOf(spec).map((address) => familyOf(address) ?? 'IPv4'))];
  const first = said[0] ?? cluster[0] ?? 'IPv4';
  if (!wantsBoth(spec)) return [first];
  return [first, ...cluster.filter((family) => family !== first)];
}

/** Whether it wants both families, of a cluster that has both. */
function wantsBoth({ ipFamilyPolicy, ipFamilies, clusterIPs, clusterIP, selector }: Of): boolean {
  if (ipFamilyPolicy !== undefined) return ipFamilyPolicy !== 'SingleStack';
  if ((ipFamilies?.length ?? 0) > 1 || (clusterIPs?.length ?? 0) > 1) return true;
  // What is behind it is the user's to say.
  return clusterIP === 'None' && Object.keys(selector ?? {}).length === 0;
}
