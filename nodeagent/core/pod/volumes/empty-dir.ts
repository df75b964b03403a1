/** A folder that lives as long as its pod. Source of the rules of huge pages: Kubernetes pkg/volume/emptydir/empty_dir.go. */
import { allContainers } from '../../../../contracts/objects/pod-containers.ts';
import type { Pod } from '../../../../contracts/objects/index.ts';
import { sumOfRequests } from '../../../../contracts/objects/pod-sums.ts';
import { parseQuantity } from '../../../../contracts/objects/quantity-value.ts';
import type { Medium } from '../layout.ts';
import type { Resolved } from '../resolved.ts';
import { memoryBytes } from './limits.ts';
import type { Source, VolumeSource } from './source.ts';

const HUGE_PAGES = 'HugePages';
const SIZED = /^HugePages-(.+)$/;
const RESOURCE = /^hugepages-(.+)$/;

/** Size of the pages of a volume: that of its medium, or the one that the pod asks for. */
function pageBytes(medium: string, pod: Pod): Resolved<number> {
  const asked = new Set(
    requestLists(pod).flatMap((requests) =>
      Object.keys(requests).flatMap((resource) => {
        const size = RESOURCE.exec(resource)?.[1];
        return size === undefined ? [] : [parseQuantity(size)];
      }),
    ),
  );
  const own = SIZED.exec(medium)?.[1];
  const fitting = own === undefined ? [...asked] : [parseQuantity(own)].filter((bytes) => asked.has(bytes));
  const [bytes, ...others] = fitting;
  if (bytes === undefined)
    return {
      ok: false,
      message: `medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`,
    };
  if (others.length > 0)
    return { ok: false, message: `medium: ${medium} can't be used if container requests multiple huge page sizes` };
  return { ok: true, value: bytes };
}

/** Bytes of a volume of huge pages: what the pod asks for of that size, or less where the volume says so. */
function mostOf({ sizeLimit }: Source<'emptyDir'>, { spec }: Pod, page: number): number {
  const asked = [...sumOfRequests(spec, {})].reduce((sum, [resource, amount]) => {
    const size = RESOURCE.exec(resource)?.[1];
    return size !== undefined && parseQuantity(size) === page ? sum + amount : sum;
  }, 0);
  const said = sizeLimit === undefined ? 0 : Math.ceil(parseQuantity(sizeLimit));
  return said > 0 ? Math.min(said, asked) : asked;
}

function requestLists({ spec }: Pod): readonly Readonly<Record<string, string>>[] {
  return [spec, ...allContainers(spec)].map(({ resources }) => resources?.requests ?? {});
}

function mediumOf({ medium }: Source<'emptyDir'>): Medium {
  return medium === 'Memory' ? 'memory' : 'disk';
}

export const EMPTY_DIR: VolumeSource<'emptyDir'> = {
  place: (source) => ({ medium: mediumOf(source) }),
  readOnly: false,
  mayFail: ({ medium }) => medium.startsWith(HUGE_PAGES),
  mount(source, { pod, objects }) {
    if (source.medium.startsWith(HUGE_PAGES)) {
      const bytes = pageBytes(source.medium, pod);
      return bytes.ok
        ? {
            ok: true,
            value: { kind: 'hugePages', pageBytes: bytes.value, sizeBytes: mostOf(source, pod, bytes.value) },
          }
        : bytes;
    }
    const medium = mediumOf(source);
    const sizeBytes = medium === 'memory' ? memoryBytes(source, pod, objects.allocatable()) : undefined;
    return { ok: true, value: { kind: 'empty', medium, sizeBytes } };
  },
};
