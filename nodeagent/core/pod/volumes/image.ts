/** The files of an image. Source: Kubernetes, KEP-4639; v1 API reference, ImageVolumeSource. */
import { withDefaultTag } from '../../../../contracts/objects/image-name.ts';
import type { Pod } from '../../../../contracts/objects/index.ts';
import type { Source, VolumeSource } from './source.ts';

export const IMAGE: VolumeSource<'image'> = {
  place: () => ({ medium: 'disk' }),
  readOnly: false,
  sealed: true,
  mayFail: true,
  mount: ({ reference }, { pod }) => ({
    ok: true,
    value: { kind: 'image', image: withDefaultTag(reference), podUid: pod.metadata.uid ?? '' },
  }),
};

export interface ImageVolume extends Source<'image'> {
  readonly name: string;
}

export function imageVolumes({ spec }: Pod): readonly ImageVolume[] {
  return (spec.volumes ?? []).flatMap(({ name, image }) => (image ? [{ name, ...image }] : []));
}

/** Names of images that the pod's volumes are made of, as the runtime is asked for them. */
export function imagesOfVolumes(pod: Pod): readonly string[] {
  return imageVolumes(pod).map(({ reference }) => withDefaultTag(reference));
}
