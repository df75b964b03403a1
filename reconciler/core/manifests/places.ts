/** Where the values of an object are written, and their names: four numbers for each, without the tree that they were read from. */
import { readKey } from '../../../contracts/objects/index.ts';
import { isList, isObject } from '../fields/json.ts';
import { childOf, type FieldPath, type YamlNode } from './yaml-tree.ts';

export class Places {
  readonly #value: unknown;
  /** Line and column of every value's name, then of the value itself, in the order of {@link walk}. */
  readonly #positions: Uint32Array;

  /** `value` is what `tree` was read as; `positionAt` tells line and column of an offset in the file. */
  constructor(value: unknown, tree: YamlNode, positionAt: (offset: number) => { line: number; column: number }) {
    this.#value = value;
    const positions: number[] = [];
    for (const { node, keyOffset } of walk(value, tree)) {
      for (const offset of [keyOffset ?? node.offset, node.offset]) {
        const { line, column } = positionAt(offset);
        positions.push(line, column);
      }
    }
    this.#positions = Uint32Array.from(positions);
  }

  /**
   * `value` is where a text or a number is, and the name of a map or a list. What is not there is shown at the name of
   * the nearest that is around it.
   */
  at(path: FieldPath, part: 'key' | 'value' = 'value'): { readonly line: number; readonly column: number } {
    let place = 0;
    let value = this.#value;
    let found = 0;
    for (const step of path) {
      const inner = isObject(value) ? readKey(value, String(step)) : isList(value) ? value[Number(step)] : undefined;
      if (inner === undefined) break;
      place += 1;
      for (const [name, before] of entriesOf(value)) {
        if (name === String(step)) break;
        place += sizeOf(before);
      }
      value = inner;
      found += 1;
    }
    const isNamed = part === 'key' || found < path.length || isObject(value) || isList(value);
    const at = 4 * place + (isNamed ? 0 : 2);
    return { line: this.#positions[at] ?? 1, column: this.#positions[at + 1] ?? 1 };
  }
}

interface Visited {
  readonly node: YamlNode;
  /** Of the field that it is the value of. */
  readonly keyOffset?: number | undefined;
}

/** A value before what is in it, fields in the order that the plain value has them. */
function* walk(value: unknown, node: YamlNode, keyOffset?: number): Generator<Visited> {
  yield { node, keyOffset };
  for (const [name, inner] of entriesOf(value)) {
    const child = childOf(node, node.kind === 'list' ? Number(name) : name);
    if (child) yield* walk(inner, child, node.kind === 'map' ? node.fields.get(name)?.keyOffset : undefined);
  }
}

function sizeOf(value: unknown): number {
  return entriesOf(value).reduce((sum, [, inner]) => sum + sizeOf(inner), 1);
}

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) || isList(value) ? Object.entries(value) : [];
}
