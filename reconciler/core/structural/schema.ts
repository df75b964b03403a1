/**
 * Structural schemas: the part of OpenAPI v3 that a CustomResourceDefinition describes its objects with. Source:
 * Kubernetes, apiextensions-apiserver/pkg/apiserver/schema (structural.go, validation.go).
 */
import { readKey } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import { MAX_LIST_KEYS, MAX_SCHEMA_DEPTH, once } from './limits.ts';

export type Path = readonly (string | number)[];

const TYPES: readonly unknown[] = ['object', 'array', 'string', 'integer', 'number', 'boolean'];
/** More problems of one schema help nobody. */
const MOST_PROBLEMS = 20;

export interface SchemaProblem {
  /** Within the schema. */
  readonly path: Path;
  /** To follow the path: `must be ...`. */
  readonly message: string;
}

export function preservesUnknown(schema: JsonObject): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true;
}

export function isIntOrString(schema: JsonObject): boolean {
  return schema['x-kubernetes-int-or-string'] === true;
}

/** The schema of one field or of each entry; undefined where there is none. */
export function partOf(schema: JsonObject, name: string): JsonObject | undefined {
  const part = readKey(schema, name);
  return isObject(part) ? part : undefined;
}

/** The schema of the field `name` of an object; undefined where the schema has no such field. */
export function fieldSchema(schema: JsonObject, name: string): JsonObject | undefined {
  const properties = partOf(schema, 'properties');
  const field = properties && readKey(properties, name);
  return isObject(field) ? field : partOf(schema, 'additionalProperties');
}

/** The names of fields that the schema has. */
export const fieldNames = once((schema: JsonObject): readonly string[] =>
  Object.keys(partOf(schema, 'properties') ?? {}),
);

/** Why a schema is none, or not a structural one; empty where it is. Without this being empty nothing is read by it. */
export function schemaProblems(schema: JsonObject): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  if (schema['type'] !== 'object') problems.push({ path: ['type'], message: 'must be object' });
  visit(schema, [], problems);
  return problems.slice(0, MOST_PROBLEMS);
}

function visit(schema: unknown, path: Path, problems: SchemaProblem[]): void {
  const wrong = (at: Path, message: string): void => void problems.push({ path: [...path, ...at], message });
  if (problems.length >= MOST_PROBLEMS) return;
  if (!isObject(schema)) {
    wrong([], 'must be a schema, which is a map');
    return;
  }
  if (path.length > 2 * MAX_SCHEMA_DEPTH) {
    wrong([], `must have at most ${MAX_SCHEMA_DEPTH} levels`);
    return;
  }
  if (schema['$ref'] !== undefined) wrong(['$ref'], 'cannot be used: write the schema out');
  const type = schema['type'];
  if (type === undefined ? !isIntOrString(schema) && !preservesUnknown(schema) : !TYPES.includes(type))
    wrong(['type'], `must be one of ${TYPES.join(', ')}`);
  const properties = schema['properties'];
  if (isObject(properties))
    for (const [name, field] of Object.entries(properties)) visit(field, [...path, 'properties', name], problems);
  else if (properties !== undefined) wrong(['properties'], 'must be a map of schemas');
  if (type === 'array') visit(schema['items'], [...path, 'items'], problems);
  const additional = schema['additionalProperties'];
  if (isObject(additional)) visit(additional, [...path, 'additionalProperties'], problems);
  const required = schema['required'];
  if (required !== undefined && !(isList(required) && required.every((name) => typeof name === 'string')))
    wrong(['required'], 'must be a list of names');
  const keys = schema['x-kubernetes-list-map-keys'];
  if (isList(keys) && keys.length > MAX_LIST_KEYS)
    wrong(['x-kubernetes-list-map-keys'], `must have at most ${MAX_LIST_KEYS} entries`);
}
