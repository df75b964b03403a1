/** What a pod is told of itself as files, which follow its labels and annotations. */
import { fieldValue, resourceValue } from '../downward.ts';
import type { Resolved } from '../resolved.ts';
import { mountedFiles } from './files.ts';
import type { Source, VolumeContext, VolumeFile, VolumeSource } from './source.ts';

type Items = Source<'downwardAPI'>['items'];
/** Files tell of nothing that a pod only has once it runs. */
const NO_ADDRESSES = { podIP: '', hostIP: '' };

/** The files of a downwardAPI volume, and of a projection into another. */
export function downwardFiles(
  items: Items,
  defaultMode: number,
  { pod, objects }: VolumeContext,
): Resolved<readonly VolumeFile[]> {
  const files: VolumeFile[] = [];
  for (const { path, mode, fieldRef, resourceFieldRef } of items ?? []) {
    const text = fieldRef
      ? fieldValue(fieldRef.fieldPath, pod, NO_ADDRESSES)
      : resourceFieldRef
        ? resourceValue(resourceFieldRef, pod, undefined, objects.allocatable())
        : { ok: false as const, message: `${path} tells of nothing` };
    if (!text.ok) return text;
    files.push({ path, mode: mode ?? defaultMode, content: Buffer.from(text.value, 'utf8') });
  }
  return { ok: true, value: files };
}

export const DOWNWARD_API: VolumeSource<'downwardAPI'> = {
  place: () => ({ medium: 'disk' }),
  readOnly: true,
  mayFail: true,
  tellsOfPod: () => true,
  mount: ({ items, defaultMode }, context) => mountedFiles(downwardFiles(items, defaultMode, context)),
};
