/** What of an object its manifest says, apart from what was filled in when it was read. */
import { fieldSemantics, readKey, type FieldSemantics, type KubeObject } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import { semanticsAt } from '../fields/list-keys.ts';

/**
 * The object without the fields that `manifest`, its plain form as written, does not have: none of the defaults, the
 * values as the object has them. Entries of a list-map stand in the order of the object's. What was written whole is the
 * very value that the object has.
 */
export function writtenForm(object: KubeObject, manifest: unknown): JsonObject {
  return written(fieldSemantics(object.kind), object, manifest) as JsonObject;
}

function written(semantics: FieldSemantics, value: unknown, manifest: unknown): unknown {
  if (semantics.atomic) return value;
  if (isObject(value) && isObject(manifest)) return writtenFields(semantics, value, folded(semantics, manifest));
  if (!semantics.list || !isList(value) || !isList(manifest)) return value;
  const entries = manifest.map((entry, i) => written(semanticsAt(semantics), value[i], entry));
  return entries.length === value.length && entries.every((entry, i) => entry === value[i]) ? value : entries;
}

function writtenFields(semantics: FieldSemantics, value: JsonObject, manifest: JsonObject): JsonObject {
  const kept: [string, unknown][] = [];
  let whole = true;
  for (const [name, field] of Object.entries(value)) {
    const said = readKey(manifest, name);
    // What says a default may leave nothing behind.
    const isSaid = said !== undefined && field !== undefined && !isReadAsUnset(said, field);
    const form = isSaid ? written(semanticsAt(semantics, name), field, said) : undefined;
    if (isSaid) kept.push([name, form]);
    whole &&= isSaid && form === field;
  }
  return whole ? value : Object.fromEntries(kept);
}

/** `""` and `0` stand for an absent field in some places, which then has its default. */
function isReadAsUnset(said: unknown, value: unknown): boolean {
  return (said === '' || said === 0) && String(value) !== String(said);
}

/** With fields that are read as another under the name of that. */
function folded({ readAs = {} }: FieldSemantics, manifest: JsonObject): JsonObject {
  const names = Object.entries(readAs).filter(([name]) => readKey(manifest, name) !== undefined);
  return names.reduce<JsonObject>((fields, [name, as]) => {
    const [one, other] = [readKey(fields, as), readKey(fields, name)];
    return { ...fields, [as]: isObject(one) && isObject(other) ? { ...one, ...other } : (one ?? other) };
  }, manifest);
}
