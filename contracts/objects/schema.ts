/**
 * Building blocks of the object schemas. One schema is the one home of a kind's shape, its defaults (Kubernetes' own)
 * and the Kubernetes fields that exist but that we do not act on yet: what asks for Kubernetes' default is accepted,
 * the rest is refused by name.
 */
import { z } from 'zod';

/** What a field that is not acted on yet may say. */
export type Accepted =
  /**
   * The values that ask for what happens anyhow: Kubernetes' default, and what Kubernetes reads as unset. None: the
   * field is always refused.
   */
  | readonly unknown[]
  /** Anything: Kubernetes reads the field and does nothing with it either. */
  | 'anything';
export type NotYet = Readonly<Record<string, Accepted>>;

/** What the manifest checker reads from an object schema to judge a field that the shape does not have. */
export interface ObjectSchemaMeta {
  /**
   * Kubernetes fields at this place that Plumbline does not act on yet. An accepted value is dropped when the manifest
   * is read, so that a commit that adds or removes it changes no object; any other is refused as `UnsupportedField`,
   * not as unknown.
   */
  readonly notYet: NotYet;
}

/** The field is refused whatever it says. */
export const NEVER: Accepted = [];

/** Registry that maps an object schema to its {@link ObjectSchemaMeta}. */
export const objectSchemaMeta = z.registry<ObjectSchemaMeta>();

/**
 * What merging, comparing and owning have to know of the values at a place and its type does not say. The values are
 * those of Kubernetes' own types: its markers `+listType`, `+listMapKey`, `+structType`, `+union` and `+patchStrategy`
 * in k8s.io/api. Read through {@link FieldSemantics}.
 */
export interface SchemaTraits {
  readonly atomic?: true;
  readonly list?: 'set' | 'map';
  readonly keys?: readonly string[];
  readonly union?: Union;
  readonly allocated?: readonly string[];
  readonly readAs?: Readonly<Record<string, string>>;
}

/** Fields of which an object has at most one: setting one takes the others away. */
export interface Union {
  readonly members: readonly string[];
  /** The field whose value says which member it is; a member goes when the value changes. */
  readonly discriminator?: string;
}

/** Registry that maps a schema to its {@link SchemaTraits}. */
export const schemaTraits = z.registry<SchemaTraits>();

/** A schema of its own with these traits: one that is used in several places has them here only. */
function withTraits<Z extends z.ZodType>(schema: Z, traits: SchemaTraits): Z {
  const own = schema.clone();
  schemaTraits.add(own, traits);
  return own;
}

/** A map or object with one owner: who writes it writes all of it. */
export function atomic<Z extends z.ZodType>(schema: Z): Z {
  return withTraits(schema, { atomic: true });
}

/** A list whose entries have owners of their own, and are known by these fields. */
export function listMap<E extends z.ZodType>(keys: readonly string[], entry: E): z.ZodArray<E> {
  return withTraits(z.array(entry), { list: 'map', keys });
}

/** A list of values each of which has owners of its own. */
export function listSet<E extends z.ZodType>(entry: E): z.ZodArray<E> {
  return withTraits(z.array(entry), { list: 'set' });
}

/** A list with one owner; the fields only tell its entries apart, for small patches and for people. */
export function atomicList<E extends z.ZodType>(keys: readonly string[], entry: E): z.ZodArray<E> {
  return withTraits(z.array(entry), { keys });
}

/** An object that has at most one of these fields. */
export function oneOf<Z extends z.ZodType>(members: readonly string[], schema: Z, discriminator?: string): Z {
  return withTraits(schema, { union: { members, ...(discriminator !== undefined && { discriminator }) } });
}

/** An object some of whose fields are chosen for it where they are not written, and then stay. */
export function allocated<Z extends z.ZodType>(fields: readonly string[], schema: Z): Z {
  return withTraits(schema, { allocated: fields });
}

