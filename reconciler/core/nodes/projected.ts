/** An object in the form in which nodes get it. */
import type { KubeObject, ObjectKey, Stored } from '../../../contracts/objects/index.ts';
import { digest, type MemberDigest } from './fingerprint.ts';
import { project, projectionText, referencesOf } from './projection.ts';

export interface Projected {
  readonly object: KubeObject;
  readonly digest: MemberDigest;
  /** What a node needs with it. */
  readonly references: readonly ObjectKey[];
}

export function projected(object: Stored): Projected {
  return projectedAs(project(object));
}

/**
 * The same; `before` itself where the object has the very parts that it was made of. Most changes of a pod are of its
 * status, which no node is told.
 */
export function projectedAfter(before: Projected | undefined, object: Stored): Projected {
  const form = project(object);
  return before && hasPartsOf(before.object, form) ? before : projectedAs(form);
}

export function projectedAs(form: KubeObject): Projected {
  return { object: form, digest: digest(projectionText(form)), references: referencesOf(form) };
}

/** Whether they are the same to a node. */
export function same(a: Projected | undefined, b: Projected | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.digest === b.digest);
}

/** Whether both are made of the same parts; what {@link projectionText} leaves out may differ. */
function hasPartsOf(before: KubeObject, after: KubeObject): boolean {
  const { metadata: metadataBefore, ...restBefore } = before;
  const { metadata, ...rest } = after;
  const { resourceVersion: _version, generation: _generation, ...named } = metadata;
  const { resourceVersion: _before, generation: _then, ...namedBefore } = metadataBefore;
  return hasSameMembers(restBefore, rest) && hasSameMembers(namedBefore, named);
}

function hasSameMembers(a: object, b: object): boolean {
  const members = new Map<string, unknown>(Object.entries(a));
  const others = Object.entries(b);
  return members.size === others.length && others.every(([name, value]) => members.get(name) === value);
}
