/** Comparing plain JSON values. A field whose value is undefined is a field that is not there. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The names of the fields that are there, sorted: the order of a patch does not depend on the order of fields. */
export function fieldsOf(object: JsonObject): string[] {
  return Object.keys(object).filter((name) => object[name] !== undefined).sort();
}

/** The field's value, undefined for what an object only inherits. */
export function fieldOf(object: JsonObject | undefined, name: string): unknown {
  return object && Object.hasOwn(object, name) ? object[name] : undefined;
}

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  let present = 0;
  for (const name of names) {
    if (a[name] === undefined) continue;
    if (!equal(a[name], fieldOf(b, name))) return false;
    present++;
  }
  let other = 0;
  for (const name of Object.keys(b)) if (b[name] !== undefined) other++;
  return present === other;
}
