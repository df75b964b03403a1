/** A folder that lives as long as its pod. */
import { parseQuantity } from '../../../../contracts/objects/quantity-value.ts';
import type { Medium } from '../layout.ts';
import type { Source, VolumeSource } from './source.ts';

function mediumOf({ medium }: Source<'emptyDir'>): Medium {
  return medium === 'Memory' ? 'memory' : 'disk';
}

export const EMPTY_DIR: VolumeSource<'emptyDir'> = {
  place: (source) => ({ medium: mediumOf(source) }),
  readOnly: false,
  mayFail: false,
  mount(source) {
    const { sizeLimit } = source;
    const sizeBytes = sizeLimit === undefined ? undefined : Math.ceil(parseQuantity(sizeLimit));
    return { ok: true, value: { kind: 'empty', medium: mediumOf(source), sizeBytes } };
  },
};
