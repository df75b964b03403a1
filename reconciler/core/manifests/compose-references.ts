/**
 * Names that one object uses of another. What Git does not hold may be made by someone else, so most of these are
 * warnings.
 */
import {
  DEFAULT_SERVICE_ACCOUNT,
  labelsInclude,
  objectKey,
  parseKey,
  type ConfigMap,
  type ObjectKey,
  type Secret,
  type Service,
} from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import { containersOf, type PodTemplate } from './pod-templates.ts';
import { suggest } from './suggest.ts';
import type { DesiredObject, DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

export function checkReferences(state: DesiredState, declared: ReadonlySet<ObjectKey>, tell: Tell): void {
  const templates = new Map<string, PodTemplate[]>();
  for (const desired of state.values()) {
    checkNamed(desired, state, declared, tell);
    const template = podTemplateOf(desired.object);
    if (!template) continue;
    const namespace = desired.object.metadata.namespace ?? '';
    const known = templates.get(namespace);
    if (known) known.push(template);
    else templates.set(namespace, [template]);
    checkServiceAccount(desired, template, declared, tell);
  }
  for (const desired of state.values()) {
    const { object } = desired;
    if (object.kind === 'Service')
      checkTargetPorts(desired, object, templates.get(object.metadata.namespace ?? '') ?? [], tell);
  }
}

/** What the facet `references` has of the object. */
function checkNamed(desired: DesiredObject, state: DesiredState, declared: ReadonlySet<ObjectKey>, tell: Tell): void {
  const { references } = descriptorOf(desired.object.kind);
  if (references === 'none') return;
  const told = new Set<string>();
  for (const { kind, name, keys, optional, path } of references.of(desired.object)) {
    if (optional) continue;
    const key = objectKey(kind, desired.object.metadata.namespace, name);
    const at = positionOf(desired, ...path);
    const found = state.get(key)?.object as ConfigMap | Secret | undefined;
    if (!found) {
      if (declared.has(key) || told.has(key)) continue;
      told.add(key);
      tell(
        'warning',
        'MissingReference',
        at,
        `${pathText(path)} names ${kind} ${name}, which is in no manifest`,
        'its pods wait until it exists; set optional: true if it may be absent',
      );
      continue;
    }
    for (const wanted of keys) {
      const has =
        Object.hasOwn(found.data ?? {}, wanted) ||
        (found.kind === 'ConfigMap' && Object.hasOwn(found.binaryData ?? {}, wanted));
      if (!has)
        tell('warning', 'MissingReference', at, `${kind} ${name} has no key ${wanted}`, 'its pods wait until it has');
    }
  }
}

/** A pod whose ServiceAccount is missing is refused, as Kubernetes' admission does; `default` is in every namespace. */
function checkServiceAccount(
  desired: DesiredObject,
  template: PodTemplate,
  declared: ReadonlySet<ObjectKey>,
  tell: Tell,
): void {
  const { namespace } = desired.object.metadata;
  const name = template.spec.serviceAccountName ?? DEFAULT_SERVICE_ACCOUNT;
  if (name === DEFAULT_SERVICE_ACCOUNT || declared.has(objectKey('ServiceAccount', namespace, name))) return;
  const others = [...declared]
    .map((key) => parseKey(key))
    .filter((key) => key.kind === 'ServiceAccount' && key.namespace === (namespace ?? ''))
    .map((key) => key.name);
  const close = suggest(name, others);
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
  templates: readonly PodTemplate[],
  tell: Tell,
): void {
  const { selector, ports } = service.spec;
  if (!selector || Object.keys(selector).length === 0) return;
  const selected = templates.filter((t) => labelsInclude(t.labels, selector));
  if (selected.length === 0) return;
  const names = new Set(
    selected.flatMap((t) => containersOf(t).flatMap((c) => (c.container.ports ?? []).map((p) => p.name))),
  );
  for (const [i, { targetPort }] of ports.entries()) {
    if (typeof targetPort !== 'string' || names.has(targetPort)) continue;
    const known = [...names].filter((n) => n !== undefined);
    const hint = known.length > 0 ? `their ports: ${known.join(', ')}` : 'their containers name no ports';
    tell(
      'warning',
      'TargetPortNotFound',
      positionOf(desired, 'spec', 'ports', i, 'targetPort'),
      `spec.ports[${i}].targetPort names the port ${targetPort}, which none of the selected pods has`,
      hint,
    );
  }
}
