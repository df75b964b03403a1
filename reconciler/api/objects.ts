/** Kubernetes-style reads of the live state. */
import {
  ALL_KINDS,
  findKind,
  isCustomKey,
  keyOf,
  KINDS,
  labelsInclude,
  objectKey,
  type CustomKey,
  type CustomKind,
  type Kind,
  type Stored,
  type StoredUnstructured,
} from '../../contracts/objects/index.ts';
import type { StoreView } from '../controllers/runtime/controller.ts';
import { descendantsOf } from '../core/kinds/owners.ts';
import { listedEndpoints, namedEndpoints } from '../core/services/endpoints-view.ts';
import { compareText } from '../core/workloads/owners.ts';
import { redacted } from '../core/kinds/sealed.ts';
import { ApiError, notFound } from './answers.ts';
import type { CustomObjectList, ObjectList } from './types.ts';

/** The kind that a path's group, version and plural name; ApiError 404 where there is none. */
export function kindOfPath(view: StoreView, apiVersion: string, plural: string): Kind | CustomKind {
  const kind =
    ALL_KINDS.find((k) => KINDS[k].plural === plural && KINDS[k].apiVersion === apiVersion) ??
    view.custom.kinds.all.find(
      (custom) =>
        custom.plural === plural && custom.versions.some(({ name }) => `${custom.group}/${name}` === apiVersion),
    );
  if (!kind) throw notFound(`there is no resource ${plural} in ${apiVersion}`);
  return kind;
}

export interface ListQuery {
  readonly namespace?: string;
  /** `key=value,key2=value2`. */
  readonly labelSelector?: string;
  /** `KIND/NAME` in the same namespace: objects that it owns, directly or through what it owns. */
  readonly owner?: string;
}

export function listObjects(view: StoreView, kind: Kind, query: ListQuery): ObjectList {
  const wanted = parseSelector(query.labelSelector);
  const owners = query.owner === undefined ? undefined : ownerUids(view, query.owner, query.namespace ?? '');
  const items = allOf(view, kind, query.namespace)
    .filter((o) => labelsInclude(o.metadata.labels, wanted))
    .filter((o) => !owners || o.metadata.ownerReferences?.some((r) => owners.has(r.uid)));
  return { apiVersion: 'v1', kind: 'List', items: items.map(redacted) };
}

/** Ordered by key; of Endpoints also those that are kept nowhere. */
function allOf(view: StoreView, kind: Kind, namespace: string | undefined): readonly Stored[] {
  const kept: readonly Stored[] = view.list(kind, namespace);
  if (kind !== 'Endpoints') return kept;
  return [...kept, ...listedEndpoints(view, namespace)].sort((a, b) => compareText(keyOf(a), keyOf(b)));
}

/** The same of a custom kind. */
export function listCustom(view: StoreView, kind: CustomKind, query: ListQuery): CustomObjectList {
  const wanted = parseSelector(query.labelSelector);
  const owners = query.owner === undefined ? undefined : ownerUids(view, query.owner, query.namespace ?? '');
  const items = view.custom
    .list(kind.resource, kind.namespaced ? query.namespace : undefined)
    .filter(({ metadata }) => labelsInclude(metadata.labels, wanted))
    .filter(({ metadata }) => !owners || metadata.ownerReferences?.some(({ uid }) => owners.has(uid)));
  return { apiVersion: 'v1', kind: 'List', items };
}

export function getCustom(
  view: StoreView,
  kind: CustomKind,
  namespace: string | undefined,
  name: string,
): StoredUnstructured {
  const key = askedKey(kind, namespace, name);
  const object = key && view.custom.get(key);
  if (!object)
    throw notFound(
      `${kind.plural} ${JSON.stringify(name)} not found${kind.namespaced ? ` in namespace ${namespace}` : ''}`,
    );
  return object;
}

/** The key of what somebody asks for; undefined where no object can have it (`a/b`). */
export function askedKey(kind: CustomKind, namespace: string | undefined, name: string): CustomKey | undefined {
  const key = `${kind.resource}/${kind.namespaced ? (namespace ?? '') : ''}/${name}`;
  return isCustomKey(key) ? key : undefined;
}

export function getObject(
  view: StoreView,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  reveal: boolean,
): Stored {
  const object: Stored | undefined =
    view.get(objectKey(kind, KINDS[kind].namespaced ? namespace : undefined, name)) ??
    (kind === 'Endpoints' ? namedEndpoints(view, namespace, name) : undefined);
  if (!object)
    throw notFound(
      `${KINDS[kind].plural} ${JSON.stringify(name)} not found${KINDS[kind].namespaced ? ` in namespace ${namespace}` : ''}`,
    );
  return reveal ? object : redacted(object);
}

/** `key=value,key2=value2`; ApiError for anything else. */
export function parseSelector(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '')
    .split(',')
    .filter(Boolean)
    .map((pair) => {
      const match = /^([^=!]+)==?([^=]*)$/.exec(pair.trim());
      if (!match?.[1]) throw new ApiError(400, 'BadRequest', `labelSelector ${JSON.stringify(pair)}: write key=value`);
      return [match[1], match[2] ?? ''] as const;
    });
  return Object.fromEntries(pairs);
}

function ownerUids(view: StoreView, owner: string, namespace: string): ReadonlySet<string> {
  const [word = '', name, ...rest] = owner.split('/');
  const kind = findKind(word);
  if (!kind || !name || rest.length > 0)
    throw new ApiError(400, 'BadRequest', `owner ${JSON.stringify(owner)}: write KIND/NAME`);
  const object = view.get(objectKey(kind, KINDS[kind].namespaced ? namespace : undefined, name));
  if (!object) throw notFound(`${owner} not found in namespace ${namespace}`);
  return new Set([object, ...descendantsOf(view, object)].map(({ metadata }) => metadata.uid));
}
