/** A folder that lives as long as its pod. */
import type { Medium } from '../layout.ts';
import { memoryBytes } from './limits.ts';
import type { Source, VolumeSource } from './source.ts';

function mediumOf({ medium }: Source<'emptyDir'>): Medium {
  return medium === 'Memory' ? 'memory' : 'disk';
}

export const EMPTY_DIR: VolumeSource<'emptyDir'> = {
  place: (source) => ({ medium: mediumOf(source) }),
  readOnly: false,
  mayFail: false,
  mount(source, { pod, objects }) {
    const medium = mediumOf(source);
    const sizeBytes = medium === 'memory' ? memoryBytes(source, pod, objects.allocatable()) : undefined;
    return { ok: true, value: { kind: 'empty', medium, sizeBytes } };
  },
};
