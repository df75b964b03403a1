/** An object in the form in which nodes get it. */
import type { KubeObject, ObjectKey, Stored } from '../../../contracts/objects/index.ts';
import { digest } from './fingerprint.ts';
import { project, projectionText, referencesOf } from './projection.ts';

export interface Projected {
  readonly object: KubeObject;
  readonly digest: Buffer;
  /** What a node needs with it. */
  readonly references: readonly ObjectKey[];
}

export function projected(object: Stored): Projected {
  return projectedAs(project(object));
}

export function projectedAs(form: KubeObject): Projected {
  return { object: form, digest: digest(projectionText(form)), references: referencesOf(form) };
}

/** Whether they are the same to a node. */
export function same(a: Projected | undefined, b: Projected | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.digest.equals(b.digest));
}
