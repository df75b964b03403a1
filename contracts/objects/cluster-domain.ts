/** The domain of the cluster's names. Free of schemas: a node agent uses it. */
import type { Cluster } from './own.ts';

/** Kubernetes' default of `--cluster-domain`. */
export const DEFAULT_CLUSTER_DOMAIN = 'cluster.local';

/** `cluster`: where there is one. */
export function clusterDomain(cluster: Pick<Cluster, 'spec'> | undefined): string {
  return cluster?.spec.dns?.domain ?? DEFAULT_CLUSTER_DOMAIN;
}
