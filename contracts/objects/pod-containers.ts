/** Which of a pod's containers run when. Free of schemas: a node agent uses it. */
import type { Container, Pod, PodSpec } from './pod.ts';

type Containers = Pick<PodSpec, 'containers' | 'initContainers'>;

/** Whether an init container goes on beside the containers that start after it. Source: Kubernetes, KEP-753. */
export function isSidecar(initContainer: Pick<Container, 'restartPolicy'>): boolean {
  return initContainer.restartPolicy === 'Always';
}

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
