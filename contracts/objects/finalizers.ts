/** Finalizers of the garbage collector. Source: Kubernetes, meta/v1 FinalizerDeleteDependents, FinalizerOrphanDependents. */

/** What the object owns goes before it. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';
/** What the object owns stays without it. */
export const ORPHAN_FINALIZER = 'orphan';
