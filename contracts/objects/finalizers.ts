/** Finalizers that are Kubernetes' own. Source: meta/v1 FinalizerDeleteDependents, FinalizerOrphanDependents. */

/** What the object owns goes before it. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';
/** What the object owns stays without it. */
export const ORPHAN_FINALIZER = 'orphan';
/** Keeps a Namespace until nothing is in it. Source: Kubernetes, FinalizerKubernetes. */
export const NAMESPACE_FINALIZER = 'kubernetes';
/**
 * Keeps a CustomResourceDefinition until the last of its objects is gone. Source: Kubernetes,
 * CustomResourceCleanupFinalizer.
 */
export const CRD_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';
/** Keeps a claim while a pod uses it. Source: Kubernetes, pkg/volume/util PVCProtectionFinalizer. */
export const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';
/** Keeps a volume while it is bound. Source: Kubernetes, pkg/volume/util PVProtectionFinalizer. */
export const VOLUME_PROTECTION = 'kubernetes.io/pv-protection';
