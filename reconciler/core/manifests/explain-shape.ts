/** Holds a YAML tree against the schema of its kind. */
import type { z } from 'zod';
import { KINDS, type Kind, type KubeObject } from '../../../contracts/objects/index.ts';
import type { Findings } from './findings.ts';
import { explainIssue, type SchemaIssue } from './schema-issues.ts';
import { fieldsAt, isFreeMap } from './schema-walk.ts';
import { explainUnknownField } from './unknown-fields.ts';
import { isNull, nodeAt, offsetOf, pathKey, pathText, toValue, withRenames, type FieldPath, type YamlNode } from './yaml-tree.ts';

/** More rounds of correcting misspelled fields than any manifest needs. */
const MAX_ROUNDS = 12;

export interface Shape {
  /** Undefined when the shape is still wrong after misspelled fields were read as what was meant. */
  readonly value: KubeObject | undefined;
  /** The tree with misspelled fields under their right names. */
  readonly tree: YamlNode;
}

/**
 * Reports everything that the schema says. Misspelled fields are read as what was meant, and fields that may not be there are dropped, so
 * that one mistake neither hides the others nor causes new ones.
 */
export function explainShape(kind: Kind, schema: z.ZodType, root: YamlNode, findings: Findings): Shape {
  let tree = root;
  for (let round = 0; ; round++) {
    // The apiVersion was checked before; the rest is read as of the right one.
    const plain = { ...(toValue(tree) as Record<string, unknown>), apiVersion: KINDS[kind].apiVersion };
    const parsed = schema.safeParse(plain);
    const issues: readonly SchemaIssue[] = parsed.success ? [] : parsed.error.issues;
    const corrected = correctFields(schema, tree, plain, issues, findings);
    if (corrected && round < MAX_ROUNDS) {
      tree = corrected;
      continue;
    }
    for (const issue of issues) {
      if (findings.full) break;
      const secret = kind === 'Secret' && (issue.path[0] === 'data' || issue.path[0] === 'stringData');
      for (const e of explainIssue(issue, tree, secret)) findings.error(e.code, offsetOf(tree, e.path, e.part), e.message, e.hint);
    }
    reportNullEntries(schema, tree, plain, findings);
    return { value: parsed.success ? (parsed.data as KubeObject) : undefined, tree };
  }
}

/** Reports fields that the schema does not have and gives the tree without them; undefined when there are none. */
function correctFields(schema: z.ZodType, tree: YamlNode, plain: unknown, issues: readonly SchemaIssue[], findings: Findings): YamlNode | undefined {
  const renames = new Map<string, Map<string, string | undefined>>();
  for (const { parent, names } of [...issues.flatMap(unrecognized), ...nullFields(tree)]) {
    const fields = isFreeMap(schema, parent, plain) ? undefined : fieldsAt(schema, parent, plain);
    if (!fields) continue;
    const here = renames.get(pathKey(parent)) ?? new Map<string, string | undefined>();
    const taken = new Set<string>();
    for (const name of names) {
      if (fields.known.includes(name) || here.has(name)) continue;
      renames.set(pathKey(parent), here.set(name, undefined));
      if (findings.full) continue;
      const path = [...parent, name];
      const { issue, meant } = explainUnknownField(schema, fields, path, plain);
      const node = nodeAt(tree, path);
      // A null field is not set, so a known one does no harm (`creationTimestamp: null` in generated manifests).
      const unset = node !== undefined && isNull(node) && issue.code !== 'UnknownField';
      if (!unset) findings.error(issue.code, offsetOf(tree, path, 'key'), issue.message, issue.hint);
      if (meant === undefined || taken.has(meant) || nodeAt(tree, [...parent, meant]) !== undefined) continue;
      taken.add(meant);
      here.set(name, meant);
    }
  }
  return renames.size > 0 ? withRenames(tree, renames) : undefined;
}

interface FieldsOfParent {
  readonly parent: FieldPath;
  readonly names: readonly string[];
}

function unrecognized(issue: SchemaIssue): FieldsOfParent[] {
  if (issue.code !== 'unrecognized_keys') return [];
  return [{ parent: issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step)), names: issue.keys }];
}

function nullFields(tree: YamlNode, parent: FieldPath = []): FieldsOfParent[] {
  if (tree.kind === 'list') return tree.items.flatMap((item, i) => nullFields(item, [...parent, i]));
  if (tree.kind !== 'map') return [];
  const fields = [...tree.fields];
  const names = fields.filter(([, field]) => isNull(field.node)).map(([name]) => name);
  const inner = fields.flatMap(([name, field]) => nullFields(field.node, [...parent, name]));
  return names.length > 0 ? [{ parent, names }, ...inner] : inner;
}

/** In a map with free keys a null is no unset field but a forgotten value. */
function reportNullEntries(schema: z.ZodType, tree: YamlNode, plain: unknown, findings: Findings): void {
  for (const { parent, names } of nullFields(tree)) {
    if (findings.full || !isFreeMap(schema, parent, plain)) continue;
    for (const name of names) {
      const path = [...parent, name];
      findings.error('WrongType', offsetOf(tree, path, 'key'), `${pathText(path)} must be text, found nothing (null)`, 'write "" for empty text');
    }
  }
}