/** A closed object: an unknown field is an error. `notYet` has Kubernetes' other fields at this place. */
export function object<S extends z.ZodRawShape>(shape: S, notYet: NotYet = {}): z.ZodObject<S, z.core.$strict> {
  const schema = z.strictObject(shape);
  objectSchemaMeta.add(schema, { notYet });
  return schema;
}

/**
 * `schema`, with the value that Kubernetes reads as unset in this field (`""`, `0`) read as an absent field. Right
 * where the field of Kubernetes' Go type is no pointer: its zero value is replaced with the default, or never looked
 * at.
 */
export function unset<Z extends z.ZodType>(zero: '' | 0, schema: Z): z.ZodPreprocess<Z> {
  return z.preprocess((value) => (value === zero ? undefined : value), schema);
}

/** An object some of whose fields are read as others: `{ from: to }`. */
export function readAs<Z extends z.ZodType>(fields: Readonly<Record<string, string>>, schema: Z): Z {
  return withTraits(schema, { readAs: fields });
}

/** The schema and what it wraps, from the outside in; the last is that of what is written, without its default. */
export function layers(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
    case 'nullable':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return [schema, ...layers(def.innerType)];
    case 'pipe':
      return [schema, ...layers((def.in as z.core.$ZodTypes)._zod.def.type === 'transform' ? def.out : def.in)];
    default:
      return [schema];
  }
}

/** RFC 1123 label: names of most things; at most 63 characters. */
export const DnsLabel = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    "must consist of lower case letters, digits and '-', and start and end with a letter or digit",
  );

/** RFC 1123 subdomain: object names; at most 253 characters. */
export const DnsSubdomain = z
  .string()
  .max(253, 'must be no more than 253 characters')
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    "must consist of lower case letters, digits, '-' and '.', and start and end with a letter or digit",
  );

/** Which controller a class is for: a domain and a path, as in `plumbline.dev/NAME`, of at most `most` characters. */
export function controllerOfClass(most: number, name: string): z.ZodString {
  return z
    .string()
    .max(most, `must be no more than ${most} characters`)
    .regex(
      /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/,
      `must be DOMAIN/PATH, such as plumbline.dev/${name}`,
    );
}

/** A label value: at most 63 characters, may be empty. */
export const LabelValue = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(
    /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/,
    "must consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit",
  );

/** A qualified name: label and annotation keys (`prefix/name`). */
export const QualifiedName = z
  .string()
  .max(317, 'must have at most 317 characters')
  .regex(
    /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    "must be a name of at most 63 characters, optionally prefixed with a DNS subdomain and '/'",
  );

export const Labels = z.record(QualifiedName, LabelValue);
/** An annotation's key: the same, but its prefix may have capital letters. Source: Kubernetes, ValidateAnnotations. */
const AnnotationKey = z.string().superRefine((key, context) => {
  const inLowerCase = QualifiedName.safeParse(key.toLowerCase());
  if (!inLowerCase.success) context.addIssue({ code: 'custom', message: inLowerCase.error.issues[0]?.message });
});
export const Annotations = z.record(AnnotationKey, z.string());

export const MAX_INT32 = 2 ** 31 - 1;
/** A whole number of Kubernetes' type int32, from `least` on. */
export function int32(least: number): z.ZodInt {
  return z.int().min(least, `must be ${least} or more`).max(MAX_INT32, `must be at most ${MAX_INT32}`);
}

export const Port = z.int().min(1, 'must be between 1 and 65535').max(65535, 'must be between 1 and 65535');

/** An RFC 3339 timestamp, UTC, as Kubernetes writes it. */
export const Timestamp = z.string();
export const Seconds = int32(0);
/** A user's or group's id. Source: Kubernetes, IsValidUserID. */
export const NumericId = int32(0);

/** A number or a percentage such as `25%`. */
export const IntOrPercent = z.union([
  int32(0),
  z.string().regex(/^\d+%$/, 'must be an integer or a percentage such as 25%'),
]);
