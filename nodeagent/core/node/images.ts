/** The images that a node reports. Source: Kubernetes' kubelet, pkg/kubelet/nodestatus (Images). */
import type { NodeImage } from '../../../contracts/agent/index.ts';

/** Kubelet's nodeStatusMaxImages. */
const MAX_IMAGES = 50;
const MAX_NAMES = 5;

interface StoredImage {
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

/**
 * The largest images with their names, digests first; the same for the same images in any order. One without a name
 * says nothing.
 */
export function reportedImages(images: readonly StoredImage[]): readonly NodeImage[] {
  return images
    .map(({ tags, digests, sizeBytes }) => ({
      names: [...[...digests].sort(), ...[...tags].sort()].slice(0, MAX_NAMES),
      sizeBytes,
    }))
    .filter(({ names }) => names.length > 0)
    .sort((a, b) => b.sizeBytes - a.sizeBytes || ((a.names[0] ?? '') < (b.names[0] ?? '') ? -1 : 1))
    .slice(0, MAX_IMAGES);
}
