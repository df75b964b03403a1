/** Rules of the metadata that every kind has. Source: Kubernetes, apimachinery/pkg/api/validation/objectmeta.go. */
import { Finalizers, type AnyObject } from '../../../contracts/objects/index.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

const invalid = (message: string): Refusal => ({ reason: 'Invalid', message });

/** ValidateFinalizers, in the schema's words. Looked at when they change. */
export function wellFormedFinalizers(
  { metadata: { finalizers } }: AnyObject,
  request: CreateRequest | UpdateRequest,
): Refusal | undefined {
  if (finalizers === undefined || finalizers.length === 0) return undefined;
  if (request.operation !== 'create' && request.old.metadata.finalizers === finalizers) return undefined;
  const parsed = Finalizers.safeParse(finalizers);
  if (parsed.success) return undefined;
  const [issue] = parsed.error.issues;
  return invalid(`${['metadata.finalizers', ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'is invalid'}`);
}

/** ValidateNoNewFinalizers: whoever waits for an object to go must not find new reasons why it does not. */
export function onlyRemovedFinalizers(
  { metadata }: AnyObject,
  request: CreateRequest | UpdateRequest,
): Refusal | undefined {
  if (request.operation === 'create' || request.old.metadata.deletionTimestamp === undefined) return undefined;
  const before = request.old.metadata.finalizers ?? [];
  const added = (metadata.finalizers ?? []).filter((name) => !before.includes(name));
  return added.length === 0
    ? undefined
    : invalid(
        `metadata.finalizers: ${added.join(', ')} cannot be added, the object is being deleted: make it anew when it is gone`,
      );
}

/** ValidateOwnerReferences: at most one owner is the controller. */
export function onlyOneController({ metadata: { ownerReferences } }: AnyObject): Refusal | undefined {
  if (ownerReferences === undefined || ownerReferences.length < 2) return undefined;
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  return controllers.length < 2
    ? undefined
    : invalid(
        `metadata.ownerReferences: ${controllers.map(({ kind, name }) => `${kind}/${name}`).join(' and ')} cannot both be its controller: leave \`controller: true\` to one`,
      );
}
