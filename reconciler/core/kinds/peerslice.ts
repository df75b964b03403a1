/** PeerSlice: addresses of pods that policies name. */
import { KINDS, PEER_GROUP_LABEL } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const PEER_SLICE: KindDescriptor<'PeerSlice'> = {
  identity: KINDS.PeerSlice,
  wave: 2,
  categories: [],
  columns: [
    NAME,
    { heading: 'GROUP', cell: (s) => s.metadata.labels?.[PEER_GROUP_LABEL] ?? NONE },
    { heading: 'PODS', cell: (s) => String(s.members.length) },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: {
    how: 'shared',
    // A node has no use for the uids of others' pods.
    form: ({ members, ...slice }) => ({ ...slice, members: members.map(({ uid: _uid, ...member }) => member) }),
  },
  recovery: { from: 'computed', order: 61 },
  subresources: [],
};
