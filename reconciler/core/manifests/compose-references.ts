/**
 * Names that one object uses of another. What Git does not hold may be made by someone else, so most of these are
 * warnings.
 */
import {
  DEFAULT_SERVICE_ACCOUNT,
  isKeyOf,
  labelsInclude,
  namedKey,
  objectKey,
  parseKey,
  type Kind,
  type ObjectKey,
  type Service,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import { groupBy } from '../group-by.ts';
import { descriptorOf } from '../kinds/index.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import type { Tell } from './findings.ts';
import { LabelIndex } from './label-index.ts';
import { positionOf } from './marks.ts';
import { containersOf, type PodTemplate } from './pod-templates.ts';
import type { Suggestions } from './suggest.ts';
import type { DesiredObject, DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

export function checkReferences(
  state: DesiredState,
  declared: ReadonlySet<ObjectKey>,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const accounts = groupBy(
    [...declared].filter((key) => isKeyOf(key, 'ServiceAccount')).map((key) => parseKey(key)),
    ({ namespace }) => namespace,
  );
  const pods = [...state.values()].flatMap((desired) => {
    const template = podTemplateOf(desired.object);
    return template
      ? [{ desired, template, namespace: desired.object.metadata.namespace, labels: template.labels }]
      : [];
  });
  const index = new LabelIndex(pods);
  for (const { desired, template, namespace } of pods) {
    const closest = (name: string): string | undefined =>
      suggestions.closest(name, () => (accounts.get(namespace ?? '') ?? []).map((a) => a.name));
    checkServiceAccount(desired, template, declared, closest, tell);
  }
  for (const desired of state.values()) {
    const { object } = desired;
    checkNamed(desired, state, declared, tell);
    if (object.kind !== 'Service' || Object.keys(object.spec.selector ?? {}).length === 0) continue;
    const selected = index
      .candidates(object.metadata.namespace, object.spec.selector)
      .filter(({ labels }) => labelsInclude(labels, object.spec.selector));
    checkTargetPorts(
      desired,
      object,
      selected.map(({ template }) => template),
      tell,
    );
  }
}

/** What the facet `references` has of the object. */
function checkNamed(desired: DesiredObject, state: DesiredState, declared: ReadonlySet<ObjectKey>, tell: Tell): void {
  const { references } = descriptorOf(desired.object.kind);
  if (references === 'none') return;
  const told = new Set<string>();
  for (const { kind, namespace, name, keys, optional, path } of references.of(desired.object)) {
    // Without its RuntimeClass a pod is refused, not kept waiting: compose-runtime-classes.ts.
    if (optional || kind === 'RuntimeClass') continue;
    const key = namedKey(kind, namespace ?? desired.object.metadata.namespace, name);
    const at = positionOf(desired, ...path);
    const found = state.get(key)?.object;
    if (!found) {
      if (declared.has(key) || told.has(key)) continue;
      told.add(key);
      tell(
        'warning',
        'MissingReference',
        at,
        `${pathText(path)} names ${kind} ${name}, which is in no manifest`,
        `its pods wait until it exists${canBeOptional(kind) ? '; set optional: true if it may be absent' : ''}`,
      );
      continue;
    }
    if (found.kind !== 'ConfigMap' && found.kind !== 'Secret') continue;
    for (const wanted of keys) {
      const has =
        Object.hasOwn(found.data ?? {}, wanted) ||
        (found.kind === 'ConfigMap' && Object.hasOwn(found.binaryData ?? {}, wanted));
      if (!has)
        tell('warning', 'MissingReference', at, `${kind} ${name} has no key ${wanted}`, 'its pods wait until it has');
    }
  }
}

function canBeOptional(kind: Kind): boolean {
  return kind === 'ConfigMap' || kind === 'Secret';
}

/** A pod whose ServiceAccount is missing is refused, as Kubernetes' admission does; `default` is in every namespace. */
function checkServiceAccount(
  desired: DesiredObject,
  template: PodTemplate,
  declared: ReadonlySet<ObjectKey>,
  closest: (name: string) => string | undefined,
  tell: Tell,
): void {
  const { namespace } = desired.object.metadata;
  const name = template.spec.serviceAccountName ?? DEFAULT_SERVICE_ACCOUNT;
  if (name === DEFAULT_SERVICE_ACCOUNT || declared.has(objectKey('ServiceAccount', namespace, name))) return;
  const close = closest(name);
  const path = [...template.path, 'serviceAccountName'];
  tell(
    'error',
    'UnknownServiceAccount',
    positionOf(desired, ...path),
    `${pathText(path)} names ServiceAccount ${name}, which is in no manifest of namespace ${namespace ?? ''}`,
    close
      ? `did you mean ${close}?`
      : 'add a manifest of kind ServiceAccount with this name; none is needed for default',
  );
}

function checkTargetPorts(
  desired: DesiredObject,
  service: Service,
  selected: readonly PodTemplate[],
  tell: Tell,
): void {
  const { ports } = service.spec;
  if (selected.length === 0) return;
  const names = new Set(
    selected.flatMap((t) => containersOf(t).flatMap((c) => (c.container.ports ?? []).map((p) => p.name))),
  );
  for (const [i, { targetPort }] of ports.entries()) {
    if (typeof targetPort !== 'string' || names.has(targetPort)) continue;
    const known = [...names].filter((n) => n !== undefined);
    const hint = known.length > 0 ? `their ports: ${andMore(known, 12)}` : 'their containers name no ports';
    tell(
      'warning',
      'TargetPortNotFound',
      positionOf(desired, 'spec', 'ports', i, 'targetPort'),
      `spec.ports[${i}].targetPort names the port ${targetPort}, which none of the selected pods has`,
      hint,
    );
  }
}
