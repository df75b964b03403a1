/**
 * How much of its node's disk a pod may take. Source: Kubernetes pkg/kubelet/eviction/eviction_manager.go
 * (podEphemeralStorageLimitEviction, containerEphemeralStorageLimitEviction): what counts, and the messages.
 */
import { readKey } from '../../../contracts/objects/own-key.ts';
import { lastingContainers } from '../../../contracts/objects/pod-containers.ts';
import { parseQuantity } from '../../../contracts/objects/quantity-value.ts';
import type { Container, Pod } from '../../../contracts/objects/index.ts';

const RESOURCE = 'ephemeral-storage';

/** Bytes. */
export interface StorageUse {
  /** Of the pod's volumes on disk, its logs, and what its containers wrote elsewhere. */
  readonly pod: number;
  /** Of the last two, by container's name. */
  readonly containers: ReadonlyMap<string, number>;
}

function limitOf({ resources }: Container): string | undefined {
  const limits = resources.limits as Readonly<Record<string, string>> | undefined;
  return readKey(limits ?? {}, RESOURCE);
}

/** Whether what the pod takes has to be counted. */
export function limitsStorage({ spec }: Pod): boolean {
  return lastingContainers(spec).some((container) => limitOf(container) !== undefined);
}

/** Why a pod that took more than its limits goes; undefined for one that did not. A container's limit of 0 is none. */
export function storageExceeded({ spec }: Pod, use: StorageUse): string | undefined {
  const limited = lastingContainers(spec).flatMap((container) => {
    const said = limitOf(container);
    return said === undefined ? [] : [{ name: container.name, said, bytes: parseQuantity(said) }];
  });
  const total = limited.reduce((sum, { bytes }) => sum + bytes, 0);
  if (limited.length > 0 && use.pod > total) {
    const said = limited.length === 1 ? limited[0]?.said : String(total);
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${said}. `;
  }
  const over = limited.find(({ name, bytes }) => bytes > 0 && (use.containers.get(name) ?? 0) > bytes);
  return over && `Container ${over.name} exceeded its local ephemeral storage limit "${over.said}". `;
}
