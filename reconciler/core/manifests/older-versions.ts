/** Manifests that name another version of their kind than that which it has here. */
import { KINDS, type Kind } from '../../../contracts/objects/index.ts';
import type { Findings } from './findings.ts';
import { nodeAt, offsetOf, toValue, type YamlField, type YamlMap, type YamlNode } from './yaml-tree.ts';

/** A version of a kind that Kubernetes has had or has beside the one here, and whose fields may be others. */
export function isOlderVersion(apiVersion: unknown): boolean {
  return typeof apiVersion === 'string' && /^extensions\/|(^|\/)v\d+(alpha|beta)\d+$/.test(apiVersion);
}

/** Whether a manifest that names `apiVersion` is read, as one of the kind's own version. */
export function isAlsoRead(kind: Kind, apiVersion: unknown): boolean {
  const { group, alsoReads = [] } = KINDS[kind];
  return alsoReads.some((version) => apiVersion === `${group}/${version}`);
}

/** A manifest of a version that is read as the kind's own: as one of that, with its places. */
export function inOwnVersion(kind: Kind, root: YamlMap, findings: Findings): YamlMap {
  const field = root.fields.get('apiVersion');
  if (field?.node.kind !== 'scalar' || !isAlsoRead(kind, field.node.value)) return root;
  const node = { ...field.node, value: KINDS[kind].apiVersion };
  const own = { ...root, fields: new Map([...root.fields, ['apiVersion', { ...field, node }]]) };
  return kind === 'HorizontalPodAutoscaler' ? autoscalerOfV1(own, findings) : own;
}

/** Where a server keeps what autoscaling/v1 has no fields for. Source: Kubernetes, pkg/apis/autoscaling/annotations.go. */
const V1_ANNOTATIONS = ['autoscaling.alpha.kubernetes.io/metrics', 'autoscaling.alpha.kubernetes.io/behavior'];
const V1_TARGET = 'targetCPUUtilizationPercentage';

/**
 * An autoscaler of autoscaling/v1, which knows one measure: cpu, in percent of what is requested. Source: Kubernetes,
 * pkg/apis/autoscaling/v1/conversion.go.
 */
function autoscalerOfV1(root: YamlMap, findings: Findings): YamlMap {
  for (const path of [
    ['spec', 'metrics'],
    ['spec', 'behavior'],
    ...V1_ANNOTATIONS.map((name) => ['metadata', 'annotations', name]),
  ])
    if (nodeAt(root, path))
      findings.error(
        'UnknownField',
        offsetOf(root, path, 'key'),
        `autoscaling/v1 has no ${path.at(-1)}`,
        'write apiVersion: autoscaling/v2, with spec.metrics and spec.behavior',
      );
  const spec = root.fields.get('spec');
  const target = spec?.node.kind === 'map' ? spec.node.fields.get(V1_TARGET) : undefined;
  if (spec?.node.kind !== 'map' || !target) return root;
  const fields = [...spec.node.fields].map(([name, field]): [string, YamlField] =>
    name === V1_TARGET ? ['metrics', cpuMetric(target)] : [name, field],
  );
  return withField(root, 'spec', { ...spec, node: { ...spec.node, fields: new Map(fields) } });
}

/** Every part of it is at the place of the number. */
function cpuMetric({ keyOffset, node: number }: YamlField): YamlField {
  const { offset } = number;
  const map = (fields: Readonly<Record<string, YamlNode>>): YamlMap => ({
    kind: 'map',
    offset,
    size: 1,
    fields: new Map(Object.entries(fields).map(([name, node]) => [name, { keyOffset, node }])),
  });
  const text = (value: string): YamlNode => ({ kind: 'scalar', offset, size: 1, value, source: value, quoted: false });
  const target = map({ type: text('Utilization'), averageUtilization: number });
  const metric = map({ type: text('Resource'), resource: map({ name: text('cpu'), target }) });
  // Null is no target: the default.
  const items = toValue(number) === null ? [] : [metric];
  return { keyOffset, node: { kind: 'list', offset, size: 1, items } };
}

function withField(root: YamlMap, name: string, field: YamlField): YamlMap {
  return { ...root, fields: new Map([...root.fields, [name, field]]) };
}
