/** What the machine tells of itself. */
import type { Machine } from '../core/node/report.ts';

export interface NodeFacts {
  read(): Promise<Machine>;
  /** Resident memory of this process, bytes. */
  ownMemory(): number;
}
