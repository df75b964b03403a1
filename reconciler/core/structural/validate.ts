/**
 * Holds an object against its structural schema. Source of the rules: Kubernetes, apiextensions-apiserver/pkg/apiserver
 * (validation, schema/pruning, schema/listtype), and for fields that a schema does not have its strict field validation, which kubectl
 * asks for.
 *
 * Not looked at: `pattern`, as a pattern may take any time; `format`; and `x-kubernetes-validations`.
 */
import { readKey } from '../../../contracts/objects/index.ts';
import { equal, isList, isObject, type JsonObject } from '../fields/json.ts';
import type { Paced } from '../paced.ts';
import { once, sizeOf, type Budget } from './limits.ts';
import { listIssues } from './list-types.ts';
import { fieldNames, fieldSchema, isIntOrString, partOf, preservesUnknown, type Path } from './schema.ts';

export interface ValueIssue {
  readonly path: Path;
  readonly code: 'UnknownField' | 'WrongType' | 'MissingField' | 'InvalidValue';
  /** To follow the path: `must be ...`. */
  readonly message: string;
  /** Of an unknown field: the names that there are. */
  readonly known?: readonly string[];
}

/** More of one object help nobody. */
const MOST_ISSUES = 20;

/** What an object has at its top whatever its schema says; metadata is read by itself. */
const TOP = ['apiVersion', 'kind', 'metadata'];

/** Everything that is wrong with `object`, defaults filled, up to {@link MOST_ISSUES}; or what was found until the budget was spent. */
export function* validateObject(schema: JsonObject, object: JsonObject, budget: Budget): Paced<readonly ValueIssue[]> {
  const issues: ValueIssue[] = [];
  const fields = Object.fromEntries(Object.entries(object).filter(([name]) => !TOP.includes(name)));
  const required = isList(schema['required']) ? schema['required'].filter((name) => !TOP.includes(String(name))) : [];
  yield* validate({ ...schema, required }, fields, [], { budget, issues });
  return issues;
}

interface Walk {
  readonly budget: Budget;
  readonly issues: ValueIssue[];
}

function* validate(schema: JsonObject, value: unknown, path: Path, walk: Walk): Paced<void> {
  const { budget, issues } = walk;
  if (!begin(schema, value, path, walk)) return;
  if (isObject(value)) yield* validateFields(schema, value, path, walk);
  if (isList(value)) {
    const items = partOf(schema, 'items');
    if (items)
      for (const [i, item] of value.entries()) {
        if (isLeaf(items, item)) validateLeaf(items, item, [...path, i], walk);
        else yield* validate(items, item, [...path, i], walk);
        if (budget.pauseIsDue()) yield;
      }
    for (const { at, code, message } of listIssues(schema, value, budget)) {
      if (issues.length >= MOST_ISSUES) break;
      issues.push({ path: [...path, at], code, message });
    }
  }
  validateItself(schema, value, path, walk);
  yield* validateForms(schema, value, path, walk);
}

/** Whether the value is to be looked at any further: there is work left, and it is of the type that it must be. */
function begin(schema: JsonObject, value: unknown, path: Path, { budget, issues }: Walk): boolean {
  if (!budget.takeFor(value) || issues.length >= MOST_ISSUES) return false;
  if (value === null && schema['nullable'] === true) return false;
  const expected = expectedType(schema);
  if (expected === undefined || isOfType(expected, value)) return true;
  issues.push({ path, code: 'WrongType', message: `must be ${TYPE_WORDS[expected]}, found ${shown(value)}` });
  return false;
}

/** Most values are nothing but themselves: they are spared what the others cost. */
function isLeaf(schema: JsonObject, value: unknown): boolean {
  return (typeof value !== 'object' || value === null) && !hasForms(schema);
}

function validateLeaf(schema: JsonObject, value: unknown, path: Path, walk: Walk): void {
  if (begin(schema, value, path, walk)) validateItself(schema, value, path, walk);
}

