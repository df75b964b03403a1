/** A document of a kind that is not built in, as far as that can be read without knowing the kind. */
import type { ObjectMeta, UnstructuredJson } from '../../../contracts/objects/index.ts';
import { checkOwnAnnotations } from './checks/check-object.ts';
import { explainMetadata } from './explain-shape.ts';
import type { Findings } from './findings.ts';
import { Places } from './places.ts';
import type { CustomManifest } from './types.ts';
import { saysNothing } from './unknown-fields.ts';
import { offsetOf, pathText, toValue, type YamlMap, type YamlNode } from './yaml-tree.ts';

/** Nobody here knows what such an object is for, so it is bounded in every direction. */
const MAX_DEPTH = 64;
const MAX_VALUES = 50_000;
/** Bytes of all names and texts: what etcd takes of one object, less what the store adds. */
const MAX_BYTES = 1024 * 1024;
const MAX_NAME = 512;

/** Adds the object to `read`, or reports all that is wrong with it. */
export function readCustom(root: YamlMap, findings: Findings, read: CustomManifest[]): void {
  const errorsBefore = findings.errors;
  const excess = excessOf(root);
  if (excess) {
    findings.error('ObjectTooLarge', excess.offset, excess.message, 'split it, or keep data elsewhere');
    return;
  }
  const metadata = explainMetadata(root, findings);
  if (metadata)
    checkOwnAnnotations(metadata, {
      error: (code, path, message, hint) => {
        findings.error(code, offsetOf(root, path, 'value'), `${pathText(path)} ${message}`, hint);
      },
    });
  const value = toValue(root) as UnstructuredJson;
  const { status, ...written } = value;
  if (!saysNothing(status))
    findings.error(
      'StatusInManifest',
      offsetOf(root, ['status'], 'key'),
      'status is written by whoever acts on the object, never in Git',
      'remove status and everything under it',
    );
  if (findings.errors > errorsBefore || !metadata) return;
  read.push({
    object: { ...written, metadata: definite(metadata) },
    position: findings.position(root.offset),
    places: new Places(value, root, (offset) => findings.position(offset)),
  });
}

/** Without the fields that are read as absent. */
function definite(metadata: ObjectMeta): ObjectMeta {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as ObjectMeta;
}

interface Excess {
  readonly offset: number;
  readonly message: string;
}

/** Where the object is more than is read; nothing is copied to find out. */
function excessOf(root: YamlNode): Excess | undefined {
  if (root.size > MAX_VALUES)
    return { offset: root.offset, message: `an object of a custom kind has at most ${MAX_VALUES} values` };
  let bytes = 0;
  const visit = (node: YamlNode, depth: number): Excess | undefined => {
    if (depth > MAX_DEPTH) return { offset: node.offset, message: `this is nested deeper than ${MAX_DEPTH} levels` };
    bytes += node.kind === 'scalar' ? Buffer.byteLength(String(node.value)) : 0;
    if (bytes > MAX_BYTES)
      return { offset: root.offset, message: `an object of a custom kind has at most ${MAX_BYTES} bytes` };
    if (node.kind === 'list') return first(node.items, (item) => visit(item, depth + 1));
    if (node.kind !== 'map') return undefined;
    return first(node.fields, ([name, field]) => {
      bytes += Buffer.byteLength(name);
      return name.length > MAX_NAME
        ? { offset: field.keyOffset, message: `a field's name has at most ${MAX_NAME} characters` }
        : visit(field.node, depth + 1);
    });
  };
  return visit(root, 0);
}

function first<T>(values: Iterable<T>, look: (value: T) => Excess | undefined): Excess | undefined {
  for (const value of values) {
    const found = look(value);
    if (found) return found;
  }
  return undefined;
}
