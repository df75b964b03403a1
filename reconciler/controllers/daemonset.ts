/** DaemonSets: keeps a pod of each on every node that should have one. */
import {
  keyOf,
  objectKey,
  parseKey,
  type Node,
  type ObjectKey,
  type RuntimeClass,
  type StoredDaemonSet,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { canonicalJson } from '../core/storage/canonical-json.ts';
import { daemonTraits, eligibility } from '../core/workloads/daemon-pod.ts';
import { planDaemonSet } from '../core/workloads/daemonset.ts';
import { FailedPods } from '../core/workloads/failed-pods.ts';
import { controllerKeys, orphans } from './owned-keys.ts';
import { tellRefusedOf } from './refused-pods.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/** Remembers which nodes it saw, and where pods failed. */
export function daemonSetController(): Controller {
  const failed = new FailedPods();
  const nodes = new NodesSeen();
  /** A new template is given a chance at once. */
  const place = ({ metadata }: StoredDaemonSet, node: string): string =>
    `${metadata.uid}/${metadata.generation}/${node}`;

  function decide(key: ObjectKey, { view, now, monotonic, ids }: PassContext): Decision {
    const { namespace, name } = parseKey(key);
    const daemonSet = view.get(objectKey('DaemonSet', namespace, name));
    if (!daemonSet) return { steps: [] };
    const { uid } = daemonSet.metadata;
    const { selector } = daemonSet.spec;
    const { failedOn, ...decision } = planDaemonSet({
      daemonSet,
      pods: [...view.ownedBy('Pod', uid), ...orphans('Pod', namespace, selector, view)],
      revisions: [
        ...view.ownedBy('ControllerRevision', uid),
        ...orphans('ControllerRevision', namespace, selector, view),
      ],
      lookup: (revision) => view.get(objectKey('ControllerRevision', namespace, revision)),
      runtimeClass: runtimeClassOf(daemonSet, view),
      nodes: view.list('Node'),
      now,
      suffix: (length) => ids.suffix(length),
      nameTaken: (pod) => view.get(objectKey('Pod', namespace, pod)) !== undefined,
      failedBackOffMs: (node) => failed.waitMs(place(daemonSet, node), monotonic),
    });
    for (const node of failedOn) failed.replaced(place(daemonSet, node), monotonic);
    return decision;
  }

  return {
    name: 'daemonset-controller',
    kind: 'DaemonSet',
    watches: {
      Pod: (pod, view) => controllerKeys('DaemonSet', pod, view),
      ControllerRevision: (revision, view) => controllerKeys('DaemonSet', revision, view),
      Node: (node, view) => nodes.changed(node.metadata.name, view),
      RuntimeClass: ({ metadata }, view) =>
        view
          .list('DaemonSet')
          .filter(({ spec }) => spec.template.spec.runtimeClassName === metadata.name)
          .map(keyOf),
    },
    decide,
    refused: tellRefusedOf('DaemonSet'),
  };
}

function runtimeClassOf({ spec }: StoredDaemonSet, view: StoreView): RuntimeClass | undefined {
  const { runtimeClassName } = spec.template.spec;
  return runtimeClassName === undefined ? undefined : view.get(objectKey('RuntimeClass', undefined, runtimeClassName));
}

/** What of nodes decides on their daemons, so that none is looked at for a report of its node. */
class NodesSeen {
  readonly #seen = new Map<string, Node>();

  /**
   * DaemonSets that want something else of the node than before. Told of the node as it is and as it was; what counts is
   * what the view shows.
   */
  changed(name: string, view: StoreView): readonly ObjectKey[] {
    const present = view.get(objectKey('Node', undefined, name));
    const node = present && daemonTraits(present);
    const before = this.#seen.get(name);
    if (canonicalJson(node) === canonicalJson(before)) return [];
    if (node) this.#seen.set(name, node);
    else this.#seen.delete(name);
    const wanted = (daemonSet: StoredDaemonSet, one: Node | undefined): string =>
      one ? eligibility(daemonSet, one, runtimeClassOf(daemonSet, view)) : 'gone';
    return view
      .list('DaemonSet')
      .filter((daemonSet) => wanted(daemonSet, node) !== wanted(daemonSet, before))
      .map(keyOf);
  }
}
