/** A file or folder of the machine's own. */
import type { VolumeSource } from './source.ts';

export const HOST_PATH: VolumeSource<'hostPath'> = {
  place: ({ path }) => ({ path }),
  readOnly: false,
  mayFail: true,
  mount: ({ type }) => ({ ok: true, value: { kind: 'host', type } }),
};
