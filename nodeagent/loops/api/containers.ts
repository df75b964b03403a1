/** Finds the container that a request names. */
import type { Container, Pod } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { logFile, type NodeFolders } from '../../core/pod/layout.ts';
import { identityOf } from '../../core/pod/objects.ts';
import type { ObservedContainer, ObservedPod } from '../../core/pod/observed.ts';
import type { PodIdentity } from '../../core/pod/runtime-types.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import { ApiError } from './answers.ts';

export interface Named {
  readonly pod: Pod;
  readonly container: string;
  readonly spec: Container;
  /** Newest first. */
  readonly found: readonly ObservedContainer[];
}

/** ApiError `PodNotFound`. */
export function namedPod(
  query: URLSearchParams,
  assignment: AssignmentStore,
): { readonly pod: Pod; readonly identity: PodIdentity } {
  const namespace = query.get('namespace') ?? 'default';
  const name = query.get('pod') ?? '';
  const pod = assignment.current().get(objectKey('Pod', namespace, name));
  if (!pod) throw new ApiError(404, 'PodNotFound', `pod ${namespace}/${name} is not on this node`);
  return { pod, identity: identityOf(pod) };
}

/** The pod's only or first container where the request names none. */
export function namedContainer(
  query: URLSearchParams,
  assignment: AssignmentStore,
  observed: (uid: string) => ObservedPod | undefined,
): Named {
  const { pod, identity } = namedPod(query, assignment);
  const specs = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])];
  const container = query.get('container') ?? specs[0]?.name ?? '';
  const spec = specs.find(({ name }) => name === container);
  if (!spec) {
    throw new ApiError(
      400,
      'ContainerNotFound',
      `container ${container} is not in pod ${identity.namespace}/${identity.name}; it has: ${specs.map(({ name }) => name).join(', ')}`,
    );
  }
  return {
    pod,
    container,
    spec,
    found: (observed(identity.uid)?.containers ?? []).filter((one) => one.name === container),
  };
}

export function logPathOf(named: Named, one: ObservedContainer, folders: NodeFolders): string {
  return one.detail.logPath !== ''
    ? one.detail.logPath
    : logFile(folders, identityOf(named.pod), named.container, one.attempt);
}
