/**
 * How values are merged, compared and owned, by their place in an object: what Kubernetes' OpenAPI document says with
 * `x-kubernetes-*`, as plain data. For our kinds it comes from their schemas.
 */
import type { z } from 'zod';
import { isKind, type Kind } from './identity.ts';
import { KINDS } from './kinds.ts';
import { ObjectMeta } from './meta.ts';
import { readKey } from './own-key.ts';
import { layers, schemaTraits, type SchemaTraits, type Union } from './schema.ts';

/**
 * Of the value at one place; empty where nothing is known, as of an object of an unknown kind: then maps are granular
 * (each field has an owner) and lists atomic (one owner). Plain data, without cycles.
 */
export interface FieldSemantics {
  /** The map or object has one owner: `x-kubernetes-map-type: atomic`. */
  readonly atomic?: true;
  /** `x-kubernetes-list-type`, where the entries have owners of their own. */
  readonly list?: 'set' | 'map';
  /**
   * What tells the entries of a list apart: with list `map` their identity (`x-kubernetes-list-map-keys`), else only
   * for small patches and for people.
   */
  readonly keys?: readonly string[];
  /** What a key that is not written is read as (`protocol` is `TCP`). */
  readonly keyDefaults?: Readonly<Record<string, unknown>>;
  /** Of an object with known fields; absent for a map with keys of people's own. */
  readonly fields?: Readonly<Record<string, FieldSemantics>>;
  /** Of each entry of a list, of each value of a map. */
  readonly values?: FieldSemantics;
  readonly union?: Union;
  /** Fields that are chosen for the object where they are not written, and stay when they are no longer written. */
  readonly allocated?: readonly string[];
  /** Fields that are read as another when a manifest is read: `stringData` is `data`. */
  readonly readAs?: Readonly<Record<string, string>>;
}

const NOTHING_KNOWN: FieldSemantics = {};
const known = new Map<Kind, FieldSemantics>();
/** Of a kind that has no schema here: of its metadata all is known. */
let untyped: FieldSemantics | undefined;

/** Of objects of a kind without a schema here. Computed once. */
export function untypedSemantics(): FieldSemantics {
  return (untyped ??= { fields: { metadata: semanticsOf(ObjectMeta) } });
}

/** Of all objects of a kind. Computed once. */
export function fieldSemantics(kind: string): FieldSemantics {
  const manifest = isKind(kind) ? KINDS[kind].manifest : undefined;
  if (!isKind(kind) || !manifest) return untypedSemantics();
  const found = known.get(kind);
  if (found) return found;
  const written = semanticsOf(manifest);
  const made = { ...written, fields: { ...written.fields, metadata: semanticsOf(ObjectMeta) } };
  known.set(kind, made);
  return made;
}

type Schema = z.core.$ZodType;
/** By schema, as the pod's is part of several kinds. */
const bySchema = new WeakMap<Schema, FieldSemantics>();

/** Of what the schema describes. Computed once. */
function semanticsOf(schema: Schema): FieldSemantics {
  const found = bySchema.get(schema);
  if (found) return found;
  const all = layers(schema);
  const traits: SchemaTraits = Object.assign({}, ...all.map((layer) => schemaTraits.get(layer))) as SchemaTraits;
  const made = { ...structure(all.at(-1) ?? schema), ...traits };
  bySchema.set(schema, made);
  return made;
}

function structure(schema: Schema): FieldSemantics {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
      return {
        fields: Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, semanticsOf(field)])),
      };
    case 'record':
      return { values: semanticsOf(def.valueType) };
    case 'array':
      return { values: semanticsOf(def.element), ...keyDefaults(schema, def.element) };
    case 'union':
      return unionOf(def.options, (def as Partial<z.core.$ZodDiscriminatedUnionDef>).discriminator);
    default:
      return NOTHING_KNOWN;
  }
}

/** The forms of an object together: what not all of them have goes when the form changes. */
function unionOf(options: readonly Schema[], discriminator: string | undefined): FieldSemantics {
  const forms = options.map((option) => semanticsOf(option).fields ?? {});
  if (discriminator === undefined) return NOTHING_KNOWN;
  const fields = Object.assign({}, ...forms) as Record<string, FieldSemantics>;
  const members = Object.keys(fields).filter((name) => !forms.every((form) => Object.hasOwn(form, name)));
  return { fields, union: { members, discriminator } };
}

function keyDefaults(list: Schema, entry: Schema): Pick<FieldSemantics, 'keyDefaults'> {
  const { def } = (layers(entry).at(-1) as z.core.$ZodTypes)._zod;
  if (def.type !== 'object') return {};
  const defaults = (schemaTraits.get(list)?.keys ?? []).flatMap((key) => {
    const field = readKey(def.shape, key);
    const layer = field && layers(field).find((one) => (one as z.core.$ZodTypes)._zod.def.type === 'default');
    return layer ? [[key, (layer as z.core.$ZodDefault)._zod.def.defaultValue] as const] : [];
  });
  return defaults.length > 0 ? { keyDefaults: Object.fromEntries(defaults) } : {};
}