/** The fields of an object: those that the schema has, those that it wants, and no others. */
function* validateFields(schema: JsonObject, value: JsonObject, path: Path, walk: Walk): Paced<void> {
  const isOpen = preservesUnknown(schema) || schema['additionalProperties'] === true;
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  for (const [name, field] of Object.entries(value)) {
    if (walk.issues.length >= MOST_ISSUES || walk.budget.isSpent) return;
    if (walk.budget.pauseIsDue()) yield;
    if (field === undefined) continue;
    const inner = fieldSchema(schema, name);
    if (inner && isLeaf(inner, field)) validateLeaf(inner, field, [...path, name], walk);
    else if (inner) yield* validate(inner, field, [...path, name], walk);
    else if (!isOpen && !(isEmbedded && TOP.includes(name)))
      walk.issues.push({
        path: [...path, name],
        code: 'UnknownField',
        message: 'is a field that the definition does not have',
        known: fieldNames(schema),
      });
  }
}

/** What a schema says of a value itself; also where it is one of several (`anyOf`), and says nothing of types. */
function validateItself(schema: JsonObject, value: unknown, path: Path, walk: Walk): void {
  const invalid = (message: string): void => void walk.issues.push({ path, code: 'InvalidValue', message });
  const { required } = schema;
  if (isList(required) && isObject(value) && walk.budget.take(required.length))
    for (const name of required) {
      if (walk.issues.length >= MOST_ISSUES) return;
      if (typeof name === 'string' && readKey(value, name) === undefined)
        walk.issues.push({ path: [...path, name], code: 'MissingField', message: 'is required' });
    }
  const allowed = schema['enum'];
  if (isList(allowed) && !isAmong(allowed, value, walk.budget))
    invalid(`must be one of ${allowed.slice(0, MOST_ISSUES).map(shown).join(', ')}`);
  for (const { rule, limit } of limitsOf(schema))
    if (rule.holds(value, limit, schema) === false) invalid(`must ${rule.words} ${limit}`);
}

const FORMS = ['allOf', 'anyOf', 'oneOf', 'not'];
const hasForms = once((schema: JsonObject): boolean => FORMS.some((name) => Object.hasOwn(schema, name)));

/** What a schema says by way of other schemas. */
function* validateForms(schema: JsonObject, value: unknown, path: Path, walk: Walk): Paced<void> {
  if (!hasForms(schema)) return;
  const invalid = (message: string): void => void walk.issues.push({ path, code: 'InvalidValue', message });
  for (const one of listOf(schema['allOf'])) yield* validateRest(one, value, path, walk);
  const [anyOf, oneOf] = [listOf(schema['anyOf']), listOf(schema['oneOf'])];
  if (anyOf.length > 0 && (yield* matches(anyOf, value, walk)) === 0)
    invalid('must fit one of the forms that the definition gives');
  if (oneOf.length > 0 && (yield* matches(oneOf, value, walk)) !== 1)
    invalid('must fit exactly one of the forms that the definition gives');
  const not = partOf(schema, 'not');
  if (not && (yield* fits(not, value, walk))) invalid('has a form that the definition excludes');
}

function* matches(options: readonly JsonObject[], value: unknown, walk: Walk): Paced<number> {
  let count = 0;
  for (const one of options) if (yield* fits(one, value, walk)) count += 1;
  return count;
}

function isAmong(allowed: readonly unknown[], value: unknown, budget: Budget): boolean {
  if (typeof value !== 'object' || value === null) return setOf(allowed).has(value);
  // Each may differ at its end only.
  return budget.take(sizeOf(allowed)) && allowed.some((one) => equal(one, value));
}

const setOf = once((values: readonly unknown[]): ReadonlySet<unknown> => new Set(values));

/** By a schema inside of `allOf` and its like: it refines the one around it, and does not say which fields there are. */
function* validateRest(schema: JsonObject, value: unknown, path: Path, walk: Walk): Paced<void> {
  if (!walk.budget.takeFor(value) || walk.issues.length >= MOST_ISSUES) return;
  if (walk.budget.pauseIsDue()) yield;
  const expected = expectedType(schema);
  if (expected !== undefined && !isOfType(expected, value)) {
    walk.issues.push({ path, code: 'WrongType', message: `must be ${TYPE_WORDS[expected]}, found ${shown(value)}` });
    return;
  }
  if (isObject(value))
    for (const [name, field] of Object.entries(value)) {
      const inner = field === undefined ? undefined : fieldSchema(schema, name);
      if (inner) yield* validateRest(inner, field, [...path, name], walk);
    }
  if (isList(value)) {
    const items = partOf(schema, 'items');
    if (items) for (const [i, item] of value.entries()) yield* validateRest(items, item, [...path, i], walk);
  }
  validateItself(schema, value, path, walk);
  yield* validateForms(schema, value, path, walk);
}

