/** The tree that a YAML document is read into: plain values, each with where it was written. */
import { readKey } from '../../../contracts/objects/index.ts';
import type { ScalarValue } from './yaml-scalars.ts';

interface NodeBase {
  /** Offset in the text of the file, in UTF-16 units. */
  readonly offset: number;
  /** Nodes of the subtree with aliases expanded, itself included. */
  readonly size: number;
}
export interface YamlScalar extends NodeBase {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
  /** As written, without quotes. */
  readonly source: string;
  readonly quoted: boolean;
}
export interface YamlMap extends NodeBase {
  readonly kind: 'map';
  readonly fields: ReadonlyMap<string, YamlField>;
}
export interface YamlList extends NodeBase {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
}
export type YamlNode = YamlScalar | YamlMap | YamlList;
export interface YamlField {
  readonly keyOffset: number;
  readonly node: YamlNode;
}

/** From the root of an object to a value in it. */
export type FieldPath = readonly (string | number)[];

/**
 * The plain value. Fields whose value is null are left out: to Kubernetes a null field is a field that is not set.
 * Nulls in lists stay.
 */
export function toValue(node: YamlNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(toValue);
    case 'map': {
      const value: Record<string, unknown> = {};
      for (const [key, field] of node.fields) if (!isNull(field.node)) value[key] = toValue(field.node);
      return value;
    }
  }
}

/** The plain value that `path` leads to from `root`; undefined where there is none. */
export function valueAt(root: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null ? readKey(value as Record<string, unknown>, String(step)) : undefined,
    root,
  );
}

export function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** The child at one step, or undefined. */
export function childOf(node: YamlNode, step: string | number): YamlNode | undefined {
  if (node.kind === 'map') return node.fields.get(String(step))?.node;
  return node.kind === 'list' && typeof step === 'number' ? node.items[step] : undefined;
}

export function nodeAt(root: YamlNode, path: FieldPath): YamlNode | undefined {
  let node: YamlNode | undefined = root;
  for (const step of path) node = node && childOf(node, step);
  return node;
}

/**
 * Where to point a person for `path`: `value` at the value, `key` at the field's name. What is not there is shown at
 * the name of the nearest parent that is.
 */
export function offsetOf(root: YamlNode, path: FieldPath, part: 'key' | 'value'): number {
  let node = root;
  let named = root.offset;
  for (const [i, step] of path.entries()) {
    const keyOffset: number | undefined = node.kind === 'map' ? node.fields.get(String(step))?.keyOffset : undefined;
    const child = childOf(node, step);
    if (!child) return named;
    named = keyOffset ?? child.offset;
    if (i === path.length - 1) return part === 'key' ? named : isNull(child) ? named : child.offset;
    node = child;
  }
  return named;
}

/** New names of fields, by the path of their parent (see {@link pathKey}); undefined takes the field away. */
export type Renames = ReadonlyMap<string, ReadonlyMap<string, string | undefined>>;

export function pathKey(path: FieldPath): string {
  return JSON.stringify(path);
}

/** The tree with fields renamed or removed, in one walk; fields keep their order and positions. */
export function withRenames(node: YamlNode, renames: Renames, path: FieldPath = []): YamlNode {
  if (node.kind === 'scalar') return node;
  if (node.kind === 'list')
    return { ...node, items: node.items.map((item, i) => withRenames(item, renames, [...path, i])) };
  const here = renames.get(pathKey(path));
  const fields = new Map<string, YamlField>();
  for (const [key, field] of node.fields) {
    const name = here?.has(key) ? here.get(key) : key;
    if (name !== undefined) fields.set(name, { ...field, node: withRenames(field.node, renames, [...path, key]) });
  }
  return { ...node, fields };
}

/** The tree with other values at some places, by their path (see {@link pathKey}); positions stay. */
export function withValues(node: YamlNode, values: ReadonlyMap<string, ScalarValue>, path: FieldPath = []): YamlNode {
  if (node.kind === 'scalar') {
    const value = values.get(pathKey(path));
    return value === undefined ? node : { ...node, value };
  }
  if (node.kind === 'list')
    return { ...node, items: node.items.map((item, i) => withValues(item, values, [...path, i])) };
  const fields = [...node.fields].map(([key, field]): [string, YamlField] => [
    key,
    { ...field, node: withValues(field.node, values, [...path, key]) },
  ]);
  return { ...node, fields: new Map(fields) };
}

/**
 * `spec.containers[0].ports`, `metadata.labels[app.kubernetes.io/name]`: paths as Kubernetes writes them in its errors.
 */
export function pathText(path: FieldPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number' || !/^[A-Za-z_][\w-]*$/.test(step)) return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}
