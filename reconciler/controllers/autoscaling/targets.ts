/** What autoscalers scale, as the view has it. */
import {
  kindOf,
  KINDS,
  keyOf,
  objectKey,
  selectorMatches,
  type ObjectKey,
  type Stored,
  type StoredHorizontalPodAutoscaler,
} from '../../../contracts/objects/index.ts';
import { fieldAt } from '../../core/diff/fixed-fields.ts';
import { descriptorOf } from '../../core/kinds/index.ts';
import { replicasOf, scaledTo } from '../../core/kinds/owners.ts';
import type { ScaleTarget } from '../../core/workloads/horizontal-pod-autoscaler.ts';
import { selected } from '../owned-keys.ts';
import type { StoreView } from '../runtime/controller.ts';

/** The target, or why there is none. */
export function targetOf(view: StoreView, { metadata, spec }: StoredHorizontalPodAutoscaler): ScaleTarget | string {
  const { apiVersion, kind: word, name } = spec.scaleTargetRef;
  const kind = kindOf(apiVersion, word);
  if (kind === undefined) return `no matches for kind "${word}" in version "${apiVersion}"`;
  const { scale, selector } = descriptorOf(kind);
  if (scale === 'none' || selector === 'none') return `${KINDS[kind].resource} have no number of pods`;
  const namespace = metadata.namespace ?? '';
  const object: Stored | undefined = view.get(objectKey(kind, namespace, name));
  const replicas = object && replicasOf(object);
  if (!object || replicas === undefined) return `${KINDS[kind].resource} "${name}" not found`;
  const wanted = selector.of(object);
  const present = fieldAt(object, scale.statusReplicas);
  return {
    object,
    replicas,
    present: typeof present === 'number' ? present : 0,
    pods: wanted
      ? selected('Pod', namespace, wanted, view).filter((pod) => selectorMatches(wanted, pod.metadata.labels))
      : [],
    scaledTo: (number) => scaledTo(object, number),
  };
}

export interface Scaled {
  readonly autoscaler: StoredHorizontalPodAutoscaler;
  readonly target: ScaleTarget | string;
  /** Names of other autoscalers whose targets want a pod of this one's as well. */
  readonly rivals: readonly string[];
}

/** Of one pod that are told apart: a commit may have thousands of autoscalers over the same pods. */
const MOST_RIVALS = 8;

/** All autoscalers. Costs a look at each of their pods. */
export function allScaled(view: StoreView): readonly Scaled[] {
  const found = view
    .list('HorizontalPodAutoscaler')
    .map((autoscaler) => ({ autoscaler, target: targetOf(view, autoscaler) }));
  const over = new Map<ObjectKey, StoredHorizontalPodAutoscaler[]>();
  for (const { autoscaler, target } of found) {
    if (typeof target === 'string') continue;
    // Of a target that has no pod yet, it is itself what two want.
    for (const key of [keyOf(target.object), ...target.pods.map(keyOf)]) {
      const known = over.get(key);
      if (!known) over.set(key, [autoscaler]);
      else if (known.length < MOST_RIVALS) known.push(autoscaler);
    }
  }
  return found.map(({ autoscaler, target }) => {
    const rivals = new Set<string>();
    if (typeof target !== 'string')
      for (const key of [keyOf(target.object), ...target.pods.map(keyOf)])
        for (const other of over.get(key) ?? []) if (other !== autoscaler) rivals.add(other.metadata.name);
    return { autoscaler, target, rivals: [...rivals].sort() };
  });
}

/** Whether it looks at what pods take of cpu or memory. */
export function measuresResources({ spec }: StoredHorizontalPodAutoscaler): boolean {
  return spec.metrics.some(({ type }) => type === 'Resource' || type === 'ContainerResource');
}

/** Nodes of the pods of which some autoscaler does. */
export function nodesToSample(view: StoreView): ReadonlySet<string> {
  return nodesOf(
    view.list('HorizontalPodAutoscaler').map((autoscaler) => ({ autoscaler, target: targetOf(view, autoscaler) })),
  );
}

/** The same, of these. */
export function nodesOf(all: readonly Pick<Scaled, 'autoscaler' | 'target'>[]): ReadonlySet<string> {
  const nodes = new Set<string>();
  for (const { autoscaler, target } of all)
    if (measuresResources(autoscaler) && typeof target !== 'string')
      for (const { spec } of target.pods) if (spec.nodeName !== undefined) nodes.add(spec.nodeName);
  return nodes;
}
