/** Up and down the chain of owners, by what each kind owns. */
import {
  type StoredAt,
  keyOf,
  readKey,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type OwnerReference,
  type PodTemplateSpec,
  type Stored,
  type StoredOf,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { isObject } from '../fields/json.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { fieldAt } from '../diff/fixed-fields.ts';
import { controllerOf, ownerKey } from '../workloads/owners.ts';
import { REVISION_LABEL, revisionHash, revisionTemplate } from '../workloads/revision-history.ts';
import { sameTemplate } from '../workloads/template.ts';
import { descriptorOf, DESCRIPTORS } from './index.ts';

/** Reading live objects; the store's view is one. */
export interface OwnerView {
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
}

/** The controller of an object, or what a reference names; undefined when it is gone, or another has its name. */
export function controllerIn(
  view: OwnerView,
  namespace: string | undefined,
  reference: OwnerReference | undefined,
): Stored | undefined {
  const key = reference && ownerKey(namespace, reference);
  const found: Stored | undefined = key && view.get(key);
  return found?.metadata.uid === reference?.uid ? found : undefined;
}

/** The controller, its controller, and so on: nearest first. Ends, whatever references say, as kinds own downwards. */
export function ownerChain(view: OwnerView, object: Stored): Stored[] {
  const chain: Stored[] = [];
  for (let at = object; ;) {
    const owner = controllerIn(view, at.metadata.namespace, controllerOf(at.metadata));
    if (!owner || !DESCRIPTORS[owner.kind].owns.includes(at.kind)) return chain;
    chain.push(owner);
    at = owner;
  }
}

/** Owners that own owners: more levels are a circle. */
const MOST_LEVELS = 8;

/** Key of the topmost controller that the references lead to, also of one that is gone; of the object itself without. */
export function topmostKey(view: Pick<OwnerView, 'get'>, object: KubeObject): ObjectKey {
  let at = object;
  for (let level = 0; level < MOST_LEVELS; level++) {
    const owner = controllerOf(at.metadata);
    const key = owner && ownerKey(at.metadata.namespace, owner);
    if (!key) return keyOf(at);
    const found: Stored | undefined = view.get(key);
    if (!found) return key;
    at = found;
  }
  return keyOf(at);
}

/** Objects that it is the controller of, kind by kind. */
export function childrenOf(view: OwnerView, object: Stored): readonly Stored[] {
  return DESCRIPTORS[object.kind].owns.flatMap((kind): readonly Stored[] => view.ownedBy(kind, object.metadata.uid));
}

/** Children, their children, and so on: each before its own. */
export function descendantsOf(view: OwnerView, object: Stored): Stored[] {
  return childrenOf(view, object).flatMap((child) => [child, ...descendantsOf(view, child)]);
}

/** The pods that an object is or has, through whatever it owns. */
export function podsOf(view: OwnerView, object: Stored): StoredPod[] {
  return [object, ...descendantsOf(view, object)].filter((one): one is StoredPod => one.kind === 'Pod');
}

/** Whether what made the pod has the template that is to be: the one of every owner above it. */
export function hasPresentTemplate(view: OwnerView, pod: StoredPod): boolean {
  const owners = ownerChain(view, pod);
  const templates = owners.flatMap((owner) => podTemplateOf(owner) ?? []);
  return (
    templates.every((template) => sameTemplate(template, templates[0] ?? template)) &&
    owners.every((owner) => hasPresentRevision(view, owner, pod))
  );
}

/** Of an owner that keeps its templates as revisions: whether the pod is of that which has the present one. */
function hasPresentRevision(view: OwnerView, owner: Stored, pod: StoredPod): boolean {
  const template = podTemplateOf(owner);
  if (!template || !descriptorOf(owner.kind).owns.includes('ControllerRevision')) return true;
  const label = pod.metadata.labels?.[REVISION_LABEL];
  return view
    .ownedBy('ControllerRevision', owner.metadata.uid)
    .filter((revision) => sameTemplate(revisionTemplate(revision), template))
    .some((revision) => label === revisionHash(revision) || label === revision.metadata.name);
}

function podTemplateOf(object: Stored): PodTemplateSpec | undefined {
  const { podTemplate } = descriptorOf(object.kind);
  return podTemplate === 'none' ? undefined : podTemplate.of(object);
}

/** How many pods an object wants; undefined for one of a kind that is not scaled. */
export function replicasOf(object: KubeObject): number | undefined {
  const { scale } = descriptorOf(object.kind);
  if (scale === 'none') return undefined;
  const replicas = fieldAt(object, scale.replicas);
  return typeof replicas === 'number' ? replicas : undefined;
}

/** The object with another number of pods; itself where it is of a kind that is not scaled. */
export function scaledTo<T extends KubeObject>(object: T, replicas: number): T {
  const { scale } = descriptorOf(object.kind);
  return scale === 'none' ? object : (withField(object, scale.replicas, replicas) as T);
}

function withField(object: unknown, [name, ...rest]: FieldPath, value: unknown): unknown {
  if (name === undefined) return value;
  const fields = isObject(object) ? object : {};
  return { ...fields, [name]: withField(readKey(fields, String(name)), rest, value) };
}
