/** Entries of lists that are known by keys rather than by their place. */
import { readKey, type FieldSemantics } from '../../../contracts/objects/index.ts';
import { isObject } from './json.ts';

const NOTHING_KNOWN: FieldSemantics = {};

/** The semantics of a field of an object, of a value of a map; without a name, of a list's entries. */
export function semanticsAt({ fields, values }: FieldSemantics, name?: string): FieldSemantics {
  return (name === undefined ? undefined : readKey(fields, name)) ?? values ?? NOTHING_KNOWN;
}

/**
 * The keys of all lists given, in their order; undefined when one of them cannot be keyed (no rule, a doubled key, not
 * objects, an entry without any of the keys).
 */
export function keyLists(
  semantics: FieldSemantics,
  lists: readonly (readonly unknown[])[],
): readonly (readonly string[])[] | undefined {
  const keyed: (readonly string[])[] = [];
  for (const list of lists) {
    const keys =
      semantics.list === 'set' ? distinct(list.map((entry) => JSON.stringify(entry))) : keysOf(semantics, list);
    if (!keys) return undefined;
    keyed.push(keys);
  }
  return keyed;
}

function keysOf(
  { keys: names = [], keyDefaults }: FieldSemantics,
  list: readonly unknown[],
): readonly string[] | undefined {
  const keys: string[] = [];
  for (const entry of list) {
    if (!isObject(entry) || !names.some((name) => readKey(entry, name) !== undefined)) return undefined;
    const values = names.map((name) => readKey(entry, name) ?? readKey(keyDefaults, name) ?? null);
    keys.push(JSON.stringify(values));
  }
  return distinct(keys);
}

function distinct(keys: readonly string[]): readonly string[] | undefined {
  return new Set(keys).size === keys.length ? keys : undefined;
}

/**
 * How people name an entry: its name, port or path, with what of the other keys is not as usual (`53/UDP`); undefined
 * where only its position names it.
 */
export function entryLabel({ keys = [], keyDefaults, list }: FieldSemantics, entry: unknown): string | undefined {
  if (!isObject(entry)) return undefined;
  const [name, ...others] = keys.filter((key) => readKey(entry, key) !== undefined);
  const label = name !== undefined ? readKey(entry, name) : undefined;
  if ((typeof label !== 'string' && typeof label !== 'number') || label === '') return undefined;
  const unusual = others.flatMap((key) => {
    const usual = list === 'map' ? readKey(keyDefaults, key) : undefined;
    const value = readKey(entry, key);
    return usual !== undefined && typeof value === 'string' && value !== usual ? [`/${value}`] : [];
  });
  return `${label}${unusual.join('')}`;
}
