/**
 * Templates of ApplicationSets, both forms: `{{path.basename}}`, and of Go `{{ .path.basename | normalize }}` with the
 * functions that are in daily use. Source: Argo CD, "Templates", "Go Template"; Sprig.
 */
import { readKey } from '../../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../../fields/json.ts';
import type { Located } from '../located.ts';

/** What a generator gives. Of the form without Go templates, names are as they are written: `path.basename`. */
export type Parameters = JsonObject;

/** Something in a template that is not evaluated here; `words` are for people. */
export class NotEvaluated extends Error {}

const MAX_TEXT = 64 * 1024;
const LONGEST_ACTION = 2000;

/** The tree with every text filled in. Throws {@link NotEvaluated}. */
export function filled(node: Located, parameters: Parameters, isGo: boolean): Located {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => filled(item, parameters, isGo)) };
  if (node.kind === 'map')
    return {
      ...node,
      fields: new Map(
        [...node.fields].map(([name, field]) => [
          filledText(name, parameters, isGo),
          { ...field, value: filled(field.value, parameters, isGo) },
        ]),
      ),
    };
  if (!node.source.includes('{{')) return node;
  const text = filledText(node.source, parameters, isGo);
  return { ...node, source: text, value: text };
}

export function filledText(text: string, parameters: Parameters, isGo: boolean): string {
  if (!text.includes('{{')) return text;
  const parts: string[] = [];
  let from = 0;
  let end = 0;
  for (let open = text.indexOf('{{'); open >= 0; open = text.indexOf('{{', open)) {
    if (end < open + 2) end = text.indexOf('}}', open + 2);
    if (end < 0) break;
    if (end - open > LONGEST_ACTION) {
      open += 1;
      continue;
    }
    const inside = text
      .slice(open + 2, end)
      .replace(/^-/, '')
      .replace(/-$/, '')
      .trim();
    const written = text.slice(open, end + 2);
    parts.push(
      text.slice(from, open),
      isGo ? shown(new Expression(inside, parameters).value()) : plain(written, inside, parameters),
    );
    from = open = end + 2;
  }
  const result = parts.join('') + text.slice(from);
  if (result.length > MAX_TEXT) throw new NotEvaluated('a text of more than 64 KiB');
  return result;
}

/** A parameter that is not there stays as it is written. */
function plain(written: string, name: string, parameters: Parameters): string {
  const value = readKey(parameters, name);
  return value === undefined ? written : shown(value);
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

type Token = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'word'; readonly text: string };
const TOKENS = /\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`|([()|])|([^\s()|"`]+))/y;
const MAX_TOKENS = 200;

/** One action of a Go template: a pipeline of fields, texts, numbers and calls. */
class Expression {
  readonly #tokens: Token[] = [];
  readonly #parameters: Parameters;
  #at = 0;

  constructor(text: string, parameters: Parameters) {
    this.#parameters = parameters;
    TOKENS.lastIndex = 0;
    for (let match = TOKENS.exec(text); match; match = TOKENS.exec(text)) {
      const quoted = match[1]?.replaceAll(/\\(.)/g, '$1') ?? match[2];
      this.#tokens.push(
        quoted === undefined ? { kind: 'word', text: match[3] ?? match[4] ?? '' } : { kind: 'text', text: quoted },
      );
      if (this.#tokens.length > MAX_TOKENS) throw new NotEvaluated('a very long expression');
      if (TOKENS.lastIndex >= text.length) break;
    }
  }

  value(): unknown {
    const result = this.#pipeline();
    if (this.#at < this.#tokens.length) throw new NotEvaluated(this.#tokens[this.#at]?.text ?? '');
    return result;
  }

  #pipeline(): unknown {
    let result = this.#command();
    while (this.#peek('|')) {
      this.#at++;
      result = this.#command([result]);
    }
    return result;
  }

  #command(piped: readonly unknown[] = []): unknown {
    const first = this.#tokens[this.#at];
    if (!first) throw new NotEvaluated('an empty expression');
    const isCall = first.kind === 'word' && /^[a-zA-Z]\w*$/.test(first.text) && !/^(true|false|nil)$/.test(first.text);
    if (!isCall) {
      if (piped.length > 0) throw new NotEvaluated(first.text);
      return this.#operand();
    }
    this.#at++;
    const given: unknown[] = [];
    while (this.#at < this.#tokens.length && !this.#peek('|') && !this.#peek(')')) given.push(this.#operand());
    return call(first.text, [...given, ...piped]);
  }

