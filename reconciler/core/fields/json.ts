/** Comparing plain JSON values. A field whose value is undefined is a field that is not there. */
import { readKey } from '../../../contracts/objects/index.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The names of the fields that are there, sorted: the order of a patch does not depend on the order of fields. */
export function fieldsOf(object: JsonObject): string[] {
  return Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name)
    .sort();
}

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  let present = 0;
  for (const [name, value] of Object.entries(a)) {
    if (value === undefined) continue;
    if (!equal(value, readKey(b, name))) return false;
    present++;
  }
  let other = 0;
  for (const value of Object.values(b)) if (value !== undefined) other++;
  return present === other;
}
