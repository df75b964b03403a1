/** How the values of a structural schema are merged and owned: its `x-kubernetes-*`. Source: Kubernetes, "Merge strategy" of server-side apply. */
import { readKey, type FieldSemantics } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import { MAX_SCHEMA_DEPTH } from './limits.ts';

/** Of the whole object; empty where nothing is said. What is no schema says nothing. */
export function schemaSemantics(schema: unknown, depth = 0): FieldSemantics {
  if (!isObject(schema) || depth > MAX_SCHEMA_DEPTH) return {};
  const [properties, values] = [readKey(schema, 'properties'), valuesOf(schema)];
  const fields = isObject(properties)
    ? Object.entries(properties).flatMap(([name, field]) => {
        const semantics = schemaSemantics(field, depth + 1);
        return Object.keys(semantics).length > 0 ? [[name, semantics] as const] : [];
      })
    : [];
  const ofValues = schemaSemantics(values, depth + 1);
  return {
    ...traits(schema),
    ...(fields.length > 0 && { fields: Object.fromEntries(fields) }),
    ...(Object.keys(ofValues).length > 0 && { values: ofValues }),
  };
}

function valuesOf(schema: JsonObject): unknown {
  return schema['type'] === 'array' ? schema['items'] : schema['additionalProperties'];
}

function traits(schema: JsonObject): FieldSemantics {
  if (schema['x-kubernetes-map-type'] === 'atomic') return { atomic: true };
  const keys = schema['x-kubernetes-list-map-keys'];
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return { list: 'set' };
    case 'map': {
      if (!isList(keys)) return {};
      const names = keys.filter((key) => typeof key === 'string');
      const keyDefaults = defaultsOf(schema['items'], names);
      return { list: 'map', keys: names, ...(keyDefaults && { keyDefaults }) };
    }
    default:
      return {};
  }
}

/** What a key that is not written is read as. */
function defaultsOf(entry: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const properties = isObject(entry) ? readKey(entry, 'properties') : undefined;
  if (!isObject(properties)) return undefined;
  const found = keys.flatMap((key) => {
    const field = readKey(properties, key);
    const value = isObject(field) ? field['default'] : undefined;
    return value === undefined ? [] : [[key, value] as const];
  });
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}
