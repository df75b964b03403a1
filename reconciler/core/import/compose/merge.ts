/** Laying one definition over another. Source: Compose specification, "Merge and override". */
import { isNothing, textAt, type Located, type LocatedField, type LocatedMap, type LocatedScalar } from '../located.ts';

/** Lists that the later definition replaces whole. */
const REPLACED = new Set(['command', 'entrypoint', 'healthcheck.test']);

/** Fields that may be a list of `NAME=value`, `NAME:value` or `NAME`, and are maps. */
const NAMED = new Set(['environment', 'labels', 'annotations', 'sysctls', 'deploy.labels', 'depends_on', 'networks']);

/** What tells two items of a list apart; of others the whole item does. */
const KEYED: ReadonlyMap<string, (item: Located) => string> = new Map([
  ['volumes', (item) => itemKey(item, 'target', 1)],
  ['devices', (item) => itemKey(item, 'target', 1)],
  ['configs', (item) => itemKey(item, 'target', 0)],
  ['secrets', (item) => itemKey(item, 'target', 0)],
]);

/** `over` laid over `base`; `path`: where in the definition of a service they are. */
export function merged(base: Located, over: Located, path = ''): Located {
  if (isNothing(over)) return base;
  const [below, above] = NAMED.has(path) ? [asMap(base), asMap(over)] : [base, over];
  if (below.kind === 'map' && above.kind === 'map') return mergedMaps(below, above, path);
  if (below.kind === 'list' && above.kind === 'list' && !REPLACED.has(path)) {
    const key = KEYED.get(path) ?? itemText;
    const items = new Map(below.items.map((item) => [key(item), item]));
    for (const item of above.items) items.set(key(item), item);
    return { ...above, items: [...items.values()] };
  }
  return above;
}

export function mergedMaps(base: LocatedMap, over: LocatedMap, path = ''): LocatedMap {
  const fields = new Map<string, LocatedField>(base.fields);
  for (const [name, field] of over.fields) {
    const before = fields.get(name);
    const inner = path === '' ? name : `${path}.${name}`;
    fields.set(name, before ? { ...field, value: merged(before.value, field.value, inner) } : field);
  }
  return { ...over, fields };
}

/** A list of `NAME=value` as the map that it stands for; anything else as it is. */
export function asMap(value: Located, separators = /[=]/): Located {
  if (value.kind !== 'list') return value;
  const fields = new Map<string, LocatedField>();
  for (const item of value.items) {
    if (item.kind !== 'scalar') continue;
    const [name, inner] = splitNamed(item, separators);
    fields.set(name, { at: item.at, value: inner });
  }
  return { kind: 'map', at: value.at, fields };
}

/** The name before the first separator, and the value after it; a null where there is none. */
function splitNamed(item: LocatedScalar, separators: RegExp): [string, LocatedScalar] {
  const first = item.parts?.[0] ?? item.source;
  const written = typeof first === 'string' ? first : '';
  const at = written.search(separators);
  if (at < 0) return [item.source, { kind: 'scalar', at: item.at, value: null, source: '' }];
  const rest = written.slice(at + 1);
  const parts = item.parts ? [...(rest === '' ? [] : [rest]), ...item.parts.slice(1)] : undefined;
  return [written.slice(0, at), textAt(item.at, item.parts ? item.source.slice(at + 1) : rest, parts)];
}

function itemText(item: Located): string {
  return item.kind === 'scalar'
    ? item.source
    : JSON.stringify(item, (name, value: unknown) =>
        name === 'at' ? undefined : value instanceof Map ? [...value] : value,
      );
}

function itemKey(item: Located, field: string, part: number): string {
  if (item.kind === 'map') {
    const target = item.fields.get(field)?.value;
    return target?.kind === 'scalar' ? target.source : itemText(item);
  }
  if (item.kind !== 'scalar') return itemText(item);
  const parts = item.source.split(':');
  return parts[part] ?? parts[0] ?? '';
}
