/**
 * Where the fields are that are compared with other objects once all files are read; the trees themselves are not kept.
 */
import { readKey, type KubeObject } from '../../../contracts/objects/index.ts';
import { DEPENDS_ON } from '../diff/sync-order.ts';
import { descriptorOf } from '../kinds/index.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import type { Findings } from './findings.ts';
import type { DesiredObject, Position } from './types.ts';
import { nodeAt, offsetOf, pathText, type FieldPath, type YamlNode } from './yaml-tree.ts';

/** Of every kind. */
const COMMON: readonly FieldPath[] = [
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'annotations', DEPENDS_ON],
  ['spec'],
];

export function fieldMarks(
  object: KubeObject,
  tree: YamlNode,
  findings: Findings,
): NonNullable<DesiredObject['marks']> {
  const { compared, fixed, references, scale } = descriptorOf(object.kind);
  const paths: FieldPath[] = [...COMMON, ...fixed.map(({ path }) => path)];
  if (compared !== 'none') paths.push(...('paths' in compared ? compared.paths(object) : compared));
  if (scale !== 'none') paths.push(scale.replicas);
  if (references !== 'none') paths.push(...references.of(object).map(({ path }) => path));
  const template = podTemplateOf(object);
  if (template)
    paths.push(
      template.path,
      ...['priorityClassName', 'schedulerName', 'serviceAccountName'].map((name) => [...template.path, name]),
    );
  const marks: Record<string, readonly [number, number]> = {};
  for (const path of paths) {
    if (!nodeAt(tree, path)) continue;
    const { line, column } = findings.position(
      offsetOf(tree, path, nodeAt(tree, path)?.kind === 'scalar' ? 'value' : 'key'),
    );
    marks[pathText(path)] = [line, column];
  }
  return marks;
}

interface Placed {
  readonly position: Position;
  readonly marks?: DesiredObject['marks'] | undefined;
}

/** Where a field of a desired object is written; the object's own position when that is not known. */
export function positionOf(desired: Placed, ...path: FieldPath): Position {
  const mark = readKey(desired.marks, pathText(path));
  return mark ? placeIn(desired.position, mark[0], mark[1]) : desired.position;
}

/** A place in the file or, of what was rendered, in the document that `position` is of. */
export function placeIn(position: Position, line: number, column: number): Position {
  const { file, rendered } = position;
  return rendered ? { ...position, rendered: { ...rendered, line: rendered.line + line - 1 } } : { file, line, column };
}
