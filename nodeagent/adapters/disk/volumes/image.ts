/** Files of an image, which nobody can write or run. */
import type { VolumePlanOf } from '../../../core/pod/volumes/index.ts';
import type { ImageFiles } from '../../../ports/image-files.ts';
import { makeFolder } from '../durable.ts';
import type { Mounts } from '../mounts.ts';

export async function mountImage(
  { path, name, podUid, image }: VolumePlanOf<'image'>,
  mounts: Mounts,
  signal: AbortSignal,
  images: Pick<ImageFiles, 'view'>,
): Promise<void> {
  if (await mounts.isMounted(path)) return;
  await makeFolder(path, 0o750);
  await mounts.sealed(path, await images.view({ podUid, name }, image, signal), signal);
}
