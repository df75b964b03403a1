/**
 * Namespaces: `default` and `kube-system` are always there; with any other goes what is in it, pods before all else: what they use and
 * what guards them is there until they have ended. Source: KEP-5080.
 */
import {
  ALL_KINDS,
  KINDS,
  keyOf,
  NAMESPACE_FINALIZER,
  objectKey,
  parseKey,
  STANDING_NAMESPACES,
  type AnyStored,
  type Kind,
  type Namespace,
  type ObjectKey,
  type StoredOf,
} from '../../contracts/objects/index.ts';
import { isTerminating } from '../core/admission/namespace-lifecycle.ts';
import type { AnyDecision, AnyStep, Step } from '../core/step.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

const NAMESPACED = ALL_KINDS.filter((kind) => KINDS[kind].namespaced);

/**
 * Asked for a Namespace that is being deleted, deletes its pods, and once they are gone all else; the last of it lets the
 * Namespace go. Of one that is gone, what came in with its last moments goes. It is never asked for one that was never
 * there: objects whose Namespace the repository forgot are the checker's business.
 */
function decide(key: ObjectKey, { view }: PassContext): AnyDecision {
  const { name } = parseKey(key);
  const namespace = view.get(objectKey('Namespace', undefined, name));
  if (!namespace && STANDING_NAMESPACES.includes(name)) {
    const made: Namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      status: { phase: 'Active' },
    };
    return { steps: [{ do: 'create', object: made }] };
  }
  if (namespace && !isTerminating(namespace)) return { steps: phaseSteps(namespace, 'Active') };
  const contents = contentsOf(name, view);
  const pods = contents.filter(({ kind }) => kind === 'Pod');
  const first = namespace && pods.length > 0 ? pods : contents;
  const deletions = first
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((object): AnyStep => ({ do: 'delete', key: keyOf(object), uid: object.metadata.uid }));
  if (!namespace) return { steps: deletions };
  // An Event may be told at any moment, and goes by itself.
  const isEmpty = contents.every(({ kind }) => kind === 'Event');
  return {
    steps: [...phaseSteps(namespace, 'Terminating'), ...deletions, ...(isEmpty ? withoutFinalizer(namespace) : [])],
  };
}

function contentsOf(namespace: string, view: StoreView): readonly AnyStored[] {
  const typed = NAMESPACED.flatMap((kind): readonly AnyStored[] => view.list<Kind>(kind, namespace));
  return [...typed, ...view.custom.list(undefined, namespace)];
}

function phaseSteps(namespace: StoredOf<'Namespace'>, phase: 'Active' | 'Terminating'): readonly Step[] {
  return namespace.status?.phase === phase ? [] : [{ do: 'updateStatus', object: { ...namespace, status: { phase } } }];
}

function withoutFinalizer(namespace: StoredOf<'Namespace'>): readonly Step[] {
  const { finalizers = [] } = namespace.metadata;
  if (!finalizers.includes(NAMESPACE_FINALIZER)) return [];
  const kept = finalizers.filter((name) => name !== NAMESPACE_FINALIZER);
  return [{ do: 'update', object: { ...namespace, metadata: { ...namespace.metadata, finalizers: kept } } }];
}

/** What is gone may have been the last thing that a Namespace waited for. */
function homeOfGone(
  { metadata: { namespace } }: AnyStored,
  view: StoreView,
  event: 'put' | 'delete',
): readonly ObjectKey[] {
  if (event !== 'delete' || namespace === undefined) return [];
  const key = objectKey('Namespace', undefined, namespace);
  const home = view.get(key);
  return home && isTerminating(home) ? [key] : [];
}

const STANDING_KEYS = STANDING_NAMESPACES.map((name) => objectKey('Namespace', undefined, name));
const askStanding = (): readonly ObjectKey[] => STANDING_KEYS;

/**
 * The second one finds out after a start that one of those that are always there is missing: then only keys of what
 * exists are looked at.
 */
export const namespaceControllers: readonly Controller[] = [
  {
    name: 'namespace-controller',
    kind: 'Namespace',
    worksOnGone: true,
    watches: {
      ...Object.fromEntries(NAMESPACED.map((kind) => [kind, homeOfGone])),
      Cluster: askStanding,
      Source: askStanding,
      Machine: askStanding,
    },
    custom: { concerns: () => false, watch: homeOfGone, decide: () => ({ steps: [] }) },
    decide,
  },
  {
    name: 'standing-namespaces-controller',
    kind: 'Cluster',
    watches: {},
    decide: (_key, context) => ({
      steps: STANDING_KEYS.flatMap((key) => (context.view.get(key) ? [] : decide(key, context).steps)),
    }),
  },
];
