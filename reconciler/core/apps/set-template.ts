/** The template of an AppSet, filled in for one element: a tree as if the App were written, each value at its place in the template. */
import { createHash } from 'node:crypto';
import { LineCounter } from 'yaml';
import { OWN_API_VERSION, readKey } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import { Findings } from '../manifests/findings.ts';
import { positionOf } from '../manifests/marks.ts';
import type { Position } from '../manifests/types.ts';
import { shortened } from '../manifests/wording.ts';
import type { ScalarValue } from '../manifests/yaml-scalars.ts';
import { pathText, type FieldPath, type YamlField, type YamlMap, type YamlNode } from '../manifests/yaml-tree.ts';
import type { Allowance } from './allowance.ts';
import type { DesiredSet, SetElement } from './set-elements.ts';
import { isWrong, setText, type SetText } from './set-text.ts';

/** What all Apps of a commit that are generated have together, in characters; a value counts as {@link VALUE_SIZE} more. */
export const MAX_GENERATED = 16 * 1024 * 1024;
/** Of one of them, as of a file. */
const MAX_APP = 1024 * 1024;
const VALUE_SIZE = 64;

const TOO_LARGE = {
  message: `makes an App of more than ${MAX_APP / 1024 / 1024} MiB, a value counted as ${VALUE_SIZE} characters and its own`,
  hint: 'keep values in files that helm.valuesFiles names',
};

export interface FilledApp {
  readonly root: YamlMap;
  readonly size: number;
}
export interface NotFilled {
  readonly at: Position;
  readonly message: string;
  readonly hint: string;
}
/** Why there is no App: what is wrong with its values, or that there is no room left. */
export type Unfilled = readonly NotFilled[] | 'no room';

/** A value of the template with its place, texts taken apart. */
type Part =
  | { readonly kind: 'map'; readonly place: number; readonly fields: readonly (readonly [string, Part])[] }
  | { readonly kind: 'list'; readonly place: number; readonly items: readonly Part[] }
  | { readonly kind: 'value'; readonly place: number; readonly value: ScalarValue }
  | { readonly kind: 'text'; readonly place: number; readonly path: FieldPath; readonly text: SetText };

export class SetTemplate {
  readonly #desired: Position;
  /** By what stands for an offset in the tree. */
  readonly #places: Position[];
  readonly #parts: Part;
  /** Tells apart what the same element becomes by another template, or at another place. */
  readonly id: string;

