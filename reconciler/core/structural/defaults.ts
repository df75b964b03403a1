/** Fills in what a structural schema says for fields that are not written. Source: Kubernetes, schema/defaulting. */
import { readKey } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import type { Budget } from './limits.ts';
import { fieldSchema, partOf } from './schema.ts';

/** The object with defaults; the very object where there are none to fill in, or where the budget is spent. */
export function withDefaults(schema: JsonObject, object: JsonObject, budget: Budget): JsonObject {
  return filled(schema, object, budget) as JsonObject;
}

function filled(schema: JsonObject, value: unknown, budget: Budget): unknown {
  if (!budget.take()) return value;
  if (isList(value)) {
    const items = partOf(schema, 'items');
    if (!items) return value;
    const entries = value.map((entry) => filled(items, entry, budget));
    return entries.every((entry, i) => entry === value[i]) ? value : entries;
  }
  if (!isObject(value)) return value;
  const made = new Map<string, unknown>();
  for (const [name, field] of Object.entries(partOf(schema, 'properties') ?? {})) {
    const byDefault = isObject(field) ? field['default'] : undefined;
    if (byDefault !== undefined && readKey(value, name) === undefined) made.set(name, byDefault);
  }
  const fields = Object.entries(value).concat([...made]);
  let changed = made.size > 0;
  const all = fields.map(([name, field]): [string, unknown] => {
    const inner = field === undefined ? undefined : fieldSchema(schema, name);
    const whole = inner ? filled(inner, field, budget) : field;
    changed ||= whole !== field;
    return [name, whole];
  });
  return changed ? Object.fromEntries(all) : value;
}
