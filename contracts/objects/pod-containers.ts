/** Which of a pod's containers run when. Free of schemas: a node agent uses it. */
import type { Container, Pod, PodSpec } from './pod.ts';
import { isSidecar } from './sidecar.ts';

type Containers = Pick<PodSpec, 'containers' | 'initContainers'>;

export { isSidecar } from './sidecar.ts';

/** Those that run together once the pod has started: sidecars, then containers, each in the spec's order. */
export function lastingContainers<S extends Containers>(spec: S): readonly S['containers'][number][] {
  const { containers, initContainers } = spec;
  return initContainers?.some(isSidecar) === true ? [...initContainers.filter(isSidecar), ...containers] : containers;
}

type Live = Pod['spec'];

/** All that may run in a pod: {@link allContainers}, then those that were put into it. */
export function everyContainer(spec: Live): readonly Container[] {
  return [...allContainers(spec), ...(spec.ephemeralContainers ?? [])];
}

/** Init containers, then containers, each in the spec's order. */
export function allContainers<S extends Containers>({ containers, initContainers = [] }: S): readonly Container[] {
  return [...initContainers, ...containers];
}
