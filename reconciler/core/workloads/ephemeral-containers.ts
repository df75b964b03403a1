/**
 * Containers that are put into a running pod. Source: Kubernetes pkg/apis/core/validation,
 * ValidatePodEphemeralContainersUpdate and validateEphemeralContainers: they are added, never changed or taken away.
 */
import type { EphemeralContainer, Pod } from '../../../contracts/objects/index.ts';
import { allContainers } from '../../../contracts/objects/pod-containers.ts';
import { equal } from '../fields/json.ts';

/** In the life of a pod: each leaves its status and its log. */
const MOST = 32;

/** The pod with these as well; those that it has, by name, may be among them as they are. In words why not. */
export function withEphemeralContainers<P extends Pod>(
  pod: P,
  wanted: readonly EphemeralContainer[],
): P | { readonly refused: string } {
  const { metadata, spec, status } = pod;
  if (metadata.deletionTimestamp !== undefined) return { refused: 'the pod is being deleted' };
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return { refused: 'the pod has ended' };
  const has = spec.ephemeralContainers ?? [];
  const added: EphemeralContainer[] = [];
  for (const one of wanted) {
    const before = has.find(({ name }) => name === one.name);
    if (before && equal(before, one)) continue;
    if (before) return { refused: `ephemeral container ${one.name} is there already: it cannot be changed` };
    if (has.length + added.length >= MOST) return { refused: `a pod may have at most ${MOST} ephemeral containers` };
    const why = objection(pod, added, one);
    if (why !== undefined) return { refused: `ephemeral container ${one.name}: ${why}` };
    added.push(one);
  }
  return added.length === 0 ? pod : { ...pod, spec: { ...spec, ephemeralContainers: [...has, ...added] } };
}

function objection(
  { spec }: Pod,
  added: readonly EphemeralContainer[],
  { name, targetContainerName: target, volumeMounts = [] }: EphemeralContainer,
): string | undefined {
  const names = allContainers(spec).map((one) => one.name);
  if ([...names, ...added.map((one) => one.name)].includes(name))
    return 'the name is that of another container of the pod';
  if (target !== undefined && !names.includes(target))
    return `targetContainerName: the pod has no container ${target}; it has: ${names.join(', ')}`;
  for (const mount of volumeMounts) {
    if (!spec.volumes?.some((volume) => volume.name === mount.name)) return `the pod has no volume ${mount.name}`;
    if (mount.subPath !== undefined || mount.subPathExpr !== undefined)
      return 'a part of a volume cannot be mounted in an ephemeral container';
  }
  return undefined;
}
