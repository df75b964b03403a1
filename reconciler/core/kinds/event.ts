/** Event: what happened to an object. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { age } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const EVENT: KindDescriptor<'Event'> = {
  identity: KINDS.Event,
  wave: 4,
  categories: [],
  columns: [
    { heading: 'LAST SEEN', cell: (e, { now }) => age(e.lastTimestamp, now) },
    { heading: 'TYPE', cell: (e) => e.type },
    { heading: 'REASON', cell: (e) => e.reason },
    { heading: 'OBJECT', cell: (e) => `${e.involvedObject.kind.toLowerCase()}/${e.involvedObject.name}` },
    { heading: 'COUNT', wide: true, cell: (e) => String(e.count) },
    { heading: 'MESSAGE', cell: (e) => e.message },
  ],
  listed: {
    // As they happened, the newest last.
    compare: (a, b) => Date.parse(a.lastTimestamp) - Date.parse(b.lastTimestamp),
  },
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
  reach: 'none',
  recovery: 'lost',
  subresources: [],
};
