/** The one way of a write: default, mutate, validate, quota, then what the store is asked to do. */
import { displayKey, keyOf, type AnyObject } from '../../../contracts/objects/index.ts';
import { openKind } from './custom-kinds.ts';
import { deletion, isFinalized } from './deletion.ts';
import { keepDeletionMarks } from './deletion-marks.ts';
import { fillLimits, withinLimits } from './limit-range.ts';
import { onlyOneController, onlyRemovedFinalizers, wellFormedFinalizers } from './metadata.ts';
import { noteOwners } from './owners.ts';
import { openNamespace } from './namespace-lifecycle.ts';
import { securePod } from './pod-security.ts';
import { fillRuntimeClass, knownRuntimeClass } from './runtime-class.ts';
import { fillAccount, knownAccount } from './service-account.ts';
import type { AdmissionRequest, CreateRequest, Refusal, UpdateRequest, Verdict } from './request.ts';

/** Answers the object to write; the one it was given where there is nothing to change. Never changes it in place. */
type Mutation = <T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest) => T;
/** Answers why the object must not be written. Sees it as all mutations have left it. */
type Validation = (object: AnyObject, request: CreateRequest | UpdateRequest) => Refusal | undefined;

const MUTATIONS: readonly Mutation[] = [keepDeletionMarks, fillAccount, fillLimits, fillRuntimeClass, noteOwners];
const VALIDATIONS: readonly Validation[] = [
  wellFormedFinalizers,
  onlyRemovedFinalizers,
  onlyOneController,
  openNamespace,
  openKind,
  knownAccount,
  securePod,
  withinLimits,
  knownRuntimeClass,
];

/**
 * Decides a write. Pure; asking again for what was admitted changes nothing more. An update of the status alone passes
 * as it is: the store takes nothing else from it. Source of the order: Kubernetes, handlers/create.go and
 * registry/rest/create.go (admission's mutation before validation) and kubeapiserver/options/plugins.go
 * (AllOrderedPlugins: ResourceQuota last).
 */
export function admit(request: AdmissionRequest): Verdict {
  switch (request.operation) {
    case 'updateStatus':
      return { admitted: true, write: { op: 'updateStatus', object: request.object } };
    case 'delete':
      return { admitted: true, write: deletion(request) };
    case 'create': {
      const object = mutated(request.object, request);
      return refused(object, request) ?? { admitted: true, write: { op: 'create', object } };
    }
    case 'update': {
      const object = mutated(request.object, request);
      const refusal = refused(object, request);
      if (refusal) return refusal;
      if (!isFinalized(object, request.old)) return { admitted: true, write: { op: 'update', object } };
      const { uid, resourceVersion } = request.old.metadata;
      return { admitted: true, write: { op: 'delete', key: keyOf(request.old), uid, resourceVersion } };
    }
  }
}

function mutated<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  let result = object;
  for (const mutate of MUTATIONS) result = mutate(result, request);
  return result;
}

function refused(object: AnyObject, request: CreateRequest | UpdateRequest): Verdict | undefined {
  for (const validate of VALIDATIONS) {
    const refusal = validate(object, request);
    if (refusal)
      return {
        admitted: false,
        reason: refusal.reason,
        message: `${request.operation} ${displayKey(keyOf(object))}: ${refusal.message}`,
      };
  }
  return undefined;
}
