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
import { groupBy } from '../../core/group-by.ts';
import { descriptorOf } from '../../core/kinds/index.ts';
import { replicasOf, scaledTo } from '../../core/kinds/owners.ts';
import type { ScaleTarget } from '../../core/workloads/horizontal-pod-autoscaler.ts';
import { selected } from '../owned-keys.ts';
import type { StoreView } from '../runtime/controller.ts';

type Target = ScaleTarget | string;

/** The target, or why there is none. */
export function targetOf(view: StoreView, { metadata, spec }: StoredHorizontalPodAutoscaler): Target {
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
  readonly target: Target;
  /** Names of other autoscalers whose targets want a pod of this one's as well. */
  readonly rivals: readonly string[];
}

/** Of one pod that are told apart: a commit may have thousands of autoscalers over the same pods. */
const MOST_RIVALS = 8;

/** All autoscalers. Costs a look at each pod of each target, however many autoscalers are over it. */
export function allScaled(view: StoreView): readonly Scaled[] {
  const groups = groupBy(withTargets(view), ({ target }) => target);
  const over = new Map<ObjectKey, StoredHorizontalPodAutoscaler[]>();
  for (const [target, group] of groups)
    for (const key of wantedOf(target)) {
      const known = over.get(key) ?? [];
      over.set(key, known);
      for (const { autoscaler } of group.slice(0, MOST_RIVALS - known.length)) known.push(autoscaler);
    }
  return [...groups].flatMap(([target, group]) => {
    const overlapping = [...new Set(wantedOf(target).flatMap((key) => over.get(key) ?? []))];
    return group.map(({ autoscaler }) => ({
      autoscaler,
      target,
      rivals: overlapping
        .filter((other) => other !== autoscaler)
        .map(({ metadata }) => metadata.name)
        .sort(),
    }));
  });
}

/** Of a target that has no pod yet, it is itself what two want. */
function wantedOf(target: Target): readonly ObjectKey[] {
  return typeof target === 'string' ? [] : [keyOf(target.object), ...target.pods.map(keyOf)];
}

/** Those of one target have the same one: each is looked for once. */
function withTargets(view: StoreView): readonly Pick<Scaled, 'autoscaler' | 'target'>[] {
  const targets = new Map<string, Target>();
  return view.list('HorizontalPodAutoscaler').map((autoscaler) => {
    const { apiVersion, kind, name } = autoscaler.spec.scaleTargetRef;
    const ref = JSON.stringify([autoscaler.metadata.namespace, apiVersion, kind, name]);
    const target = targets.get(ref) ?? targetOf(view, autoscaler);
    targets.set(ref, target);
    return { autoscaler, target };
  });
}

/** Whether it looks at what pods take of cpu or memory. */
export function measuresResources({ spec }: StoredHorizontalPodAutoscaler): boolean {
  return spec.metrics.some(({ type }) => type === 'Resource' || type === 'ContainerResource');
}

/** Nodes of the pods of which some autoscaler does. */
export function nodesToSample(view: StoreView): ReadonlySet<string> {
  return nodesOf(withTargets(view));
}

/** The same, of these. */
export function nodesOf(all: readonly Pick<Scaled, 'autoscaler' | 'target'>[]): ReadonlySet<string> {
  const targets = new Set(all.flatMap(({ autoscaler, target }) => (measuresResources(autoscaler) ? [target] : [])));
  const nodes = new Set<string>();
  for (const target of targets)
    if (typeof target !== 'string')
      for (const { spec } of target.pods) if (spec.nodeName !== undefined) nodes.add(spec.nodeName);
  return nodes;
}
