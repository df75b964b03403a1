/** Nodes while a forecast is played: none of them falls silent in a time that does not pass. */
import type { StoredNode } from '../../../contracts/objects/index.ts';
import { NodeMonitor } from '../../core/health/node-monitor.ts';

/** Knows all nodes from the start, so that it is not blind while one is ready. */
export class HeardNodes extends NodeMonitor {
  constructor(nodes: readonly StoredNode[], now: Date) {
    super();
    for (const node of nodes) this.observe(node, 0, now);
  }

  override silentMs(): number {
    return 0;
  }
}
