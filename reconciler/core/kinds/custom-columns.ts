/** What `plumb get` shows of custom objects: the columns that their definition gives. */
import { readKey, type CustomColumn, type CustomVersion, type Unstructured } from '../../../contracts/objects/index.ts';
import { isObject } from '../fields/json.ts';
import { age } from './columns.ts';

export interface CustomCell {
  readonly heading: string;
  /** Only shown with `-o wide`. */
  readonly wide: boolean;
  cell(object: Unstructured, now: Date): string;
}

/** After Kubernetes' printing of custom resources (apiextensions-apiserver, tableconvertor.go). */
export function customColumns({ columns = [] }: Pick<CustomVersion, 'columns'>): readonly CustomCell[] {
  const own = columns.map((column): CustomCell => ({
    heading: column.name.toUpperCase(),
    wide: (column.priority ?? 0) > 0,
    cell: (object, now) => textOf(valueAt(object, column), column, now),
  }));
  const ages: CustomCell = {
    heading: 'AGE',
    wide: false,
    cell: ({ metadata }, now) => age(metadata.creationTimestamp, now),
  };
  const isOwnAge = own.some(({ heading }) => heading === ages.heading);
  return [{ heading: 'NAME', wide: false, cell: ({ metadata }) => metadata.name }, ...own, ...(isOwnAge ? [] : [ages])];
}

/**
 * The value at a path of names and places of entries (`.status.conditions[0].type`), and of the entry with a value
 * (`.status.conditions[?(@.type=="Ready")].status`). Undefined for any other form of JSONPath.
 */
function valueAt(object: Unstructured, { jsonPath }: CustomColumn): unknown {
  let value: unknown = object;
  let rest = jsonPath;
  while (rest !== '') {
    const step = /^(?:\.([\w-]+)|\[(\d+)\]|\[\?\(@\.([\w-]+)\s*==\s*["']([^"'\]]*)["']\)\])/.exec(rest);
    if (!step) return undefined;
    const [all, name, place, key, wanted] = step;
    rest = rest.slice(all.length);
    if (name !== undefined) value = isObject(value) ? readKey(value, name) : undefined;
    else if (!Array.isArray(value)) return undefined;
    else if (place !== undefined) value = (value as readonly unknown[])[Number(place)];
    else value = value.find((entry) => isObject(entry) && readKey(entry, key ?? '') === wanted);
  }
  return value;
}

const MAX_CELL = 256;

function textOf(value: unknown, { type }: CustomColumn, now: Date): string {
  if (value === undefined || value === null) return '';
  if (type === 'date') return typeof value === 'string' ? age(value, now) : '<invalid>';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}...` : text;
}
