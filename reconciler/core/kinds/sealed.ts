/** Secret values, which are shown to nobody who did not ask for them. */
import type { Kind, KubeObject } from '../../../contracts/objects/index.ts';
import { fieldAt } from '../diff/fixed-fields.ts';
import { isObject } from '../fields/json.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { DESCRIPTORS } from './index.ts';

/** What stands in place of a secret value. */
export const REDACTED = '[redacted]';

/** Whether a field of the kind, or what it is in, is secret. */
export function isSealed(kind: Kind, path: readonly PropertyKey[]): boolean {
  return DESCRIPTORS[kind].sealed.some((sealed) => startsWith(path, sealed));
}

/**
 * The value at `path` of an object of the kind, without what is secret in it: that is `shown` instead. Of a map the keys
 * stay, so that people see what is there.
 */
export function redactedAt(kind: Kind, path: readonly PropertyKey[], value: unknown, shown = REDACTED): unknown {
  if (isSealed(kind, path)) return hidden(value, [], shown);
  return DESCRIPTORS[kind].sealed
    .filter((sealed) => startsWith(sealed, path))
    .map((sealed) => sealed.slice(path.length))
    .filter((below) => fieldAt(value, below) !== undefined)
    .reduce((rest, below) => hidden(rest, below, shown), value);
}

/** The object without its secret values. */
export function redacted<T extends KubeObject>(object: T): T {
  return redactedAt(object.kind, [], object) as T;
}

function startsWith(path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean {
  return start.every((step, i) => path[i] === step);
}

function hidden(value: unknown, [step, ...rest]: FieldPath, shown: string): unknown {
  if (!isObject(value)) return shown;
  if (step === undefined) return Object.fromEntries(Object.keys(value).map((key) => [key, shown]));
  return { ...value, [step]: hidden(fieldAt(value, [step]), rest, shown) };
}
