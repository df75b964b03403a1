/** Finalizers of the garbage collector. Source: Kubernetes, meta/v1 FinalizerDeleteDependents, FinalizerOrphanDependents. */

/** What the object owns goes before it. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';
/** What the object owns stays without it. */
export const ORPHAN_FINALIZER = 'orphan';
/** Keeps a CustomResourceDefinition until the last of its objects is gone. Source: Kubernetes, CustomResourceCleanupFinalizer. */
export const CRD_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';
