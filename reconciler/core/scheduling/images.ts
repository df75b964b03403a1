/** Which images nodes have, and when that changed. */
import type { NodeStatus } from '../../../contracts/objects/index.ts';

type Images = NodeStatus['images'];

export class ImageTable {
  /** Nodes that have the image of the name. */
  readonly #nodes = new Map<string, number>();
  readonly #changed = new Map<string, number>();
  /** When a name was last had by no node any more, and forgotten. */
  #forgot = 0;

  nodesWith(name: string): number {
    return this.#nodes.get(name) ?? 0;
  }

  /** The latest `at` of a change that concerns one of the names. */
  changedAt(names: readonly string[]): number {
    let latest = this.#forgot;
    for (const name of names) latest = Math.max(latest, this.#changed.get(name) ?? 0);
    return latest;
  }

  /** A node has other images than before, from now on: `at`, which rises. */
  change(before: Images, after: Images, at: number): void {
    if (before === after) return;
    const had = sizes(before);
    const has = sizes(after);
    for (const [name, size] of has) {
      if (had.get(name) !== size) this.#changed.set(name, at);
      if (!had.has(name)) this.#nodes.set(name, this.nodesWith(name) + 1);
    }
    for (const name of had.keys()) {
      if (has.has(name)) continue;
      this.#changed.set(name, at);
      this.#nodes.set(name, this.nodesWith(name) - 1);
      if (this.nodesWith(name) > 0) continue;
      this.#nodes.delete(name);
      this.#changed.delete(name);
      this.#forgot = at;
    }
  }
}

function sizes(images: Images): ReadonlyMap<string, number> {
  return new Map(
    (images ?? []).flatMap(({ names, sizeBytes }) => names.map((name): [string, number] => [name, sizeBytes])),
  );
}
