/**
 * `${VAR}` in a compose file. Source: Compose specification, "Interpolation". What a secret variable holds is not put
 * into the text: its place is kept as a part of its own.
 */
import type { Position } from '../../manifests/index.ts';
import type { Located, LocatedScalar, TextPart } from '../located.ts';
import type { Report } from '../report.ts';
import { isSecretVariable } from '../secret-names.ts';

export interface Variable {
  readonly value: string;
  readonly secret: boolean;
}
export type Variables = ReadonlyMap<string, Variable>;

/** Longest text that variables may make: a value may be made of earlier ones, and double each time. */
const MAX_TEXT = 64 * 1024;
const MAX_NESTING = 16;

/** The tree with variables replaced in every value; names of fields stay as they are. */
export function interpolated(node: Located, variables: Variables, report: Report): Located {
  switch (node.kind) {
    case 'scalar':
      return node.source.includes('$') ? interpolatedScalar(node, variables, report) : node;
    case 'list':
      return { ...node, items: node.items.map((item) => interpolated(item, variables, report)) };
    case 'map':
      return {
        ...node,
        fields: new Map(
          [...node.fields].map(([name, field]) => [
            name,
            { ...field, value: interpolated(field.value, variables, report) },
          ]),
        ),
      };
  }
}

function interpolatedScalar(scalar: LocatedScalar, variables: Variables, report: Report): LocatedScalar {
  const parts = expand(scalar.source, variables, scalar.at, report);
  const source = parts.filter((part) => typeof part === 'string').join('');
  const secret = parts.some((part) => typeof part !== 'string');
  return { kind: 'scalar', at: scalar.at, value: source, source, parts: secret ? parts : undefined };
}

/** A text with its variables replaced, in pieces. What is not right is told, and left empty. */
export function expand(text: string, variables: Variables, at: Position, report: Report): readonly TextPart[] {
  const parts: TextPart[] = [];
  let length = 0;
  let full = false;
  const put = (part: TextPart): void => {
    length += typeof part === 'string' ? part.length : (part.value?.length ?? 0);
    if (length > MAX_TEXT) {
      if (!full) report.tooLarge(at, `variables make a text of more than ${MAX_TEXT / 1024} KiB here`);
      full = true;
      return;
    }
    const last = parts.at(-1);
    if (typeof part === 'string' && typeof last === 'string') parts[parts.length - 1] = last + part;
    else parts.push(part);
  };
  expandInto(text, { variables, at, report, put }, 0);
  return parts;
}

interface Expansion {
  readonly variables: Variables;
  readonly at: Position;
  readonly report: Report;
  readonly put: (part: TextPart) => void;
}

const BARE = /[A-Za-z_][A-Za-z0-9_]*/y;

function expandInto(text: string, expansion: Expansion, depth: number): void {
  const { put, report, at } = expansion;
  const closings = closingsOf(text);
  let from = 0;
  for (let dollar = text.indexOf('$'); dollar >= 0; dollar = text.indexOf('$', from)) {
    put(text.slice(from, dollar));
    const next = text.charAt(dollar + 1);
    BARE.lastIndex = dollar + 1;
    const bare = BARE.exec(text)?.[0];
    if (next === '$') {
      put('$');
      from = dollar + 2;
    } else if (bare !== undefined) {
      putVariable({ name: bare, operator: '', word: '' }, expansion, depth);
      from = dollar + 1 + bare.length;
    } else {
      const end = next === '{' ? closings.get(dollar + 2) : undefined;
      const braced = end === undefined ? undefined : parseBraced(text.slice(dollar + 2, end));
      if (end === undefined || !braced || depth >= MAX_NESTING) {
        report.invalid(at, 'a $ here starts no variable', 'write ${NAME}, or $$ for a dollar sign');
        put('$');
        from = dollar + 1;
      } else {
        putVariable(braced, expansion, depth);
        from = end + 1;
      }
    }
  }
  put(text.slice(from));
}

interface Reference {
  readonly name: string;
  /** `:-`, `-`, `:?`, `?`, `:+`, `+`, or nothing. */
  readonly operator: string;
  readonly word: string;
}

function parseBraced(inside: string): Reference | undefined {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([\s\S]*))?$/.exec(inside);
  return match ? { name: match[1] ?? '', operator: match[2] ?? '', word: match[3] ?? '' } : undefined;
}

/** Where braces close, by where their inside starts. */
function closingsOf(text: string): ReadonlyMap<number, number> {
  const closings = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: found, index } of text.matchAll(/\$\{|\}/g)) {
    if (found === '${') open.push(index + 2);
    else {
      const from = open.pop();
      if (from !== undefined) closings.set(from, index);
    }
  }
  return closings;
}

function putVariable({ name, operator, word }: Reference, expansion: Expansion, depth: number): void {
  const { variables, at, report, put } = expansion;
  const variable = variables.get(name);
  const strict = operator.startsWith(':');
  const isSet = variable !== undefined && !(strict && variable.value === '');
  if (operator.endsWith('+')) {
    if (isSet) expandInto(word, expansion, depth + 1);
    return;
  }
  if (isSet) {
    put(variable.secret ? { secret: name, value: variable.value } : variable.value);
    return;
  }
  if (operator.endsWith('-')) {
    if (isSecretVariable(name, undefined)) put({ secret: name, value: word.includes('$') ? undefined : word });
    else expandInto(word, expansion, depth + 1);
    return;
  }
  if (isSecretVariable(name, undefined)) put({ secret: name });
  else if (operator.endsWith('?'))
    report.invalid(
      at,
      `the variable ${name} is not set, and the file says that it must be`,
      `put ${name}=... into .env`,
    );
  else report.missing(at, `the variable ${name} is not set: it is empty here`, `put ${name}=... into .env`);
}
