/**
 * Looks into the object schemas: which fields are there at a place, and which Kubernetes fields are known but not acted
 * on.
 */
import type { z } from 'zod';
import { layers, objectSchemaMeta, readKey, type NotYet } from '../../../contracts/objects/index.ts';
import { valueAt, type FieldPath } from './yaml-tree.ts';

type Schema = z.core.$ZodType;
type ObjectSchema = z.core.$ZodObject;

/** Without defaults, optionality and transformations: the schema of what is written. */
function written(schema: Schema): Schema {
  return layers(schema).at(-1) ?? schema;
}

/** The object schemas that may describe a value: one, or the options of a union that fit the value's discriminator. */
function objectOptions(schema: Schema, value: unknown): ObjectSchema[] {
  const inner = written(schema);
  const { def } = (inner as z.core.$ZodTypes)._zod;
  if (def.type === 'object') return [inner as ObjectSchema];
  if (def.type !== 'union') return [];
  const options = def.options.flatMap((option) => objectOptions(option, value));
  const discriminator = (def as z.core.$ZodDiscriminatedUnionDef).discriminator as string | undefined;
  if (discriminator === undefined) return options;
  const wanted = valueAt(value, [discriminator]);
  const chosen = options.filter((option) => {
    const field = readKey(option._zod.def.shape, discriminator);
    return field?._zod.values?.has(wanted as z.core.util.Primitive) === true;
  });
  return chosen.length > 0 ? chosen : options;
}

/** The schemas that describe the value at `path` of `root`. */
function schemasAt(schema: Schema, path: FieldPath, root: unknown): Schema[] {
  let schemas: Schema[] = [schema];
  let value = root;
  for (const step of path) {
    schemas = schemas.flatMap((s) => {
      const inner = written(s);
      const { def } = (inner as z.core.$ZodTypes)._zod;
      if (def.type === 'array') return [def.element];
      if (def.type === 'record') return [def.valueType];
      return objectOptions(inner, value).flatMap((o) => readKey(o._zod.def.shape, String(step)) ?? []);
    });
    value = valueAt(value, [step]);
  }
  return schemas;
}

export interface FieldsAt {
  readonly known: readonly string[];
  /** Kubernetes fields that Plumbline does not act on yet, and what they may say all the same. */
  readonly notYet: NotYet;
  /** Fields of the other forms that the value could have had (another `type`). */
  readonly otherForms: readonly string[];
}

/**
 * The fields that the object at `path` may have; undefined where there is no object with fixed fields (a map of
 * labels).
 */
export function fieldsAt(schema: Schema, path: FieldPath, root: unknown): FieldsAt | undefined {
  const value = valueAt(root, path);
  const candidates = schemasAt(schema, path, root);
  const options = candidates.flatMap((s) => objectOptions(s, value));
  if (options.length === 0) return undefined;
  const all = candidates.flatMap((s) => objectOptions(s, undefined));
  const known = unique(options.flatMap(fieldNames));
  return {
    known,
    notYet: Object.assign({}, ...options.map((o) => objectSchemaMeta.get(o)?.notYet)) as NotYet,
    otherForms: unique(all.flatMap(fieldNames)).filter((name) => !known.includes(name)),
  };
}

/**
 * Whether the value at `path` is a map with free keys and values of one type (labels, data); not one of which nothing
 * is known.
 */
export function isFreeMap(schema: Schema, path: FieldPath, root: unknown): boolean {
  return schemasAt(schema, path, root).some((s) => {
    const { def } = (written(s) as z.core.$ZodTypes)._zod;
    return def.type === 'record' && (def.valueType as z.core.$ZodTypes)._zod.def.type !== 'unknown';
  });
}

/**
 * What Kubernetes reads a null at `path` as, where it is a value of a map with free keys or an entry of a list: its
 * decoder leaves such a one at the zero value of its type. Undefined for a field of an object, where a null is a field
 * that is not set, and for an object, which is refused for what it lacks. Sources: Go's encoding/json, Unmarshal;
 * apimachinery's Quantity.UnmarshalJSON.
 */
export function zeroValueAt(schema: Schema, path: FieldPath, root: unknown): '' | 0 | false | undefined {
  for (const parent of schemasAt(schema, path.slice(0, -1), root)) {
    const { def } = (written(parent) as z.core.$ZodTypes)._zod;
    if (def.type === 'record') return zeroOf(def.valueType);
    if (def.type === 'array') return zeroOf(def.element);
  }
  return undefined;
}

/** Of a number that may be written as text (a quantity, a port by its name) it is the number's. */
function zeroOf(schema: Schema): '' | 0 | false | undefined {
  const { def } = (written(schema) as z.core.$ZodTypes)._zod;
  if (def.type === 'string' || def.type === 'enum') return '';
  if (def.type === 'number') return 0;
  if (def.type === 'boolean') return false;
  if (def.type !== 'union') return undefined;
  const zeros = def.options.map(zeroOf);
  return zeros.find((zero) => zero === 0) ?? zeros.find((zero) => zero !== undefined);
}

/** For every field name of a schema, the paths at which it may be written, lists as `[]`. */
export function placesOfFields(schema: Schema): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  const visit = (s: Schema, at: string): void => {
    const inner = written(s);
    const { def } = (inner as z.core.$ZodTypes)._zod;
    if (def.type === 'array') visit(def.element, `${at}[]`);
    for (const option of objectOptions(inner, undefined)) {
      for (const [name, field] of Object.entries(option._zod.def.shape)) {
        const path = at === '' ? name : `${at}.${name}`;
        const known = places.get(name) ?? [];
        if (!known.includes(path)) places.set(name, [...known, path]);
        visit(field, path);
      }
    }
  };
  visit(schema, '');
  return places;
}

function fieldNames(schema: ObjectSchema): string[] {
  return Object.keys(schema._zod.def.shape);
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}
