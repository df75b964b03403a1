/** Machine: one server, as Git has it. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { machineHealth } from '../health/machine.ts';
import { checkMachine } from '../manifests/checks/check-machine.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const MACHINE: KindDescriptor<'Machine'> = {
  identity: KINDS.Machine,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'ADDRESS', cell: (m) => `${m.spec.user}@${m.spec.address}:${m.spec.port}` },
    {
      heading: 'CONNECTED',
      cell: (m) => {
        const c = m.status?.conditions?.[0];
        return c ? (c.status === 'True' ? 'True' : (c.reason ?? c.status)) : 'Unknown';
      },
    },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkMachine },
  compared: [['spec', 'address']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: { judge: machineHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
