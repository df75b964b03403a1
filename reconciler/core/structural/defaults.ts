/** Fills in what a structural schema says for fields that are not written. Source: Kubernetes, schema/defaulting. */
import { readKey } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import { once, sizeOf, type Budget } from './limits.ts';
import { fieldSchema, partOf } from './schema.ts';

/** The object with defaults; the very object where there are none to fill in, or where the budget is spent. */
export function withDefaults(schema: JsonObject, object: JsonObject, budget: Budget): JsonObject {
  return filled(schema, object, budget) as JsonObject;
}

function filled(schema: JsonObject, value: unknown, budget: Budget): unknown {
  if (!budget.takeFor(value)) return value;
  if (isList(value)) {
    const items = partOf(schema, 'items');
    if (!items) return value;
    const entries = value.map((entry) => filled(items, entry, budget));
    return entries.every((entry, i) => entry === value[i]) ? value : entries;
  }
  if (!isObject(value)) return value;
  const defaults = defaultsOf(schema);
  budget.take(defaults.length);
  const made = defaults.filter(([name]) => readKey(value, name) === undefined);
  for (const [name, byDefault] of made) budget.add(name.length + sizeOf(byDefault));
  const fields = Object.entries(value).concat(made);
  let changed = made.length > 0;
  const all = fields.map(([name, field]): [string, unknown] => {
    const inner = field === undefined ? undefined : fieldSchema(schema, name);
    const whole = inner ? filled(inner, field, budget) : field;
    changed ||= whole !== field;
    return [name, whole];
  });
  return changed ? Object.fromEntries(all) : value;
}

/** The fields that have one. */
const defaultsOf = once((schema: JsonObject) =>
  Object.entries(partOf(schema, 'properties') ?? {}).flatMap(([name, field]): [string, unknown][] => {
    const byDefault = isObject(field) ? field['default'] : undefined;
    return byDefault === undefined ? [] : [[name, byDefault]];
  }),
);
