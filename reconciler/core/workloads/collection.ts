/**
 * Garbage collection by owner: an object goes when all its owners are gone, and with an owner that waits for it.
 * Source of the rules: Kubernetes, pkg/controller/garbagecollector/garbagecollector.go (attemptToDeleteItem,
 * isDangling, classifyReferences, processDeletingDependentsItem, attemptToOrphanWorker).
 */
import {
  FOREGROUND_FINALIZER,
  isCustom,
  isCustomKey,
  KINDS,
  keyOf,
  ORPHAN_FINALIZER,
  type AnyKey,
  type AnyStored,
  type Kind,
  type OwnerReference,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { objectAt, type AnyReader, type CustomView } from '../kinds/custom.ts';
import type { AnyDecision, AnyStep } from '../step.ts';
import { ownerKey } from './owners.ts';

/** The live objects and who owns whom; the process's view of the store is one. */
export interface OwnershipReader extends AnyReader {
  readonly custom: Pick<CustomView, 'kinds' | 'get' | 'dependents' | 'isGone'>;
  dependents<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
}

/** Kinds that own or are owned. An Event regards its object, and goes by its age. */
export const COLLECTED_KINDS: readonly Kind[] = (Object.keys(KINDS) as Kind[]).filter((kind) => kind !== 'Event');

/** Dependents that one pass lets go of; the next pass takes the others. */
const RELEASED_AT_ONCE = 500;
/** A dependent may stop holding its owner up without being deleted: then nothing tells of it. */
const LOOK_AGAIN_MS = 1000;
const NONE: AnyDecision = { steps: [] };

/** The object is being deleted, and goes when those that it owns have gone. */
export function waitsForDependents({ metadata }: AnyStored): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(FOREGROUND_FINALIZER);
}

/** One look at one object, as a dependent or, while it is being deleted, as an owner. */
export function planCollection(object: AnyStored, reader: OwnershipReader, abandoned: readonly string[]): AnyDecision {
  return object.metadata.deletionTimestamp === undefined
    ? planDependent(object, reader)
    : planEndingOwner(object, reader, abandoned);
}

/** Finalizers of an object that is being deleted, of which the settings say that nobody will remove them. */
export function abandonedOf({ metadata }: AnyStored, abandoned: readonly string[]): readonly string[] {
  return metadata.deletionTimestamp === undefined || abandoned.length === 0
    ? []
    : (metadata.finalizers ?? []).filter((name) => abandoned.includes(name));
}

function planEndingOwner(owner: AnyStored, reader: OwnershipReader, abandoned: readonly string[]): AnyDecision {
  const finalizers = owner.metadata.finalizers ?? [];
  if (finalizers.includes(ORPHAN_FINALIZER)) {
    const dependents = dependentsOf(owner, reader);
    // Not in one pass with the last of them: one that could not be written would be collected after its owner.
    if (dependents.length === 0) return { steps: [withoutFinalizers(owner, [ORPHAN_FINALIZER])] };
    return {
      steps: dependents.slice(0, RELEASED_AT_ONCE).map((dependent) => withoutOwners(dependent, [owner.metadata.uid])),
      requeueAfterMs: 1,
    };
  }
  const given = [...abandonedOf(owner, abandoned)];
  const isWaiting = finalizers.includes(FOREGROUND_FINALIZER);
  const blocked = isWaiting && dependentsOf(owner, reader).some((dependent) => blocks(dependent, owner.metadata.uid));
  if (isWaiting && !blocked) given.push(FOREGROUND_FINALIZER);
  return {
    steps: given.length > 0 ? [withoutFinalizers(owner, given)] : [],
    ...(blocked && { requeueAfterMs: LOOK_AGAIN_MS }),
  };
}

function planDependent(object: AnyStored, reader: OwnershipReader): AnyDecision {
  const references = object.metadata.ownerReferences ?? [];
  if (references.length === 0) return NONE;
  const by: Record<ReturnType<typeof classify>, string[]> = { solid: [], dangling: [], waiting: [] };
  for (const reference of references) by[classify(reference, object, reader)].push(reference.uid);
  if (by.solid.length > 0) {
    const needless = [...by.dangling, ...by.waiting];
    return needless.length === 0 ? NONE : { steps: [withoutOwners(object, needless)] };
  }
  const dependents = by.waiting.length > 0 ? dependentsOf(object, reader) : [];
  const { uid } = object.metadata;
  if (dependents.length === 0) return { steps: [{ do: 'delete', key: keyOf(object), uid }] };
  return {
    steps: [
      // Objects that own one another in a circle would wait for one another for ever.
      ...(dependents.some(waitsForDependents) ? [withoutBlocking(object)] : []),
      { do: 'delete', key: keyOf(object), uid, propagation: 'Foreground' },
    ],
  };
}

/**
 * Solid: the owner is there, or is nothing that we can judge: of a kind that is not registered, and not seen to go. Dangling: there is no such owner; one of that name with
 * another uid is another object.
 */
function classify(
  reference: OwnerReference,
  object: AnyStored,
  reader: OwnershipReader,
): 'solid' | 'dangling' | 'waiting' {
  const { namespace } = object.metadata;
  // Its kind may have gone right after it: what was seen to go is not looked for (absentOwnerCache).
  if (reader.custom.isGone(reference.uid, namespace)) return 'dangling';
  const key = ownerKey(namespace, reference, reader.custom.kinds);
  if (key === undefined) return 'solid';
  const owner = objectAt(reader, key);
  if (!owner || (owner.metadata.uid !== reference.uid && !comesBackBefore(object, key))) return 'dangling';
  return waitsForDependents(owner) ? 'waiting' : 'solid';
}

/**
 * After a loss of the store a pod comes back from its node, and names the uid that its owner had; an owner of a custom
 * kind comes from Git, with a new one.
 */
function comesBackBefore(object: AnyStored, owner: AnyKey): boolean {
  return isCustomKey(owner) && !isCustom(object) && object.kind === 'Pod';
}

/** Those that name a namespaced owner from another namespace do not count: it is no owner of theirs. */
function dependentsOf(owner: AnyStored, reader: OwnershipReader): readonly AnyStored[] {
  const { uid, namespace } = owner.metadata;
  const typed = COLLECTED_KINDS.flatMap((kind): readonly AnyStored[] => reader.dependents(kind, uid));
  return [...typed, ...reader.custom.dependents(uid)].filter(
    (dependent) => namespace === undefined || dependent.metadata.namespace === namespace,
  );
}

function blocks({ metadata }: AnyStored, ownerUid: string): boolean {
  return (metadata.ownerReferences ?? []).some((owner) => owner.uid === ownerUid && owner.blockOwnerDeletion === true);
}

function withoutFinalizers(object: AnyStored, names: readonly string[]): AnyStep {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => !names.includes(name));
  return { do: 'update', object: { ...object, metadata: { ...object.metadata, finalizers } } };
}

function withoutOwners(object: AnyStored, uids: readonly string[]): AnyStep {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => !uids.includes(uid));
  return { do: 'update', object: { ...object, metadata: { ...object.metadata, ownerReferences } } };
}

function withoutBlocking(object: AnyStored): AnyStep {
  const ownerReferences = (object.metadata.ownerReferences ?? []).map((owner) => ({
    ...owner,
    blockOwnerDeletion: false,
  }));
  return { do: 'update', object: { ...object, metadata: { ...object.metadata, ownerReferences } } };
}
