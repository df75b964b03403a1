/** One YAML document (or one item of a List) to one desired object, or to everything that is wrong with it. */
import type { z } from 'zod';
import {
  groupOf,
  isKind,
  ALL_KINDS,
  KINDS,
  keyOf,
  objectKey,
  type Kind,
  type KubeObject,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { checkObject } from './checks/check-object.ts';
import type { Findings } from './findings.ts';
import { fieldMarks } from './marks.ts';
import { explainPart, explainShape } from './explain-shape.ts';
import { KUBERNETES_GROUPS, OWN_GROUP } from './kubernetes-groups.ts';
import { inOwnVersion, isAlsoRead, isOlderVersion } from './older-versions.ts';
import { readCustom } from './read-custom.ts';
import { suggest } from './suggest.ts';
import type { CustomManifest, DesiredObject } from './types.ts';
import { writtenForm } from './written-form.ts';
import {
  isNull,
  nodeAt,
  offsetOf,
  pathText,
  type FieldPath,
  type YamlField,
  type YamlMap,
  type YamlNode,
} from './yaml-tree.ts';

export interface ReadResult {
  readonly objects: DesiredObject[];
  readonly custom: CustomManifest[];
  /** Keys of objects that are written here but were refused. */
  readonly refused: ObjectKey[];
  /** Objects that give rights in Kubernetes' API: see {@link tellRights}. */
  readonly rights: { readonly kind: string; readonly name: string; readonly offset: number }[];
}

const WRITABLE_KINDS = ALL_KINDS.filter((kind) => KINDS[kind].manifest).sort();

/** Kinds of Kubernetes itself, so that a manifest gets told apart from a misspelling. */
const KUBERNETES_KINDS: ReadonlySet<string> = new Set([
  'APIService',
  'Binding',
  'CSIDriver',
  'CSINode',
  'CSIStorageCapacity',
  'CertificateSigningRequest',
  'ClusterRole',
  'ClusterRoleBinding',
  'ClusterTrustBundle',
  'ComponentStatus',
  'ControllerRevision',
  'DeviceClass',
  'FlowSchema',
  'IPAddress',
  'Lease',
  'LimitRange',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'MutatingWebhookConfiguration',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'PodSecurityPolicy',
  'PodTemplate',
  'PriorityLevelConfiguration',
  'ReplicationController',
  'ResourceClaim',
  'ResourceClaimTemplate',
  'ResourceSlice',
  'Role',
  'RoleBinding',
  'RuntimeClass',
  'ServiceCIDR',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
  'VolumeAttachment',
  'VolumeAttributesClass',
]);

const KUSTOMIZE_GROUP = 'kustomize.config.k8s.io';
const RIGHTS_GROUP = 'rbac.authorization.k8s.io';
/** They only ever give rights, so that without them nobody may do more. */
const RIGHTS_KINDS: ReadonlySet<string> = new Set(['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding']);

/**
 * Reads what a document holds into `result`; a list (`List`, `PodList`) is read as its items. `namespace`: of namespaced
 * objects that name none.
 */
export function readObjects(root: YamlNode, findings: Findings, result: ReadResult, namespace: string): void {
  if (root.kind !== 'map') {
    findings.error('NotAnObject', root.offset, 'this document is not a Kubernetes object', NOT_AN_OBJECT_HINT);
    return;
  }
  const kind = textField(root, 'kind');
  const items = kind === undefined ? undefined : listItems(kind, root);
  if (items) {
    for (const item of items) readObjects(item, findings, result, namespace);
    return;
  }
  if (!root.fields.has('kind') && !root.fields.has('apiVersion')) {
    findings.error(
      'NotAnObject',
      root.offset,
      'this document has neither apiVersion nor kind, so it is not a Kubernetes object',
      NOT_AN_OBJECT_HINT,
    );
    return;
  }
  if (kind === undefined) {
    findings.error(
      'MissingField',
      offsetOf(root, ['kind'], 'value'),
      'kind is required, as text',
      `one of ${WRITABLE_KINDS.join(', ')}`,
    );
    return;
  }
  const group = groupOf(textField(root, 'apiVersion') ?? '');
  const manifest = isKind(kind) ? KINDS[kind].manifest : undefined;
  if (group === KUSTOMIZE_GROUP) refuseKustomization(kind, root, findings);
  else if (group === RIGHTS_GROUP && RIGHTS_KINDS.has(kind)) {
    const metadata = root.fields.get('metadata')?.node;
    const name = (metadata?.kind === 'map' ? textField(metadata, 'name') : undefined) ?? '';
    result.rights.push({ kind, name, offset: offsetOf(root, ['kind'], 'value') });
  } else if (isForeign(group, kind)) readCustom(root, findings, result.custom);
  else if (!isKind(kind) || !manifest) refuseKind(kind, root, findings);
  else readKind(kind, manifest, root, findings, result, namespace);
}

/** The items of a list, undefined where the document is none. Items of a `PodList` need not say that they are Pods. */
function listItems(kind: string, root: YamlMap): readonly YamlNode[] | undefined {
  const itemKind = kind.endsWith('List') ? kind.slice(0, -'List'.length) : undefined;
  const items = root.fields.get('items')?.node;
  if (
    itemKind === undefined ||
    (itemKind !== '' && !isKind(itemKind)) ||
    (items && !isNull(items) && items.kind !== 'list')
  )
    return undefined;
  const nodes = items?.kind === 'list' ? items.items : [];
  if (itemKind === '') return nodes;
  return nodes.map((item) =>
    item.kind === 'map' ? { ...item, fields: new Map([...typeOf(root, itemKind), ...item.fields]) } : item,
  );
}

/** apiVersion and kind that the items of a list have where they say none. */
function typeOf(list: YamlMap, itemKind: string): [string, YamlField][] {
  return ['apiVersion', 'kind'].flatMap((name) => {
    const field = list.fields.get(name);
    if (field?.node.kind !== 'scalar') return [];
    return [[name, name === 'kind' ? { ...field, node: { ...field.node, value: itemKind } } : field]];
  });
}

const NOT_AN_OBJECT_HINT =
  'every .yaml file outside hidden folders holds Kubernetes objects; keep other YAML in a folder whose name starts with a dot';

function textField(map: YamlMap, name: string): string | undefined {
  const node = map.fields.get(name)?.node;
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

/**
 * Whether it is of a kind that somebody has to define: neither of a group of Kubernetes' or ours, nor a misspelling of
 * one that there is.
 */
function isForeign(group: string, kind: string): boolean {
  if (!group.includes('.') || KUBERNETES_GROUPS.has(group) || group === OWN_GROUP) return false;
  if (isKind(kind)) return KINDS[kind].group !== group && suggest(group, [KINDS[kind].group]) === undefined;
  const inGroup = WRITABLE_KINDS.filter((known) => KINDS[known].group === group);
  return suggest(kind, inGroup) === undefined;
}

/** Said once for all that a file has of them: the charts of most programs bring some, and few need them. */
export function tellRights([first, ...others]: ReadResult['rights'], findings: Findings): void {
  if (!first) return;
  const more = others.length > 0 ? ` and ${others.length} more of group ${RIGHTS_GROUP}` : '';
  findings.warning(
    'RightsLeftOut',
    first.offset,
    `${first.kind} ${first.name.slice(0, 253)}${more} ${more === '' ? 'is' : 'are'} left out: what is given are rights in the API of Kubernetes, which is not there`,
    'a program that only brings them along runs; one that asks that API does not',
  );
}

function refuseKustomization(kind: string, root: YamlMap, findings: Findings): void {
  findings.error(
    'NeedsRendering',
    offsetOf(root, ['kind'], 'value'),
    `${kind} is read by Kustomize, from a file named kustomization.yaml in the folder of an App`,
    'name the file so, and write an App with its folder as spec.path',
  );
}

function refuseKind(kind: string, root: YamlMap, findings: Findings): void {
  const at = offsetOf(root, ['kind'], 'value');
  if (isKind(kind)) {
    findings.error(
      'ManagedKind',
      at,
      `${kind} objects are written by Plumbline itself, never in Git`,
      kind === 'Node' ? 'to add a server, write a Machine' : 'remove it',
    );
    return;
  }
  if (KUBERNETES_KINDS.has(kind))
    findings.error(
      'UnknownKind',
      at,
      `kind ${kind} is a Kubernetes kind that Plumbline does not act on yet`,
      'remove it',
    );
  else {
    const close = suggest(kind, WRITABLE_KINDS);
    const hint = close ? `did you mean ${close}?` : `known kinds: ${WRITABLE_KINDS.join(', ')}`;
    findings.error('UnknownKind', at, `unknown kind ${kind}`, hint);
  }
}

function readKind(
  kind: Kind,
  manifest: z.ZodType,
  root: YamlMap,
  findings: Findings,
  result: ReadResult,
  namespace: string,
): void {
  const errorsBefore = findings.errors;
  const key = identity(kind, root, namespace);
  if (!checkApiVersion(kind, root, findings)) {
    if (key) result.refused.push(key);
    return;
  }
  const own = inOwnVersion(kind, root, findings);
  const { value, plain, tree, refused } = explainShape(kind, manifest, own, findings);
  if (value !== undefined) {
    const object = withNamespace(kind, value, namespace);
    const place = (path: FieldPath, at: number | undefined): number => {
      const node = nodeAt(tree, path);
      return at !== undefined && node?.kind === 'scalar' && typeof node.value === 'string'
        ? findings.offsetWithin(node.offset, node.value, at)
        : offsetOf(tree, path, 'value');
    };
    checkObject(object, {
      error: (code, path, message, hint, at) => {
        if (!refused.isIncomplete(path)) findings.error(code, place(path, at), `${pathText(path)} ${message}`, hint);
      },
      warning: (code, path, message, hint, at) =>
        findings.warning(code, place(path, at), `${pathText(path)} ${message}`, hint),
      closest: (word, names) => findings.suggestions.closest(word, names),
      has: (path) => isSet(nodeAt(tree, path)) || isSet(nodeAt(root, path)),
      shape: (path, schema) => {
        if (!findings.full) explainPart(schema, tree, path, findings);
      },
    });
    if (findings.errors === errorsBefore) {
      result.objects.push({
        key: keyOf(object),
        object,
        written: writtenForm(object, plain),
        position: findings.position(root.offset),
        marks: fieldMarks(object, tree, findings),
      });
      return;
    }
  }
  if (key) result.refused.push(key);
}

function isSet(node: YamlNode | undefined): boolean {
  return node !== undefined && !isNull(node);
}

/** False where the manifest is of an older version, whose fields say nothing of how they are named in this one. */
function checkApiVersion(kind: Kind, root: YamlMap, findings: Findings): boolean {
  const { apiVersion } = KINDS[kind];
  const node = root.fields.get('apiVersion')?.node;
  if (!node || isNull(node)) {
    findings.error(
      'MissingField',
      offsetOf(root, ['kind'], 'key'),
      'apiVersion is required',
      `write apiVersion: ${apiVersion}`,
    );
    return true;
  }
  if (node.kind === 'scalar' && (node.value === apiVersion || isAlsoRead(kind, node.value))) return true;
  const isOlder = node.kind === 'scalar' && isOlderVersion(node.value);
  const written = node.kind === 'scalar' ? node.source.slice(0, 60) : 'this value';
  findings.error(
    'WrongApiVersion',
    node.offset,
    `${kind} has no apiVersion ${written}`,
    `write apiVersion: ${apiVersion}${isOlder ? ', with the fields of that version' : ''}`,
  );
  return !isOlder;
}

function withNamespace(kind: Kind, object: KubeObject, namespace: string): KubeObject {
  if (!KINDS[kind].namespaced || object.metadata.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

function identity(kind: Kind, root: YamlMap, unnamed: string): ObjectKey | undefined {
  const metadata = root.fields.get('metadata')?.node;
  const name = (metadata?.kind === 'map' ? textField(metadata, 'name') : undefined) ?? KINDS[kind].defaultName;
  if (name === undefined || name.includes('/')) return undefined;
  const namespace = metadata?.kind === 'map' ? (textField(metadata, 'namespace') ?? unnamed) : unnamed;
  return objectKey(kind, KINDS[kind].namespaced ? namespace : undefined, name);
}
