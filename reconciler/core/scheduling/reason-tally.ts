/** Why nodes do not pass, counted over all of them, and the message that comes of it. */
import { addTo } from './columns.ts';
import type { Reason } from './framework.ts';

export interface Tally {
  /** Plugins that refused a node. */
  readonly plugins: ReadonlySet<string>;
  /** How many nodes gave each reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Nodes that do not pass. */
  readonly refused: number;
}

interface Refused {
  readonly plugin: string;
  readonly reasons: readonly Reason[];
}

/**
 * Kept up to date node by node, so that the next pod that fits nowhere is told what holds then, for the price of what
 * changed.
 */
export class ReasonTally {
  readonly #byNode = new Map<number, Refused>();
  readonly #plugins = new Map<string, number>();
  readonly #reasons = new Map<string, number>();

  /** What the node says from now on; undefined where it passes. */
  set(node: number, refused: Refused | undefined): void {
    const before = this.#byNode.get(node);
    if (before) this.#add(before, -1);
    if (refused) {
      this.#byNode.set(node, refused);
      this.#add(refused, 1);
    } else this.#byNode.delete(node);
  }

  get now(): Tally {
    return { plugins: new Set(this.#plugins.keys()), reasons: new Map(this.#reasons), refused: this.#byNode.size };
  }

  #add({ plugin, reasons }: Refused, by: 1 | -1): void {
    addTo(this.#plugins, plugin, by);
    for (const { reason } of reasons) addTo(this.#reasons, reason, by);
  }
}

/**
 * What a pod without a node is told: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint
 * {gpu: true}.`
 */
export function messageOf({ reasons, refused }: Tally, nodeCount: number): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  const told = [...reasons]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort((a, b) => (a < b ? -1 : 1))
    .join(', ');
  return `${nodeCount - refused}/${nodeCount} nodes are available: ${told}.`;
}
