/**
 * Patches of Kustomize, for the few kinds that an import takes out of a tree: what is rendered is the real Kustomize's
 * business. Source: kustomize, api/types/patch.go, selector.go; RFC 6902 and 7396, as custom kinds have no merge keys.
 */
import { textOf, within, type Located, type LocatedField, type LocatedMap } from '../located.ts';

export interface Patch {
  /** Absent: what the patch itself names. */
  readonly target: LocatedMap | undefined;
  /** A map is laid over the object, a list is operations. */
  readonly body: Located;
}

/** Whether a patch is about an object. Texts of a target are regular expressions that match the whole. */
export function isAbout({ target, body }: Patch, object: LocatedMap): boolean {
  const apiVersion = textOf(within(object, 'apiVersion')) ?? '';
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const kind = textOf(within(object, 'kind')) ?? '';
  const name = textOf(within(object, 'metadata', 'name')) ?? '';
  if (!target)
    return (
      textOf(within(body, 'kind')) === kind &&
      textOf(within(body, 'metadata', 'name')) === name &&
      (textOf(within(body, 'apiVersion')) ?? '').split('/')[0] === group
    );
  const has = (field: string, value: string): boolean => matchesWhole(textOf(within(target, field)), value);
  return (
    has('group', group) &&
    has('version', version) &&
    has('kind', kind) &&
    has('name', name) &&
    selects(textOf(within(target, 'labelSelector')), within(object, 'metadata', 'labels')) &&
    selects(textOf(within(target, 'annotationSelector')), within(object, 'metadata', 'annotations'))
  );
}

const PLAIN_PATTERN = /^[\w.|()*+?-]{0,200}$/;

/** Patterns as people write them; of anything more involved it is not known, and it is taken for another one. */
function matchesWhole(pattern: string | undefined, value: string): boolean {
  if (pattern === undefined || pattern === '' || pattern === value) return true;
  // Nested repetition could take for ever on a long name.
  if (!PLAIN_PATTERN.test(pattern) || /[*+]\)?[*+]/.test(pattern) || value.length > 253) return false;
  try {
    return new RegExp(`^(?:${pattern})$`).test(value);
  } catch {
    return false;
  }
}

/** `a=b,c!=d,e in (f, g),!h,i`. */
function selects(selector: string | undefined, labels: Located | undefined): boolean {
  if (selector === undefined || selector.trim() === '') return true;
  const requirements = selector.match(/[^,(]+(?:\([^)]*\))?/g) ?? [];
  return requirements.every((requirement) => {
    const set = /^\s*([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)\s*$/.exec(requirement);
    if (set) {
      const value = textOf(within(labels, set[1] ?? ''));
      const isIn = value !== undefined && (set[3] ?? '').split(',').some((each) => each.trim() === value);
      return set[2] === 'in' ? isIn : !isIn;
    }
    const match = /^\s*(!?)\s*([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*))?\s*$/.exec(requirement);
    if (!match) return false;
    const value = textOf(within(labels, match[2] ?? ''));
    if (match[3] === undefined) return (value !== undefined) === (match[1] === '');
    return (value === match[4]) === (match[3] !== '!=');
  });
}

/** The object with the patch; undefined where it takes the object away. */
export function patched({ target, body }: Patch, object: LocatedMap): LocatedMap | undefined {
  if (body.kind === 'list') return body.items.reduce(operated, object);
  if (body.kind !== 'map') return object;
  if (textOf(within(body, '$patch')) === 'delete') return undefined;
  const laid = overlaid(object, body);
  // With a target, the name in the patch is a placeholder.
  return target && laid.kind === 'map' ? withName(laid, object) : laid.kind === 'map' ? laid : object;
}

function withName(laid: LocatedMap, object: LocatedMap): LocatedMap {
  const metadata = laid.fields.get('metadata');
  const name = within(object, 'metadata', 'name');
  if (metadata?.value.kind !== 'map' || !name) return laid;
  const inner = new Map(metadata.value.fields).set('name', { at: name.at, value: name });
  return {
    ...laid,
    fields: new Map(laid.fields).set('metadata', { ...metadata, value: { ...metadata.value, fields: inner } }),
  };
}

/** A merge patch: maps are merged, a null takes away, anything else replaces. */
export function overlaid(base: Located, over: Located): Located {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const fields = new Map<string, LocatedField>(base.fields);
  for (const [name, field] of over.fields) {
    const before = fields.get(name);
    if (field.value.kind === 'scalar' && field.value.value === null) fields.delete(name);
    else fields.set(name, before ? { ...field, value: overlaid(before.value, field.value) } : field);
  }
  return { ...base, fields };
}

/** One operation of a JSON patch; `add`, `replace` and `remove`. */
function operated(object: LocatedMap, operation: Located): LocatedMap {
  const op = textOf(within(operation, 'op')) ?? '';
  const path = (textOf(within(operation, 'path')) ?? '')
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const value = op === 'remove' ? undefined : within(operation, 'value');
  if (path.length === 0 || path.length > 64 || (op !== 'remove' && !value)) return object;
  const changed = placed(object, path, value, op === 'add');
  return changed.kind === 'map' ? changed : object;
}

function placed(
  node: Located,
  [step = '', ...rest]: readonly string[],
  value: Located | undefined,
  isAdd: boolean,
): Located {
  if (node.kind === 'map') {
    const fields = new Map(node.fields);
    const before = fields.get(step);
    if (rest.length > 0) {
      if (before) fields.set(step, { ...before, value: placed(before.value, rest, value, isAdd) });
    } else if (value) fields.set(step, { at: value.at, value });
    else fields.delete(step);
    return { ...node, fields };
  }
  if (node.kind === 'scalar') return node;
  const index = step === '-' ? node.items.length : Number(step);
  if (!Number.isInteger(index) || index < 0 || index > node.items.length) return node;
  const items = [...node.items];
  const before = items[index];
  if (rest.length > 0) {
    if (before) items[index] = placed(before, rest, value, isAdd);
  } else items.splice(index, isAdd ? 0 : 1, ...(value ? [value] : []));
  return { ...node, items };
}

/** Kinds that a patch is about; none where it is not said. */
export function kindsOf({ target, body }: Patch): { readonly group: string; readonly kind: string } {
  const from = target ?? body;
  const group = target ? textOf(within(from, 'group')) : (textOf(within(from, 'apiVersion')) ?? '').split('/')[0];
  return { group: group ?? '', kind: textOf(within(from, 'kind')) ?? '' };
}
