/** Holds a YAML tree against the schema of its kind. */
import type { z } from 'zod';
import {
  KINDS,
  ManifestMeta,
  readKey,
  type Kind,
  type KubeObject,
  type ObjectMeta,
} from '../../../contracts/objects/index.ts';
import { isSealed } from '../kinds/sealed.ts';
import type { Findings } from './findings.ts';
import { explainIssue, type SchemaIssue } from './schema-issues.ts';
import { fieldsAt, isFreeMap, zeroValueAt } from './schema-walk.ts';
import { explainUnknownField } from './unknown-fields.ts';
import {
  isNull,
  nodeAt,
  offsetOf,
  pathKey,
  pathText,
  toValue,
  withRenames,
  withValues,
  type FieldPath,
  type YamlNode,
} from './yaml-tree.ts';

/** More rounds of correcting misspelled fields than any manifest needs. */
const MAX_ROUNDS = 12;

export interface Shape {
  /** Undefined when the shape is still wrong after misspelled fields were read as what was meant. */
  readonly value: KubeObject | undefined;
  /** What `value` was read from. */
  readonly plain: unknown;
  /** The tree with misspelled fields under their right names. */
  readonly tree: YamlNode;
  readonly refused: RefusedFields;
}

/** Fields that were reported and left out: what is wrong only because they are not there was said already. */
export class RefusedFields {
  readonly #byParent = new Map<string, Set<string>>();

  add(parent: FieldPath, name: string): void {
    const key = pathKey(parent);
    this.#byParent.set(key, (this.#byParent.get(key) ?? new Set()).add(name));
  }

  has(path: FieldPath): boolean {
    return this.#byParent.get(pathKey(path.slice(0, -1)))?.has(String(path.at(-1))) === true;
  }

  /**
   * Whether the object at `path` lacks a field for that reason: no rule over its fields as a whole can be held against
   * it.
   */
  isIncomplete(path: FieldPath): boolean {
    return this.#byParent.has(pathKey(path));
  }
}

/**
 * Reports everything that the schema says. Misspelled fields are read as what was meant, and fields that may not be
 * there are dropped, so that one mistake neither hides the others nor causes new ones.
 */
export function explainShape(kind: Kind, schema: z.ZodType, root: YamlNode, findings: Findings): Shape {
  // The apiVersion was checked before; the rest is read as of the right one.
  const plainOf = (tree: YamlNode): unknown => ({
    ...(toValue(tree) as Record<string, unknown>),
    apiVersion: KINDS[kind].apiVersion,
  });
  const explained = explain(schema, root, [], plainOf, findings, (path) => isSealed(kind, path));
  return { ...explained, value: explained.value as KubeObject | undefined };
}

/** The same for the value at `base`, of which the schema of the whole object says nothing. */
export function explainPart(schema: z.ZodType, root: YamlNode, base: FieldPath, findings: Findings): void {
  const plainOf = (tree: YamlNode): unknown => {
    const node = nodeAt(tree, base);
    return node && toValue(node);
  };
  explain(schema, root, base, plainOf, findings, () => false);
}

/** The metadata of an object of any kind; undefined where it is not right, which is reported then. */
export function explainMetadata(root: YamlNode, findings: Findings): ObjectMeta | undefined {
  const plainOf = (tree: YamlNode): unknown => {
    const node = nodeAt(tree, ['metadata']);
    return node && toValue(node);
  };
  return explain(ManifestMeta, root, ['metadata'], plainOf, findings, () => false).value as ObjectMeta | undefined;
}

function explain(
  schema: z.ZodType,
  root: YamlNode,
  base: FieldPath,
  plainOf: (tree: YamlNode) => unknown,
  findings: Findings,
  isSecret: (path: readonly PropertyKey[]) => boolean,
): { readonly value: unknown; readonly plain: unknown; readonly tree: YamlNode; readonly refused: RefusedFields } {
  const refused = new RefusedFields();
  let tree = root;
  for (let round = 0; ; round++) {
    const asWritten = plainOf(tree);
    const filled = withZeroValues(schema, tree, base, asWritten, findings);
    const plain = filled === tree ? asWritten : plainOf(filled);
    tree = filled;
    const parsed = schema.safeParse(plain);
    const issues: readonly SchemaIssue[] = parsed.success ? [] : parsed.error.issues;
    const corrected = correctFields(schema, tree, base, plain, issues, findings, refused);
    if (corrected && round < MAX_ROUNDS) {
      tree = corrected;
      continue;
    }
    for (const issue of issues) {
      if (findings.full) break;
      const located = base.length === 0 ? issue : { ...issue, path: [...base, ...issue.path] };
      if (follows(located, tree, refused)) continue;
      for (const e of explainIssue(located, tree, isSecret(located.path)))
        findings.error(e.code, offsetOf(tree, e.path, e.part), e.message, e.hint);
    }
    return { value: parsed.success ? parsed.data : undefined, plain, tree, refused };
  }
}

