/** What nodes hold besides because of what all nodes hold: the password of a router that only some of them speak to. */
import { keyOf, type Kind, type ObjectKey, type Stored, type StoredNode } from '../../../contracts/objects/index.ts';
import { descriptorOf, DESCRIPTORS } from '../kinds/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { keysOf } from './projection.ts';

const NONE: ReadonlySet<ObjectKey> = new Set();

/** Costs nothing for kinds that bring nothing, and for a Node whose labels stay as they are. */
export class Brought {
  readonly #bringers = new Map<ObjectKey, Stored>();
  readonly #nodes = new Map<
    string,
    { readonly node: StoredNode; readonly labels: string; keys: ReadonlySet<ObjectKey> }
  >();
  readonly #moved: (node: string, asked: readonly ObjectKey[], released: readonly ObjectKey[]) => void;

  /** `moved` hears what a node holds now that it did not hold, and the other way round. */
  constructor(moved: (node: string, asked: readonly ObjectKey[], released: readonly ObjectKey[]) => void) {
    this.#moved = moved;
  }

  observe(type: 'put' | 'delete', object: Stored): void {
    if (object.kind === 'Node') {
      this.#observeNode(type, object);
      return;
    }
    if (!brings(object.kind)) return;
    if (type === 'delete') this.#bringers.delete(keyOf(object));
    else this.#bringers.set(keyOf(object), object);
    for (const name of this.#nodes.keys()) this.#settle(name);
  }

  #observeNode(type: 'put' | 'delete', node: StoredNode): void {
    const { name } = node.metadata;
    const before = this.#nodes.get(name);
    if (type === 'delete') {
      this.#nodes.delete(name);
      if (before && before.keys.size > 0) this.#moved(name, [], [...before.keys]);
      return;
    }
    const labels = canonicalJson(node.metadata.labels ?? {});
    if (before?.labels === labels) return;
    this.#nodes.set(name, { node, labels, keys: before?.keys ?? NONE });
    this.#settle(name);
  }

  #settle(name: string): void {
    const entry = this.#nodes.get(name);
    if (!entry || (entry.keys.size === 0 && this.#bringers.size === 0)) return;
    const { keys: before, node } = entry;
    const next = new Set([...this.#bringers.values()].flatMap((object) => broughtBy(object, node)));
    entry.keys = next;
    const asked = [...next].filter((key) => !before.has(key));
    const released = [...before].filter((key) => !next.has(key));
    if (asked.length + released.length > 0) this.#moved(name, asked, released);
  }
}

function brings(kind: Kind): boolean {
  const { reach } = DESCRIPTORS[kind];
  return reach !== 'none' && reach.brings !== undefined;
}

function broughtBy(object: Stored, node: StoredNode): readonly ObjectKey[] {
  const { reach } = descriptorOf(object.kind);
  return reach === 'none' ? [] : keysOf(reach.brings?.(object, node) ?? [], object.metadata.namespace);
}
