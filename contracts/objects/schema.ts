/**
 * Building blocks of the object schemas. One schema is the one home of a kind's shape, its defaults (Kubernetes' own) and
 * the Kubernetes fields that exist but that we do not act on yet, which are refused by name.
 */
import { z } from 'zod';

/** Metadata that the manifest checker reads from an object schema to explain a field it refuses. */
export interface ObjectSchemaMeta {
  /** Kubernetes fields at this place that Plumbline does not act on yet: refused as `UnsupportedField`, not as unknown. */
  readonly notYet: readonly string[];
}

/** Registry that maps an object schema to its {@link ObjectSchemaMeta}. */
export const objectSchemaMeta = z.registry<ObjectSchemaMeta>();

/** A closed object: an unknown field is an error. `notYet` lists Kubernetes' other fields at this place. */
export function object<S extends z.ZodRawShape>(shape: S, notYet: readonly string[] = []): z.ZodObject<S, z.core.$strict> {
  const schema = z.strictObject(shape);
  objectSchemaMeta.add(schema, { notYet });
  return schema;
}

/** RFC 1123 label: names of most things; at most 63 characters. */
export const DnsLabel = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "must consist of lower case letters, digits and '-', and start and end with a letter or digit");

/** RFC 1123 subdomain: object names; at most 253 characters. */
export const DnsSubdomain = z
  .string()
  .max(253, 'must be no more than 253 characters')
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    "must consist of lower case letters, digits, '-' and '.', and start and end with a letter or digit",
  );

/** A label value: at most 63 characters, may be empty. */
export const LabelValue = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/, "must consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit");

/** A qualified name: label and annotation keys (`prefix/name`). */
export const QualifiedName = z
  .string()
  .max(317, 'must have at most 317 characters')
  .regex(
    /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    "must be a name of at most 63 characters, optionally prefixed with a DNS subdomain and '/'",
  );

export const Labels = z.record(QualifiedName, LabelValue);
export const Annotations = z.record(QualifiedName, z.string());

export const Port = z.int().min(1, 'must be between 1 and 65535').max(65535, 'must be between 1 and 65535');

/** An RFC 3339 timestamp, UTC, as Kubernetes writes it. */
export const Timestamp = z.string();
export const Seconds = z.int().min(0, 'must be 0 or more');

/** A number or a percentage such as `25%`. */
export const IntOrPercent = z.union([z.int().min(0), z.string().regex(/^\d+%$/, 'must be an integer or a percentage such as 25%')]);