function* fits(schema: JsonObject, value: unknown, { budget }: Walk): Paced<boolean> {
  const issues: ValueIssue[] = [];
  yield* validateRest(schema, value, [], { budget, issues });
  return issues.length === 0;
}

const NO_SCHEMAS: readonly JsonObject[] = [];

function listOf(value: unknown): readonly JsonObject[] {
  return isList(value) ? value.filter(isObject) : NO_SCHEMAS;
}

type Type = keyof typeof TYPE_WORDS;
const TYPE_WORDS = {
  object: 'a map',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  'int-or-string': 'a whole number or text',
} as const;

function expectedType(schema: JsonObject): Type | undefined {
  if (isIntOrString(schema)) return 'int-or-string';
  const type = schema['type'];
  return typeof type === 'string' && Object.hasOwn(TYPE_WORDS, type) ? (type as Type) : undefined;
}

function isOfType(type: Type, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return isList(value);
    case 'string':
      return typeof value === 'string';
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'int-or-string':
      return typeof value === 'string' || Number.isInteger(value);
  }
}

interface Limit {
  readonly words: string;
  /** Undefined where the rule is not for such a value. */
  holds(value: unknown, limit: number, schema: JsonObject): boolean | undefined;
}

/** Characters as OpenAPI counts them. */
const length = (value: unknown): number | undefined => (typeof value === 'string' ? [...value].length : undefined);
const entries = (value: unknown): number | undefined => (isList(value) ? value.length : undefined);
const fields = (value: unknown): number | undefined => (isObject(value) ? Object.keys(value).length : undefined);
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const atLeast =
  (of: (value: unknown) => number | undefined) =>
  (value: unknown, limit: number): boolean | undefined => {
    const size = of(value);
    return size === undefined ? undefined : size >= limit;
  };
const atMost =
  (of: (value: unknown) => number | undefined) =>
  (value: unknown, limit: number): boolean | undefined => {
    const size = of(value);
    return size === undefined ? undefined : size <= limit;
  };

const LIMITS: ReadonlyMap<string, Limit> = new Map<string, Limit>([
  ['minLength', { words: 'have at least this many characters:', holds: atLeast(length) }],
  ['maxLength', { words: 'have at most this many characters:', holds: atMost(length) }],
  ['minItems', { words: 'have at least this many entries:', holds: atLeast(entries) }],
  ['maxItems', { words: 'have at most this many entries:', holds: atMost(entries) }],
  ['minProperties', { words: 'have at least this many fields:', holds: atLeast(fields) }],
  ['maxProperties', { words: 'have at most this many fields:', holds: atMost(fields) }],
  [
    'minimum',
    {
      words: 'be no less than',
      holds: (value, limit, schema) =>
        schema['exclusiveMinimum'] === true && value === limit ? false : atLeast(number)(value, limit),
    },
  ],
  [
    'maximum',
    {
      words: 'be no more than',
      holds: (value, limit, schema) =>
        schema['exclusiveMaximum'] === true && value === limit ? false : atMost(number)(value, limit),
    },
  ],
  [
    'multipleOf',
    {
      words: 'be a multiple of',
      holds: (value, limit) => (typeof value === 'number' && limit > 0 ? isWhole(value / limit) : undefined),
    },
  ],
]);

/** Those that a schema sets. */
const limitsOf = once((schema: JsonObject) =>
  [...LIMITS].flatMap(([name, rule]) => {
    const limit = readKey(schema, name);
    return typeof limit === 'number' ? [{ rule, limit }] : [];
  }),
);

function isWhole(quotient: number): boolean {
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}

const MAX_SHOWN = 60;

function shown(value: unknown): string {
  if (isList(value)) return 'a list';
  if (isObject(value)) return 'a map';
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}
