/**
 * How an object is taken apart for storing, and put together again. Source of the rules: Kubernetes API conventions,
 * "Metadata" and "Spec and Status".
 */
import {
  isCustom,
  RESOURCE,
  type AnyObject,
  type AnyStored,
  type ObjectMeta,
  type Pod,
} from '../../../contracts/objects/index.ts';

/** Metadata that only the store sets. */
export interface ServerMeta {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** RFC 3339. */
  readonly creationTimestamp: string;
}

/**
 * An object without its status and without {@link ServerMeta}, as JSON that is readable by itself: of a custom object
 * `metadata.resource` says what its kind does not. No manifest has such a field, as all metadata is known by name.
 */
export type Body = {
  readonly kind: string;
  readonly metadata: Omit<ObjectMeta, keyof ServerMeta> & { readonly resource?: string };
} & Readonly<Record<string, unknown>>;

export interface ObjectForm {
  readonly body: Body;
  /**
   * A change of it raises the generation: everything outside metadata and status, but not a pod's binding, and that the
   * object is being deleted. Sources: Kubernetes, registry/core/pod (updatePodGeneration; BindingREST does not come that
   * way) and registry/rest/delete.go (BeforeDelete).
   */
  readonly specPart: Readonly<Record<string, unknown>>;
  readonly status: unknown;
}

export function takeApart(object: AnyObject): ObjectForm {
  const { status, metadata, ...rest } = object as AnyObject & { readonly status?: unknown };
  const {
    uid: _uid,
    resourceVersion: _version,
    generation: _generation,
    creationTimestamp: _created,
    ...own
  } = metadata;
  const named = isCustom(object) ? { ...own, resource: object[RESOURCE] } : own;
  const isEnding = metadata.deletionTimestamp !== undefined;
  return {
    body: { ...rest, metadata: named },
    specPart: { ...(isPod(object) ? unbound(object, rest) : rest), ...(isEnding && { isEnding }) },
    status,
  };
}

function unbound({ spec }: Pod, outside: object): Readonly<Record<string, unknown>> {
  if (!Object.hasOwn(spec, 'nodeName')) return { ...outside };
  const { nodeName: _node, ...others } = spec;
  return { ...outside, spec: others };
}

/** Not one of a custom kind of that name. */
function isPod(object: AnyObject): object is Pod {
  return !isCustom(object) && object.kind === 'Pod';
}

/** The stored object. What was taken apart by {@link takeApart} is trusted to be an object of its kind. */
export function putTogether(body: Body, status: unknown, server: ServerMeta): AnyStored {
  const { resource, ...own } = body.metadata;
  const object = {
    ...body,
    metadata: { ...own, ...server },
    ...(status !== undefined && { status }),
    ...(resource !== undefined && { [RESOURCE]: resource }),
  };
  return object as unknown as AnyStored;
}

/** Orders resource versions: negative when `a` is older. They are decimal counters below 2^53. */
export function compareVersions(a: string, b: string): number {
  return Number(a) - Number(b);
}

/** An instant as Kubernetes writes it: UTC, whole seconds. */
export function kubeTime(instant: Date): string {
  return `${instant.toISOString().slice(0, 19)}Z`;
}
