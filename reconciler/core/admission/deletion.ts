/**
 * The finalizer-aware delete. Source: Kubernetes, apiserver/pkg/registry/generic/registry/store.go (Delete,
 * deletionFinalizersForGarbageCollection, markAsDeleting, ShouldDeleteDuringUpdate) and registry/rest/delete.go
 * (BeforeDelete).
 */
import {
  STANDING_NAMESPACES,
  FOREGROUND_FINALIZER,
  isCustom,
  keyOf,
  NAMESPACE_FINALIZER,
  ORPHAN_FINALIZER,
  type AnyObject,
  type AnyStored,
} from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import type { DeletionPropagation } from '../step.ts';
import { kubeTime } from '../storage/object-form.ts';
import type { AdmittedWrite, DeleteRequest } from './request.ts';

/**
 * What a delete comes to: the object goes, it is marked and waits (for its node, for finalizers), or, undefined, it is
 * so already. `deletionTimestamp` is when the grace period ends; a later request can only shorten it, and while it runs
 * changes nothing else.
 *
 * A graceful object that has had its end, and is held by finalizers alone, has a `deletionTimestamp` and no
 * `deletionGracePeriodSeconds`: Kubernetes reads both that and 0 as "nothing to wait for", but a pod may ask for 0
 * seconds itself while its node still has to stop it.
 */
export function deletion(request: DeleteRequest): AdmittedWrite | undefined {
  const { old, now, propagation } = request;
  const { metadata } = old;
  const finalizers = withContents(old, withPropagation(metadata.finalizers ?? [], propagation));
  const own = request.gone || hasEnded(old) ? undefined : gracePeriodOf(old);
  if (own !== undefined) {
    const seconds = request.graceSeconds ?? own;
    const isMarked = metadata.deletionTimestamp !== undefined;
    if (isMarked && (metadata.deletionGracePeriodSeconds ?? 0) <= seconds) return undefined;
    const ends = new Date(now.getTime() + seconds * 1000);
    return mark(old, isMarked ? (metadata.finalizers ?? []) : finalizers, kubeTime(ends), seconds);
  }
  if (finalizers.length === 0)
    return { op: 'delete', key: keyOf(old), uid: metadata.uid, resourceVersion: metadata.resourceVersion };
  const seconds = gracePeriodOf(old) === undefined ? 0 : undefined;
  const isMarked =
    metadata.deletionTimestamp !== undefined &&
    metadata.deletionGracePeriodSeconds === seconds &&
    sameNames(metadata.finalizers ?? [], finalizers);
  return isMarked ? undefined : mark(old, finalizers, earlier(metadata.deletionTimestamp, kubeTime(now)), seconds);
}

/** Whether an update took the last reason away why an object that is being deleted is still there. */
export function isFinalized({ metadata }: AnyObject, old: AnyStored): boolean {
  return (
    old.metadata.deletionTimestamp !== undefined &&
    (old.metadata.finalizers ?? []).length > 0 &&
    (metadata.finalizers ?? []).length === 0 &&
    (gracePeriodOf(old) === undefined || hasEnded(old))
  );
}

/** The finalizers after a delete of that propagation; when it says none, those of the object decide. */
function withPropagation(
  finalizers: readonly string[],
  propagation: DeletionPropagation | undefined,
): readonly string[] {
  if (propagation === undefined) return finalizers;
  const others = finalizers.filter((name) => name !== ORPHAN_FINALIZER && name !== FOREGROUND_FINALIZER);
  switch (propagation) {
    case 'Background':
      return others;
    case 'Foreground':
      return [...others, FOREGROUND_FINALIZER];
    case 'Orphan':
      return [...others, ORPHAN_FINALIZER];
  }
}

/**
 * A Namespace waits for what is in it from the first request on. Kubernetes gives it the finalizer when it is made, in
 * `spec.finalizers`; set here, there is none to be lost before. What is in one that never goes stays, so it waits for nothing.
 */
function withContents(old: AnyStored, finalizers: readonly string[]): readonly string[] {
  const waits =
    !isCustom(old) &&
    descriptorOf(old.kind).deletion === 'after its contents' &&
    !STANDING_NAMESPACES.includes(old.metadata.name) &&
    old.metadata.deletionTimestamp === undefined;
  return waits && !finalizers.includes(NAMESPACE_FINALIZER) ? [...finalizers, NAMESPACE_FINALIZER] : finalizers;
}

/** Undefined where nothing has to be carried out before the object can go. */
function gracePeriodOf(object: AnyStored): number | undefined {
  if (isCustom(object)) return undefined;
  const { deletion: end } = descriptorOf(object.kind);
  return typeof end === 'string' ? undefined : end.graceSeconds(object);
}

function hasEnded({ metadata }: AnyStored): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    metadata.deletionGracePeriodSeconds === undefined &&
    (metadata.finalizers ?? []).length > 0
  );
}

function mark(
  old: AnyStored,
  finalizers: readonly string[],
  deletionTimestamp: string,
  seconds: number | undefined,
): AdmittedWrite {
  const { finalizers: _names, deletionGracePeriodSeconds: _seconds, ...metadata } = old.metadata;
  return {
    op: 'update',
    object: {
      ...old,
      metadata: {
        ...metadata,
        deletionTimestamp,
        ...(seconds !== undefined && { deletionGracePeriodSeconds: seconds }),
        ...(finalizers.length > 0 && { finalizers: [...finalizers] }),
      },
    },
  };
}

/** Both as {@link kubeTime} writes them. */
function earlier(set: string | undefined, now: string): string {
  return set !== undefined && set < now ? set : now;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