/** Whether there would be no such issue without a mistake that is reported at its own place. */
function follows(issue: SchemaIssue, tree: YamlNode, refused: RefusedFields): boolean {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'custom') return refused.isIncomplete(path);
  const parent = path.slice(0, -1);
  const name = String(path.at(-1));
  if (nodeAt(tree, path)) return false;
  const substitute = readKey(SUBSTITUTES, name);
  return substitute !== undefined && refused.has([...parent, substitute]);
}

/** Fields that stand for another one: who wrote them did not forget it. */
const SUBSTITUTES: Readonly<Record<string, string>> = { name: 'generateName' };

/**
 * Reports fields that the schema does not have and gives the tree without them; undefined when there are none. `base`:
 * what the schema is for.
 */
function correctFields(
  schema: z.ZodType,
  tree: YamlNode,
  base: FieldPath,
  plain: unknown,
  issues: readonly SchemaIssue[],
  findings: Findings,
  refused: RefusedFields,
): YamlNode | undefined {
  const renames = new Map<string, Map<string, string | undefined>>();
  for (const { parent, names } of [...issues.flatMap(unrecognized), ...nullFields(nodeAt(tree, base))]) {
    const fields = isFreeMap(schema, parent, plain) ? undefined : fieldsAt(schema, parent, plain);
    if (!fields) continue;
    const place = [...base, ...parent];
    const here = renames.get(pathKey(place)) ?? new Map<string, string | undefined>();
    const taken = new Set<string>();
    for (const name of names) {
      if (fields.known.includes(name) || here.has(name)) continue;
      renames.set(pathKey(place), here.set(name, undefined));
      if (findings.full) continue;
      const path = [...place, name];
      const { issue, meant } = explainUnknownField(schema, fields, [...parent, name], plain, base);
      const node = nodeAt(tree, path);
      // A null field is not set, so a known one does no harm (`creationTimestamp: null` in generated manifests).
      const unset = node !== undefined && isNull(node) && issue?.code !== 'UnknownField';
      if (issue && !unset) findings.error(issue.code, offsetOf(tree, path, 'key'), issue.message, issue.hint);
      if (meant !== undefined && !taken.has(meant) && nodeAt(tree, [...place, meant]) === undefined) {
        taken.add(meant);
        here.set(name, meant);
      } else if (issue && !unset) refused.add(place, name);
    }
  }
  return renames.size > 0 ? withRenames(tree, renames) : undefined;
}

interface FieldsOfParent {
  readonly parent: FieldPath;
  readonly names: readonly string[];
}
interface EntriesOfParent {
  readonly parent: FieldPath;
  readonly names: readonly (string | number)[];
}

function unrecognized(issue: SchemaIssue): FieldsOfParent[] {
  if (issue.code !== 'unrecognized_keys') return [];
  return [{ parent: issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step)), names: issue.keys }];
}

/** Fields of maps that are null. */
function nullFields(tree: YamlNode | undefined): FieldsOfParent[] {
  return nullEntries(tree).flatMap(({ parent, names }) => {
    const fields = names.filter((name) => typeof name === 'string');
    return fields.length > 0 ? [{ parent, names: fields }] : [];
  });
}

/** What is null in maps and lists. */
function nullEntries(tree: YamlNode | undefined, parent: FieldPath = []): EntriesOfParent[] {
  if (!tree || tree.kind === 'scalar') return [];
  const entries: (readonly [string | number, YamlNode])[] =
    tree.kind === 'list'
      ? tree.items.map((item, i) => [i, item] as const)
      : [...tree.fields].map(([name, { node }]) => [name, node] as const);
  const names = entries.filter(([, node]) => isNull(node)).map(([name]) => name);
  const inner = entries.flatMap(([name, node]) => nullEntries(node, [...parent, name]));
  return names.length > 0 ? [{ parent, names }, ...inner] : inner;
}

/**
 * The tree with the value that Kubernetes reads in place of a null in a list or a map with free keys; the tree itself
 * where there is none. Warns of them, once: a value may have been forgotten.
 */
function withZeroValues(
  schema: z.ZodType,
  tree: YamlNode,
  base: FieldPath,
  plain: unknown,
  findings: Findings,
): YamlNode {
  const zeros = nullEntries(nodeAt(tree, base)).flatMap(({ parent, names }) =>
    names.flatMap((name) => {
      const zero = zeroValueAt(schema, [...parent, name], plain);
      return zero === undefined ? [] : [{ path: [...base, ...parent, name], zero }];
    }),
  );
  const [first] = zeros;
  if (!first) return tree;
  const others = zeros.length > 1 ? `; the same holds of ${zeros.length - 1} more values of this object` : '';
  findings.warning(
    'NoValue',
    offsetOf(tree, first.path, 'key'),
    `${pathText(first.path)} has no value, and is read as ${JSON.stringify(first.zero)}, as Kubernetes does${others}`,
    'write the value that is meant',
  );
  return withValues(tree, new Map(zeros.map(({ path, zero }) => [pathKey(path), zero])));
}
