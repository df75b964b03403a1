/** How many pods a workload has whose number nobody can ask for any more: the store that held it was lost. */
import type { Deployment, KubeObject, ObjectKey } from '../../../contracts/objects/index.ts';
import { fieldAt } from '../diff/fixed-fields.ts';
import { descriptorOf } from '../kinds/index.ts';
import type { DesiredState } from '../manifests/types.ts';
import { bounds } from '../workloads/rollout-numbers.ts';

/** Keys of the workloads whose number of pods Git leaves to others, such as an autoscaler. */
export function scaledByOthers(applied: DesiredState): ReadonlySet<ObjectKey> {
  const keys = [...applied].filter(([, { object, written }]) => {
    const { scale } = descriptorOf(object.kind);
    return scale !== 'none' && fieldAt(written, scale.replicas) === undefined;
  });
  return new Set(keys.map(([key]) => key));
}

/**
 * The number that the pods which run tell of; never below the default, as nothing tells a workload that was scaled to
 * none from one whose pods are lost. Amid an update, when there may be more pods than are wanted, it is the least number
 * that allows them all: none is ended for the loss of the store.
 */
export function scaleFound<T extends KubeObject>(object: T, running: number, isUpdating: boolean): T {
  const replicas = isUpdating && object.kind === 'Deployment' ? leastFor(object, running) : running;
  if (!isScaled(object)) return object;
  return replicas <= object.spec.replicas ? object : { ...object, spec: { ...object.spec, replicas } };
}

function leastFor({ spec }: Deployment, running: number): number {
  let replicas = running;
  while (replicas > 0 && bounds({ ...spec, replicas: replicas - 1 }).maxTotal >= running) replicas--;
  return replicas;
}

function isScaled<T extends KubeObject>(object: T): object is T & { readonly spec: { readonly replicas: number } } {
  return 'spec' in object && 'replicas' in object.spec;
}
