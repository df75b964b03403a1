/**
 * Reading a map field by field. What nobody asked for is left over and told of, so that nothing of an input is dropped in
 * silence.
 */
import type { Position } from '../manifests/index.ts';
import {
  emptyMap,
  isNothing,
  type Located,
  type LocatedField,
  type LocatedMap,
  type LocatedScalar,
} from './located.ts';
import type { Report } from './report.ts';

export class Fields {
  readonly at: Position;
  /** How the map is called in messages: `services.web.deploy`. */
  readonly where: string;
  readonly #left: Map<string, LocatedField>;
  readonly #report: Report;

  constructor(map: LocatedMap, where: string, report: Report) {
    this.at = map.at;
    this.where = where;
    this.#left = new Map(map.fields);
    this.#report = report;
  }

  /** The field, once; undefined where it is absent or null. */
  take(name: string): LocatedField | undefined {
    const field = this.#left.get(name);
    this.#left.delete(name);
    return field && !isNothing(field.value) ? field : undefined;
  }

  has(name: string): boolean {
    return !isNothing(this.#left.get(name)?.value);
  }

  /** Fields that mean nothing to the result, and nothing is lost without. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#left.delete(name);
  }

  scalar(name: string): LocatedScalar | undefined {
    const field = this.take(name);
    if (!field) return undefined;
    if (field.value.kind === 'scalar') return field.value;
    this.#wrong(field, name, 'a single value');
    return undefined;
  }

  text(name: string): string | undefined {
    return this.scalar(name)?.source;
  }

  /** Numbers may be in quotes. */
  number(name: string): number | undefined {
    const field = this.#left.get(name);
    const text = this.text(name);
    if (text === undefined || !field) return undefined;
    const number = text.trim() === '' ? NaN : Number(text);
    if (Number.isFinite(number)) return number;
    this.#wrong(field, name, 'a number');
    return undefined;
  }

  /** `true` and `false` may be in quotes. */
  flag(name: string): boolean | undefined {
    const field = this.#left.get(name);
    const text = this.text(name)?.toLowerCase();
    if (text === undefined || !field) return undefined;
    if (['true', 'yes', 'on', 'y'].includes(text)) return true;
    if (!['false', 'no', 'off', 'n'].includes(text)) this.#wrong(field, name, 'true or false');
    return false;
  }

  /** The map, for reading; an empty one where there is none. */
  map(name: string): Fields {
    const field = this.take(name);
    if (field && field.value.kind !== 'map') this.#wrong(field, name, 'a map');
    const map = field?.value.kind === 'map' ? field.value : emptyMap(field?.at ?? this.at);
    return new Fields(map, `${this.where}.${name}`, this.#report);
  }

  /** The items of a list; a single value is a list of one. */
  list(name: string): readonly Located[] {
    const field = this.take(name);
    if (!field) return [];
    if (field.value.kind === 'list') return field.value.items;
    if (field.value.kind === 'scalar') return [field.value];
    this.#wrong(field, name, 'a list');
    return [];
  }

  /** Items of a list that are single values. */
  scalars(name: string): readonly LocatedScalar[] {
    return this.list(name).flatMap((item) => {
      if (item.kind === 'scalar' && item.value !== null) return [item];
      this.#report.invalid(item.at, `${this.where}.${name} is a list of single values`);
      return [];
    });
  }

  texts(name: string): readonly string[] {
    return this.scalars(name).map(({ source }) => source);
  }

  /** What was not asked for yet. */
  entries(): readonly (readonly [name: string, field: LocatedField])[] {
    return [...this.#left].filter(([, field]) => !isNothing(field.value));
  }

  /** Tells of all that was not asked for. `why`: of some of them, what they would have been. */
  rest(why: Readonly<Record<string, string>> = {}): void {
    for (const [name, { at }] of this.entries()) {
      if (name.startsWith('x-')) continue;
      const known = new Map(Object.entries(why)).get(name);
      this.#report.lost(at, `${this.where}.${name} is not carried over`, known);
    }
    this.#left.clear();
  }

  #wrong(field: LocatedField, name: string, expected: string): void {
    this.#report.invalid(field.at, `${this.where}.${name} must be ${expected}`);
  }
}
