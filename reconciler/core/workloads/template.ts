/**
 * A Deployment's pod template: its identity, and the ReplicaSet made for it. Source: Kubernetes documentation,
 * "pod-template-hash label".
 */
import type {
  PodTemplateSpec,
  ReplicaSet,
  StoredDeployment,
  StoredReplicaSet,
} from '../../../contracts/objects/index.ts';
import { controllerOf, controllerRef } from './owners.ts';
import { areComparable, configHashOf, withConfigHash } from './config-hash.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { nameHash } from './stable-hash.ts';

export const HASH_LABEL = 'pod-template-hash';
const HASH_LENGTH = 10;

/** Objects are never mutated, so a template's text is computed once for as long as it lives. */
const texts = new WeakMap<PodTemplateSpec, string>();

function templateText(template: PodTemplateSpec): string {
  const known = texts.get(template);
  if (known !== undefined) return known;
  const { [HASH_LABEL]: _hash, ...labels } = template.metadata.labels ?? {};
  const { annotations, finalizers } = template.metadata;
  const metadata = {
    labels,
    ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
    ...(finalizers && { finalizers }),
  };
  const text = canonicalJson({ metadata, spec: template.spec });
  texts.set(template, text);
  return text;
}

/** What of a template's metadata its pods have. Source: Kubernetes, GetPodFromTemplate. */
export function podMeta({ metadata }: Pick<PodTemplateSpec, 'metadata'>): PodTemplateSpec['metadata'] {
  const { labels, annotations, finalizers } = metadata;
  return { ...(labels && { labels }), ...(annotations && { annotations }), ...(finalizers && { finalizers }) };
}

/**
 * Whether two templates give the same pods; the hash label does not count, and config does where both tell of it.
 */
export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  if (areComparable(configHashOf(a), configHashOf(b))) return templateText(a) === templateText(b);
  return templateText(withConfigHash(a, undefined)) === templateText(withConfigHash(b, undefined));
}

/**
 * Of objects in their order the last that has the template: with the same config rather than with one of which nothing
 * is known.
 */
export function lastWithTemplate<T>(
  objects: readonly T[],
  templateOf: (object: T) => PodTemplateSpec,
  wanted: PodTemplateSpec,
): T | undefined {
  return (
    objects.findLast((object) => templateText(templateOf(object)) === templateText(wanted)) ??
    objects.findLast((object) => sameTemplate(templateOf(object), wanted))
  );
}

/** Hash of a template; `collision` is raised when the name is taken by something else. */
export function templateHash(template: PodTemplateSpec, collision = 0): string {
  return nameHash(collision === 0 ? templateText(template) : `${collision}\n${templateText(template)}`, HASH_LENGTH);
}

/**
 * The ReplicaSet for the Deployment's present template, without replicas and history. `lookup` finds a ReplicaSet of
 * the namespace by name: a name that is taken by another template or another owner is passed over for the next one,
 * always in the same order.
 */
export function replicaSetFor(
  deployment: StoredDeployment,
  lookup: (name: string) => StoredReplicaSet | undefined,
): ReplicaSet {
  const { spec, metadata } = deployment;
  let collision = 0;
  let hash = templateHash(spec.template);
  const taken = (name: string): boolean => {
    const found = lookup(name);
    return (
      found !== undefined &&
      !(controllerOf(found.metadata)?.uid === metadata.uid && sameTemplate(found.spec.template, spec.template))
    );
  };
  while (taken(`${metadata.name}-${hash}`)) hash = templateHash(spec.template, ++collision);
  return replicaSetWith(deployment, spec.template, hash);
}

/** The ReplicaSet of a Deployment for a template of it, under a given hash; without replicas and history. */
export function replicaSetWith(deployment: StoredDeployment, template: PodTemplateSpec, hash: string): ReplicaSet {
  const { spec, metadata } = deployment;
  const labels = { ...template.metadata.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      labels,
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas: 0,
      minReadySeconds: spec.minReadySeconds,
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
