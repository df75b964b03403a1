/**
 * Huge pages of a machine, and what containers may have of them. Sources: the kernel's admin-guide/mm/hugetlbpage.rst;
 * Kubernetes documentation, "Manage HugePages"; pkg/kubelet/kuberuntime (GetHugepageLimitsFromResources).
 */
import type { Container } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { parseQuantity, quantityOfBytes } from '../../../contracts/objects/quantity-value.ts';

export interface HugePagePool {
  readonly pageBytes: number;
  readonly pages: number;
}

/** As the kernel names a pool in /sys/kernel/mm/hugepages; undefined for another name. */
export function pageBytesOf(folder: string): number | undefined {
  const kib = /^hugepages-(\d{1,9})kB$/.exec(folder)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** Kubernetes' name of the resource, such as `hugepages-2Mi`. */
const resourceOf = (pageBytes: number): string => `hugepages-${quantityOfBytes(pageBytes)}`;

/** Also of sizes of which the machine has no page now: it may be given some while it runs. */
export function hugePageCapacity(pools: readonly HugePagePool[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pools.map(({ pageBytes, pages }) => [resourceOf(pageBytes), quantityOfBytes(pageBytes * pages)]),
  );
}

/** In the Container Runtime Interface's words. */
export interface HugePageLimit {
  /** Such as `2MB`. */
  readonly pageSize: string;
  readonly bytes: number;
}

/** Of every size that the machine knows: who asks for none has none. */
export function hugePageLimits(
  { resources }: Pick<Container, 'resources'>,
  sizes: readonly number[],
): readonly HugePageLimit[] {
  const { limits } = resources as { readonly limits?: Readonly<Record<string, string>> };
  return sizes.map((pageBytes) => {
    const limit = readKey(limits, resourceOf(pageBytes));
    return {
      pageSize: quantityOfBytes(pageBytes).replace(/i$/, 'B'),
      bytes: limit === undefined ? 0 : parseQuantity(limit),
    };
  });
}
