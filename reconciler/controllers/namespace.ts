/** Namespaces: `default` is always there; with any other goes what is in it. */
import {
  ALL_KINDS,
  DEFAULT_NAMESPACE,
  KINDS,
  keyOf,
  objectKey,
  parseKey,
  type AnyStored,
  type Kind,
  type Namespace,
  type ObjectKey,
} from '../../contracts/objects/index.ts';
import { isTerminating } from '../core/admission/namespace-lifecycle.ts';
import type { AnyDecision, AnyStep, Step } from '../core/step.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

const NAMESPACED = ALL_KINDS.filter((kind) => KINDS[kind].namespaced);

/**
 * Asked for a Namespace that is gone, or that its finalizers hold, deletes what is left in it. It is never asked for one
 * that was never there: objects whose Namespace the repository forgot are the checker's business.
 */
function decide(key: ObjectKey, { view }: PassContext): AnyDecision {
  const { name } = parseKey(key);
  const namespace = view.get(objectKey('Namespace', undefined, name));
  if (!namespace && name === DEFAULT_NAMESPACE) {
    const made: Namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      status: { phase: 'Active' },
    };
    return { steps: [{ do: 'create', object: made }] };
  }
  const isEnding = namespace !== undefined && isTerminating(namespace);
  const phase = isEnding ? 'Terminating' : 'Active';
  const told: readonly Step[] =
    namespace && namespace.status?.phase !== phase
      ? [{ do: 'updateStatus', object: { ...namespace, status: { phase } } }]
      : [];
  if (namespace && !isEnding) return { steps: told };
  const typed = NAMESPACED.flatMap((kind): readonly AnyStored[] => view.list<Kind>(kind, name));
  const left = [...typed, ...view.custom.list(undefined, name)].filter(
    (object) => object.metadata.deletionTimestamp === undefined,
  );
  return {
    steps: [
      ...told,
      ...left.map((object): AnyStep => ({ do: 'delete', key: keyOf(object), uid: object.metadata.uid })),
    ],
  };
}

const DEFAULT_KEY = objectKey('Namespace', undefined, DEFAULT_NAMESPACE);
const askDefault = (): readonly ObjectKey[] => [DEFAULT_KEY];

/** The second one finds out after a start that `default` is missing: then only keys of what exists are looked at. */
export const namespaceControllers: readonly Controller[] = [
  {
    name: 'namespace-controller',
    kind: 'Namespace',
    worksOnGone: true,
    watches: { Cluster: askDefault, Source: askDefault, Machine: askDefault },
    decide,
  },
  {
    name: 'default-namespace-controller',
    kind: 'Cluster',
    watches: {},
    decide: (_key, context) => (context.view.get(DEFAULT_KEY) ? { steps: [] } : decide(DEFAULT_KEY, context)),
  },
];
