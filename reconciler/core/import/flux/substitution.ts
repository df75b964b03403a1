/**
 * Flux' substitution in what an import carries over by itself: values of releases. What an App renders is substituted by
 * the App. Source: Flux, Kustomization API v1, "Post build variable substitution".
 */
import type { Located } from '../located.ts';

export type Substitutes = ReadonlyMap<string, string>;

const VARIABLE = /\$\$\{|\$\{([A-Za-z_]\w{0,127})(?::?([-=])([^}]*))?\}/g;
const MAX_TEXT = 256 * 1024;

/** The tree with the variables replaced that are known; others stay as they are written. */
export function substituted(node: Located, known: Substitutes, all: boolean): Located {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => substituted(item, known, all)) };
  if (node.kind === 'map')
    return {
      ...node,
      fields: new Map(
        [...node.fields].map(([name, field]) => [name, { ...field, value: substituted(field.value, known, all) }]),
      ),
    };
  if (!node.source.includes('${')) return node;
  let size = 0;
  const replaced = (written: string, name?: string, operator?: string, word = ''): string => {
    const byDefault = operator !== undefined && all ? word : undefined;
    const value = name === undefined ? undefined : (known.get(name) ?? byDefault);
    size += value?.length ?? 0;
    return value === undefined || size > MAX_TEXT ? written : value;
  };
  const text = node.source.replaceAll(VARIABLE, replaced);
  return text === node.source ? node : { ...node, source: text, value: scalarOf(text, node.value) };
}

/** Variables that a text still names. */
export function variablesIn(node: Located): Set<string> {
  const names = new Set<string>();
  const add = (value: Located): void => {
    if (value.kind === 'list') value.items.forEach(add);
    else if (value.kind === 'map') for (const { value: inner } of value.fields.values()) add(inner);
    else for (const [, name] of value.source.matchAll(VARIABLE)) if (name !== undefined) names.add(name);
  };
  add(node);
  return names;
}

/** Flux replaces in the text of the YAML, so that a number in a variable is a number. */
function scalarOf(text: string, before: unknown): string | number | boolean {
  if (typeof before !== 'string') return text;
  if (/^(?:true|false)$/.test(text)) return text === 'true';
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
