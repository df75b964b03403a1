/** StatefulSets: keeps their pods, each under its name. */
import {
  findCondition,
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
  type StoredPod,
  type StoredStatefulSet,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { planStatefulSet } from '../core/workloads/statefulset.ts';
import { setNameOf } from '../core/workloads/stateful-pod.ts';
import { HEARD_ORDINALS_ANNOTATION, heldOrdinals, PODS_KNOWN } from '../core/workloads/unheard.ts';
import { controllerKeys, orphans } from './owned-keys.ts';
import { tellRefusedOf } from './refused-pods.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const set = view.get(objectKey('StatefulSet', namespace, name));
  if (!set) return { steps: [] };
  const { selector } = set.spec;
  return planStatefulSet({
    set,
    pods: [...view.ownedBy('Pod', set.metadata.uid), ...orphans('Pod', namespace, selector, view)],
    revisions: [
      ...view.ownedBy('ControllerRevision', set.metadata.uid),
      ...orphans('ControllerRevision', namespace, selector, view),
    ],
    revisionNamed: (revision) => view.get(objectKey('ControllerRevision', namespace, revision)),
    held: heldOrdinals(set, view.list('Node')),
    claimNamed: (claim) => view.get(objectKey('PersistentVolumeClaim', namespace, claim)),
    nameTaken: (pod) => view.get(objectKey('Pod', namespace, pod)) !== undefined,
    now,
  });
}

/** The StatefulSet whose place a pod had that was not its own. */
function inTheWayOf({ metadata: { name, namespace } }: StoredPod, view: StoreView): readonly ObjectKey[] {
  const set = setNameOf(name);
  const key = set === undefined ? undefined : objectKey('StatefulSet', namespace, set);
  return key !== undefined && view.get(key) ? [key] : [];
}

function hasClaim({ spec, metadata }: StoredStatefulSet, claim: string): boolean {
  return (spec.volumeClaimTemplates ?? []).some((template) =>
    claim.startsWith(`${template.metadata.name}-${metadata.name}-`),
  );
}

export const statefulSetController: Controller = {
  name: 'statefulset-controller',
  kind: 'StatefulSet',
  watches: {
    Pod: (pod, view, event) => [
      ...new Set([...controllerKeys('StatefulSet', pod, view), ...(event === 'delete' ? inTheWayOf(pod, view) : [])]),
    ],
    ControllerRevision: (revision, view) => controllerKeys('StatefulSet', revision, view),
    /** A pod may wait for an earlier claim of its name to be gone; one that is lost is made again. */
    PersistentVolumeClaim: (claim, view, event) =>
      event === 'delete'
        ? view
            .list('StatefulSet', claim.metadata.namespace)
            .filter((set) => hasClaim(set, claim.metadata.name))
            .map(keyOf)
        : [],
    /** A node that a recovery did not hear has spoken, or was removed. */
    Node: (node, view) =>
      findCondition(node.status?.conditions, PODS_KNOWN) === undefined
        ? []
        : view
            .list('StatefulSet')
            .filter((set) => set.metadata.annotations?.[HEARD_ORDINALS_ANNOTATION] !== undefined)
            .map(keyOf),
  },
  decide,
  refused: tellRefusedOf('StatefulSet'),
};
