/**
 * Where the fields are that are compared with other objects once all files are read; the trees themselves are not kept.
 */
import { readKey, type KubeObject } from '../../../contracts/objects/index.ts';
import { pluginUses } from './checks/check-profiles.ts';
import type { Findings } from './findings.ts';
import { configReferences, podTemplateOf } from './pod-templates.ts';
import type { DesiredObject, Position } from './types.ts';
import { nodeAt, offsetOf, pathText, type FieldPath, type YamlNode } from './yaml-tree.ts';

const FIXED: readonly FieldPath[] = [
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['spec'],
  ['spec', 'selector'],
  ['spec', 'clusterIP'],
  ['spec', 'address'],
  ['spec', 'network', 'podCIDR'],
  ['spec', 'sync', 'maxPrunePercent'],
  ['spec', 'minAvailable'],
  ['spec', 'maxUnavailable'],
  ['data'],
  ['binaryData'],
  ['stringData'],
  ['type'],
  ['immutable'],
  ['value'],
  ['globalDefault'],
  ['preemptionPolicy'],
];

export function fieldMarks(
  object: KubeObject,
  tree: YamlNode,
  findings: Findings,
): NonNullable<DesiredObject['marks']> {
  const paths: FieldPath[] = [...FIXED];
  if (object.kind === 'Service')
    object.spec.ports.forEach((_, i) =>
      paths.push(['spec', 'ports', i, 'nodePort'], ['spec', 'ports', i, 'targetPort']),
    );
  const template = podTemplateOf(object);
  if (template) {
    paths.push(
      ...configReferences(template).map((r) => r.path),
      [...template.path, 'priorityClassName'],
      [...template.path, 'schedulerName'],
      [...template.path, 'serviceAccountName'],
    );
  }
  if (object.kind === 'KubeSchedulerConfiguration') paths.push(...pluginUses(object).map((use) => use.path));
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

/** Where a field of a desired object is written; the object's own position when that is not known. */
export function positionOf(desired: DesiredObject, ...path: FieldPath): Position {
  const mark = readKey(desired.marks, pathText(path));
  return mark ? { file: desired.position.file, line: mark[0], column: mark[1] } : desired.position;
}
