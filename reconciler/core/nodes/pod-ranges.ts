/**
 * Which pod range each node has or gets. Fed with Machines and Nodes as they change, so that a node that joins costs the
 * same in a cluster of ten and of five thousand. Source of the rule: Kubernetes, pkg/controller/nodeipam/ipam/cidrset
 * (the lowest free range; here lower ones that were given back are used again).
 */
import type { ClusterSpec, StoredNode } from '../../../contracts/objects/index.ts';
import { parseRange, readRange, subrange, type Range } from '../../../contracts/ipv4.ts';
import { byAge, compareText } from '../workloads/owners.ts';

export class PodRanges {
  readonly network: ClusterSpec['network'];
  readonly #whole: Range;
  /** Size of a part of the whole, and how many there are. */
  readonly #partSize: number;
  readonly #parts: number;
  readonly #machines = new Set<string>();
  /** Nodes that have a range. */
  readonly #nodes = new Map<string, StoredNode>();
  readonly #byRange = new Map<string, Set<string>>();
  /** Given to a machine whose Node does not say so yet. */
  readonly #promised = new Map<string, number>();
  /** Machines without a range of their own. */
  readonly #waiting = new Set<string>();
  /** How often each part is taken or promised; a range of another size takes all parts that it touches. */
  readonly #taken = new Map<number, number>();
  /** No part below is free. */
  #lowest = 0;

  constructor(network: ClusterSpec['network']) {
    this.network = network;
    this.#whole = parseRange(network.podCIDR);
    this.#partSize = 2 ** (32 - network.nodeMaskSize);
    this.#parts = Math.floor(this.#whole.size / this.#partSize);
  }

  machine(name: string, isThere: boolean): void {
    if (isThere === this.#machines.has(name)) return;
    if (isThere) {
      this.#machines.add(name);
      if (!this.#isSettled(name)) this.#waiting.add(name);
    } else {
      this.#machines.delete(name);
      this.#waiting.delete(name);
      this.#release(name);
    }
  }

  /** The Node as it is now; undefined when it is gone. */
  node(name: string, node: StoredNode | undefined): void {
    const before = this.#nodes.get(name)?.spec.podCIDR;
    const after = node?.spec.podCIDR;
    if (node && after !== undefined) this.#nodes.set(name, node);
    else this.#nodes.delete(name);
    if (before === after) return;
    if (after !== undefined) this.#hold(name, after);
    if (before !== undefined) this.#letGo(name, before);
    this.#look(name);
  }

  /** Nodes that have this very range: more than one where two passes chose the same. */
  holders(cidr: string): readonly string[] {
    return [...(this.#byRange.get(cidr) ?? [])];
  }

  /**
   * The range of a machine's node: the one it has, unless an older node has it too; else the lowest that is free after
   * all machines that wait and come before it by name have theirs. Undefined while none is left. Asked again, it
   * answers the same.
   */
  of(name: string): string | undefined {
    if (this.#isSettled(name)) return this.#nodes.get(name)?.spec.podCIDR;
    if (!this.#promised.has(name)) {
      this.#waiting.add(name);
      for (const next of [...this.#waiting].sort(compareText)) if (!this.#promise(next)) break;
    }
    const promised = this.#promised.get(name);
    return promised === undefined ? undefined : subrange(this.#whole, this.network.nodeMaskSize, promised);
  }

  #isSettled(name: string): boolean {
    const node = this.#nodes.get(name);
    if (node?.spec.podCIDR === undefined) return false;
    for (const other of this.#byRange.get(node.spec.podCIDR) ?? []) {
      const rival = this.#nodes.get(other);
      if (rival && rival !== node && byAge(rival, node) < 0) return false;
    }
    return true;
  }

  /** False when there is none left. */
  #promise(name: string): boolean {
    while (this.#lowest < this.#parts && (this.#taken.get(this.#lowest) ?? 0) > 0) this.#lowest += 1;
    if (this.#lowest >= this.#parts) return false;
    this.#promised.set(name, this.#lowest);
    this.#waiting.delete(name);
    this.#take(this.#lowest, 1);
    return true;
  }

  #release(name: string): void {
    const promised = this.#promised.get(name);
    if (promised === undefined) return;
    this.#promised.delete(name);
    this.#take(promised, -1);
  }

  #hold(name: string, cidr: string): void {
    const holders = this.#byRange.get(cidr) ?? new Set();
    this.#byRange.set(cidr, holders.add(name));
    for (const part of this.#touched(cidr)) this.#take(part, 1);
  }

  #letGo(name: string, cidr: string): void {
    const holders = this.#byRange.get(cidr);
    holders?.delete(name);
    if (holders?.size === 0) this.#byRange.delete(cidr);
    for (const part of this.#touched(cidr)) this.#take(part, -1);
    for (const rival of holders ?? []) this.#look(rival);
  }

  /** A promise that was kept is none any more; who lost its range to an older node waits for another. */
  #look(name: string): void {
    if (this.#isSettled(name)) {
      this.#waiting.delete(name);
      this.#release(name);
    } else if (this.#machines.has(name) && !this.#promised.has(name)) this.#waiting.add(name);
  }

  *#touched(cidr: string): Generator<number> {
    const { first, size } = readRange(cidr) ?? { first: 0, size: 0 };
    const low = Math.max(0, Math.floor((first - this.#whole.first) / this.#partSize));
    const high = Math.min(this.#parts, Math.ceil((first + size - this.#whole.first) / this.#partSize));
    for (let part = low; part < high; part += 1) yield part;
  }

  #take(part: number, by: 1 | -1): void {
    const taken = (this.#taken.get(part) ?? 0) + by;
    if (taken > 0) this.#taken.set(part, taken);
    else {
      this.#taken.delete(part);
      this.#lowest = Math.min(this.#lowest, part);
    }
  }
}
