/**
 * How much a pod may write into its volumes. Source: Kubernetes pkg/kubelet/eviction/eviction_manager.go,
 * emptyDirLimitEviction; pkg/volume/emptydir, calculateEmptyDirMemorySize.
 */
import type { Pod } from '../../../../contracts/objects/index.ts';
import { parseQuantity } from '../../../../contracts/objects/quantity-value.ts';
import type { Source } from './source.ts';

export interface VolumeLimit {
  readonly volume: string;
  readonly bytes: number;
  /** As the pod says it. */
  readonly said: string;
}

/** Of the pod's volumes on the node's disk. A limit of 0 is none. In memory the kernel holds to it. */
export function diskLimits(pod: Pod): readonly VolumeLimit[] {
  return (pod.spec.volumes ?? []).flatMap(({ name, emptyDir }) => {
    const said = emptyDir?.sizeLimit;
    if (said === undefined || emptyDir?.medium !== '') return [];
    const bytes = Math.ceil(parseQuantity(said));
    return bytes > 0 ? [{ volume: name, bytes, said }] : [];
  });
}

/** Why a pod that wrote more than its limit goes. */
export function exceeded({ volume, said }: VolumeLimit): string {
  return `Usage of EmptyDir volume "${volume}" exceeds the limit "${said}". `;
}

/**
 * Bytes of a volume in memory: the least of its limit, of what the pod may take of memory, or its containers where each
 * has a limit, and of what the node has for pods. Undefined leaves it to the kernel: half of the memory.
 */
export function memoryBytes(
  { sizeLimit }: Source<'emptyDir'>,
  pod: Pod,
  allocatable: Readonly<Record<string, string>> | undefined,
): number | undefined {
  const bytesOf = (quantity: string | undefined): number => (quantity === undefined ? 0 : parseQuantity(quantity));
  const limits = pod.spec.containers.map(({ resources }) => bytesOf(resources.limits?.['memory']));
  const summed = limits.every((bytes) => bytes > 0) ? limits.reduce((sum, bytes) => sum + bytes, 0) : 0;
  const ofPod = bytesOf(pod.spec.resources?.limits?.['memory']) || summed;
  const bounds = [bytesOf(sizeLimit), ofPod, bytesOf(allocatable?.['memory'])].filter((bytes) => bytes > 0);
  return bounds.length > 0 ? Math.ceil(Math.min(...bounds)) : undefined;
}
