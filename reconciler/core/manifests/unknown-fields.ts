/**
 * Fields that a schema does not have: a misspelling, a field at the wrong place, or one of Kubernetes' that is not
 * acted on yet, and says nothing but its default.
 */
import type { z } from 'zod';
import { readKey, type Accepted } from '../../../contracts/objects/index.ts';
import type { ExplainedIssue } from './schema-issues.ts';
import { placesOfFields, type FieldsAt } from './schema-walk.ts';
import { suggest } from './suggest.ts';
import { pathText, valueAt, type FieldPath } from './yaml-tree.ts';

export interface UnknownField {
  /** Undefined where the field asks for what happens anyhow. */
  readonly issue: ExplainedIssue | undefined;
  /** The known field that was meant, when it is sure enough to go on reading with it. */
  readonly meant: string | undefined;
}

/** More places than this are no help. */
const MAX_PLACES = 3;

const SERVER_FIELDS: ReadonlySet<string> = new Set(
  ['uid', 'resourceVersion', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'managedFields'].map(
    (name) => `metadata.${name}`,
  ),
);

const placesBySchema = new WeakMap<object, ReadonlyMap<string, readonly string[]>>();

/**
 * Explains why the object that has `fields` may not have the one at `path` of `value`, which is at `base` of the
 * manifest.
 */
export function explainUnknownField(
  schema: z.core.$ZodType,
  fields: FieldsAt,
  path: FieldPath,
  value: unknown,
  base: FieldPath,
): UnknownField {
  const parent = path.slice(0, -1);
  const said = valueAt(value, path);
  const name = String(path.at(-1));
  const text = pathText([...base, ...path]);
  const issue = (code: ExplainedIssue['code'], message: string, hint?: string): ExplainedIssue => ({
    code,
    path: [...base, ...path],
    part: 'key',
    message,
    hint,
  });
  if (base.length === 0 && parent.length === 0 && name === 'status') {
    if (saysNothing(said)) return { meant: undefined, issue: undefined };
    return {
      meant: undefined,
      issue: issue(
        'StatusInManifest',
        'status is written by Plumbline, never in Git',
        'remove status and everything under it',
      ),
    };
  }
  const accepted = readKey(fields.notYet, name);
  if (accepted !== undefined) {
    if (isAccepted(accepted, said)) return { meant: undefined, issue: undefined };
    if (SERVER_FIELDS.has(text))
      return {
        meant: undefined,
        issue: issue('UnsupportedField', `${text} is written by the server, never in Git`, 'remove it'),
      };
    return {
      meant: undefined,
      issue: issue(
        'UnsupportedField',
        `field ${text} is a Kubernetes field that Plumbline does not act on yet`,
        removal(name),
      ),
    };
  }
  if (fields.otherForms.includes(name)) {
    const type = valueAt(value, [...parent, 'type']);
    return {
      meant: undefined,
      issue: issue(
        'ForbiddenField',
        `${text} may not be set when ${pathText([...base, ...parent, 'type'])} is ${String(type)}`,
        'remove it, or change the type',
      ),
    };
  }
  if (name === 'stringData' && fields.known.includes('binaryData')) {
    return {
      meant: undefined,
      issue: issue(
        'UnknownField',
        `unknown field ${text}`,
        'a ConfigMap has plain text in data, other bytes as base64 in binaryData',
      ),
    };
  }
  const close = suggest(name, fields.known) ?? suggest(name, Object.keys(fields.notYet));
  if (close !== undefined) {
    const meant = fields.known.includes(close) ? close : undefined;
    return { meant, issue: issue('UnknownField', `unknown field ${text}`, `did you mean ${close}?`) };
  }
  const places = placesOf(schema).get(name) ?? [];
  const hint =
    places.length > 0 && places.length <= MAX_PLACES
      ? `${name} belongs at ${places.join(' or ')}; check the indentation`
      : undefined;
  return { meant: undefined, issue: issue('UnknownField', `unknown field ${text}`, hint) };
}

function isAccepted(accepted: Accepted, value: unknown): boolean {
  return accepted === 'anything' || accepted.some((one) => JSON.stringify(one) === JSON.stringify(value));
}

/**
 * Whether there is nothing in it but zeros and empty values: what Go programs print of a status that nobody has
 * written.
 */
export function saysNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.values(value).every(saysNothing);
}

/**
 * Fields that take rights from a container or keep something from it (Kubernetes documentation, "Pod Security
 * Standards" and "User Namespaces").
 */
const HARDENING: ReadonlySet<string> = new Set([
  'appArmorProfile',
  'automountServiceAccountToken',
  'recursiveReadOnly',
  'seLinuxChangePolicy',
  'seLinuxOptions',
  'seccompProfile',
  'supplementalGroupsPolicy',
]);

/** Fields that are had in another way. */
const INSTEAD: Readonly<Record<string, string>> = {
  ephemeralContainers: 'remove it: no manifest has it, nor in Kubernetes; plumb debug puts one into a running pod',
};

function removal(name: string): string {
  const instead = readKey(INSTEAD, name);
  if (instead !== undefined) return instead;
  return HARDENING.has(name)
    ? 'without it the pod is less confined than it says: remove it only where that is acceptable'
    : 'remove it';
}

function placesOf(schema: z.core.$ZodType): ReadonlyMap<string, readonly string[]> {
  let places = placesBySchema.get(schema);
  if (!places) placesBySchema.set(schema, (places = placesOfFields(schema)));
  return places;
}