  #operand(): unknown {
    const token = this.#tokens[this.#at++];
    if (!token) throw new NotEvaluated('an expression that ends early');
    if (token.kind === 'text') return token.text;
    if (token.text === '(') {
      const inner = this.#pipeline();
      if (!this.#peek(')')) throw new NotEvaluated('a parenthesis that is not closed');
      this.#at++;
      return inner;
    }
    if (token.text.startsWith('.')) return field(this.#parameters, token.text);
    if (/^-?\d{1,15}$/.test(token.text)) return Number(token.text);
    if (token.text === 'true' || token.text === 'false') return token.text === 'true';
    throw new NotEvaluated(token.text);
  }

  #peek(text: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === 'word' && token.text === text;
  }
}

function field(parameters: Parameters, path: string): unknown {
  if (!/^(\.[\w-]+)+$|^\.$/.test(path)) throw new NotEvaluated(path);
  return path
    .split('.')
    .filter((name) => name !== '')
    .reduce<unknown>((value, name) => (isObject(value) ? readKey(value, name) : undefined), parameters);
}

type Function_ = (...given: readonly unknown[]) => unknown;

/** Arguments in Sprig's order: what is piped comes last. */
const FUNCTIONS: ReadonlyMap<string, Function_> = new Map<string, Function_>([
  ['lower', (text) => shown(text).toLowerCase()],
  ['upper', (text) => shown(text).toUpperCase()],
  ['trim', (text) => shown(text).trim()],
  ['quote', (text) => JSON.stringify(shown(text))],
  ['squote', (text) => `'${shown(text)}'`],
  ['toString', (text) => shown(text)],
  ['normalize', (text) => normalized(shown(text))],
  ['default', (fallback, value) => (isEmpty(value) ? fallback : value)],
  [
    'trimPrefix',
    (prefix, text) => (shown(text).startsWith(shown(prefix)) ? shown(text).slice(shown(prefix).length) : shown(text)),
  ],
  [
    'trimSuffix',
    (suffix, text) =>
      shown(suffix) !== '' && shown(text).endsWith(shown(suffix))
        ? shown(text).slice(0, -shown(suffix).length)
        : shown(text),
  ],
  ['replace', (from, to, text) => shown(text).replaceAll(shown(from), () => shown(to))],
  ['index', (value, ...steps) => steps.reduce<unknown>((inner, step) => at(inner, step), value)],
  ['join', (separator, list) => (isList(list) ? list.map(shown).join(shown(separator)) : shown(list))],
  ['splitList', (separator, text) => shown(text).split(shown(separator))],
  ['base', (path) => shown(path).slice(shown(path).lastIndexOf('/') + 1)],
  ['dir', (path) => (shown(path).includes('/') ? shown(path).slice(0, shown(path).lastIndexOf('/')) : '.')],
  ['printf', (format, ...values) => formatted(shown(format), values)],
  ['first', (list) => (isList(list) ? list[0] : undefined)],
  ['last', (list) => (isList(list) ? list.at(-1) : undefined)],
  ['ternary', (yes, no, test) => (test === true ? yes : no)],
  ['eq', (a, b) => shown(a) === shown(b)],
  ['ne', (a, b) => shown(a) !== shown(b)],
]);

function call(name: string, given: readonly unknown[]): unknown {
  const found = FUNCTIONS.get(name);
  if (!found) throw new NotEvaluated(name);
  const result = found(...given);
  if (typeof result === 'string' && result.length > MAX_TEXT) throw new NotEvaluated('a text of more than 64 KiB');
  return result;
}

function at(value: unknown, step: unknown): unknown {
  if (isList(value)) return value[Number(step)];
  return isObject(value) ? readKey(value, shown(step)) : undefined;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === false || value === 0;
}

function formatted(format: string, values: readonly unknown[]): string {
  let next = 0;
  return format.replaceAll(/%(?:%|[sdv])/g, (verb) => (verb === '%%' ? '%' : shown(values[next++])));
}

/** As Argo CD makes a DNS name of a text. */
export function normalized(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^-a-z0-9.]/g, '-')
    .slice(0, 253)
    .replaceAll(/^[-.]+|[-.]+$/g, '');
}
