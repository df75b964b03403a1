/** Finds the container that a request names. */
import type { Pod } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { logFile, type NodeFolders } from '../../core/pod/layout.ts';
import { identityOf } from '../../core/pod/objects.ts';
import type { ObservedContainer, ObservedPod } from '../../core/pod/observed.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import { ApiError } from './answers.ts';

export interface Named {
  readonly pod: Pod;
  readonly container: string;
  /** Newest first. */
  readonly found: readonly ObservedContainer[];
}

/** The pod's only or first container where the request names none. */
export function namedContainer(
  query: URLSearchParams,
  assignment: AssignmentStore,
  observed: (uid: string) => ObservedPod | undefined,
): Named {
  const namespace = query.get('namespace') ?? 'default';
  const name = query.get('pod') ?? '';
  const pod = assignment.current().get(objectKey('Pod', namespace, name));
  if (!pod) throw new ApiError(404, 'PodNotFound', `pod ${namespace}/${name} is not on this node`);
  const specs = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container = query.get('container') ?? specs[0]?.name ?? '';
  if (!specs.some((spec) => spec.name === container)) {
    throw new ApiError(
      400,
      'ContainerNotFound',
      `container ${container} is not in pod ${namespace}/${name}; it has: ${specs.map((spec) => spec.name).join(', ')}`,
    );
  }
  const { uid } = identityOf(pod);
  return { pod, container, found: (observed(uid)?.containers ?? []).filter((one) => one.name === container) };
}

export function logPathOf(named: Named, one: ObservedContainer, folders: NodeFolders): string {
  return one.detail.logPath !== ''
    ? one.detail.logPath
    : logFile(folders, identityOf(named.pod), named.container, one.attempt);
}