  constructor({ desired, set }: DesiredSet) {
    this.#desired = desired.position;
    this.#places = [desired.position];
    this.#parts = this.#part(set.spec.template, [], desired);
    this.id = hash([this.#places.map(({ line, column }) => [line, column]), set.spec.template]);
  }

  /** Under which the App of an element is kept: it is the same wherever this is. */
  keyOf({ name, values }: SetElement): string {
    return hash([this.id, name, values]);
  }

  /** Reports at the places that the template's values have. */
  findings(): Findings {
    return new Findings(this.#desired.file, new Places(this.#places), '');
  }

  fill({ values }: SetElement, room: Allowance): FilledApp | Unfilled {
    const filling = new Filling(values, this.#places, room);
    const root = filling.node(this.#parts);
    if (filling.isOver) return filling.size > MAX_APP ? [{ at: this.#desired, ...TOO_LARGE }] : 'no room';
    if (filling.wrong.length > 0 || root.kind !== 'map') return filling.wrong;
    const word = (value: string): YamlField => ({ keyOffset: 0, node: scalar(value, 0) });
    const fields = [['apiVersion', word(OWN_API_VERSION)], ['kind', word('App')], ...root.fields] as const;
    return { root: { ...root, offset: 0, fields: new Map(fields) }, size: filling.size };
  }

  #part(value: unknown, path: FieldPath, desired: DesiredSet['desired']): Part {
    const place = this.#places.push(positionOf(desired, 'spec', 'template', ...path)) - 1;
    if (isObject(value)) {
      const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
      return {
        kind: 'map',
        place,
        fields: fields.map(([name, inner]) => [name, this.#part(inner, [...path, name], desired)] as const),
      };
    }
    if (isList(value))
      return { kind: 'list', place, items: value.map((item, i) => this.#part(item, [...path, i], desired)) };
    if (typeof value !== 'string') return { kind: 'value', place, value: value as ScalarValue };
    const text = setText(value);
    // A text that is none was refused with the AppSet.
    return { kind: 'text', place, path, text: isWrong(text) ? [value] : text };
  }
}

/** One walk through the template for one element. */
class Filling {
  readonly #values: JsonObject;
  readonly #places: readonly Position[];
  readonly #room: Allowance;
  readonly wrong: NotFilled[] = [];
  isOver = false;
  size = 0;

  constructor(values: JsonObject, places: readonly Position[], room: Allowance) {
    this.#values = values;
    this.#places = places;
    this.#room = room;
  }

  node(part: Part): YamlNode {
    const { place } = part;
    switch (part.kind) {
      case 'map': {
        const fields = part.fields.map(([name, inner]) => this.#field(name, inner.place, () => this.node(inner)));
        return this.#map(place, fields);
      }
      case 'list':
        return this.#list(
          place,
          part.items.map((item) => this.node(item)),
        );
      case 'value':
        return this.#scalar(part.value, place);
      case 'text': {
        const [only] = part.text;
        if (part.text.length !== 1 || typeof only !== 'object') return this.#scalar(this.#joined(part), place);
        const value = this.#valueOf(only.variable, part);
        return value === undefined ? this.#scalar('', place) : this.#plain(value, place);
      }
    }
  }

  /** A value as it is, all of it at one place. */
  #plain(value: unknown, place: number): YamlNode {
    if (this.isOver) return scalar(null, place);
    if (isObject(value))
      return this.#map(
        place,
        Object.entries(value).map(([name, inner]) => this.#field(name, place, () => this.#plain(inner, place))),
      );
    if (isList(value))
      return this.#list(
        place,
        value.map((item) => this.#plain(item, place)),
      );
    return this.#scalar(value as ScalarValue, place);
  }

  #joined(part: Part & { readonly kind: 'text' }): string {
    return part.text
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        const value = this.#valueOf(piece.variable, part);
        if (isObject(value) || isList(value)) {
          const what = isList(value) ? 'a list' : 'a map';
          this.#tell(
            part,
            `\${${piece.variable}} is ${what}, and stands inside a longer text`,
            `let it be the whole value: "\${${piece.variable}}"; or name a value in it`,
          );
          return '';
        }
        if (typeof value === 'string') return value;
        return value === undefined ? '' : JSON.stringify(value);
      })
      .join('');
  }

  #valueOf(name: string, part: Part & { readonly kind: 'text' }): unknown {
    const value = variableOf(this.#values, name);
    if (value === undefined)
      this.#tell(
        part,
        `\${${shortened(name)}} is not set`,
        `the element has ${shown(Object.keys(this.#values))}; write $\${${shortened(name)}} for the text itself`,
      );
    else if (typeof value === 'number' && !Number.isFinite(value))
      this.#tell(part, `\${${shortened(name)}} is no finite number`, 'write another value into the element');
    return value;
  }

  #tell({ path, place }: Part & { readonly kind: 'text' }, message: string, hint: string): void {
    const at = this.#places[place];
    if (at) this.wrong.push({ at, message: `${pathText(path)}: ${message}`, hint });
  }

  #field(name: string, place: number, node: () => YamlNode): readonly [string, YamlField] {
    this.#count(name.length);
    return [name, { keyOffset: place, node: node() }];
  }

  #map(offset: number, fields: readonly (readonly [string, YamlField])[]): YamlMap {
    this.#count(VALUE_SIZE);
    const size = fields.reduce((sum, [, { node }]) => sum + node.size, 1);
    return { kind: 'map', offset, size, fields: new Map(fields) };
  }

  #list(offset: number, items: readonly YamlNode[]): YamlNode {
    this.#count(VALUE_SIZE);
    return { kind: 'list', offset, size: items.reduce((sum, { size }) => sum + size, 1), items };
  }

  #scalar(value: ScalarValue, place: number): YamlNode {
    this.#count(VALUE_SIZE + (typeof value === 'string' ? value.length : 0));
    return scalar(value, place);
  }

  #count(size: number): void {
    this.size += size;
    if (!this.#room.take(size) || this.size > MAX_APP) this.isOver = true;
  }
}

/** The line counter of a tree whose offsets are numbers of places. */
class Places extends LineCounter {
  readonly #places: readonly Position[];

  constructor(places: readonly Position[]) {
    super();
    this.#places = places;
    this.linePos = (offset) => {
      const { line, column } = this.#places[offset] ?? { line: 1, column: 1 };
      return { line, col: column };
    };
  }
}

/**
 * What a variable stands for: at each map the longest name that the map has, so that `labels.topology.kubernetes.io/zone`
 * finds the label.
 */
export function variableOf(values: JsonObject, name: string): unknown {
  let at: unknown = values;
  for (let rest = name; isObject(at);) {
    const whole = readKey(at, rest);
    if (whole !== undefined) return whole;
    let dot = rest.lastIndexOf('.');
    while (dot > 0 && readKey(at, rest.slice(0, dot)) === undefined) dot = rest.lastIndexOf('.', dot - 1);
    if (dot <= 0) return undefined;
    at = readKey(at, rest.slice(0, dot));
    rest = rest.slice(dot + 1);
  }
  return undefined;
}

function scalar(value: ScalarValue, offset: number): YamlNode {
  return { kind: 'scalar', offset, size: 1, value, source: String(value), quoted: typeof value === 'string' };
}

const MAX_SHOWN = 12;

function shown(names: readonly string[]): string {
  const more = names.length > MAX_SHOWN ? ` and ${names.length - MAX_SHOWN} more` : '';
  return names.slice(0, MAX_SHOWN).map(shortened).join(', ') + more;
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
