/** Secret values, which are shown to nobody who did not ask for them. */
import type { Kind, KubeObject } from '../../../contracts/objects/index.ts';
import { fieldAt } from '../diff/fixed-fields.ts';
import { isObject } from '../fields/json.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { DESCRIPTORS } from './index.ts';

const REDACTED = '[redacted]';

/** Whether a field of the kind, or what it is in, is secret. */
export function isSealed(kind: Kind, path: readonly PropertyKey[]): boolean {
  return DESCRIPTORS[kind].sealed.some((sealed) => sealed.every((step, i) => path[i] === step));
}

/** The object without its secret values; of a map the keys stay, so that people see what is there. */
export function redacted<T extends KubeObject>(object: T): T {
  return DESCRIPTORS[object.kind].sealed.reduce<T>(
    (rest, path) => (fieldAt(rest, path) === undefined ? rest : (hidden(rest, path) as T)),
    object,
  );
}

function hidden(value: unknown, [step, ...rest]: FieldPath): unknown {
  if (!isObject(value)) return REDACTED;
  if (step === undefined) return Object.fromEntries(Object.keys(value).map((key) => [key, REDACTED]));
  return { ...value, [step]: hidden(fieldAt(value, [step]), rest) };
}
