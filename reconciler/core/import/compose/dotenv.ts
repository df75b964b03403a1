/** Files of variables, as Compose reads them. Source: Docker documentation, "Interpolation", ".env file syntax". */
import type { Report } from '../report.ts';
import { isSecretVariable } from '../secret-names.ts';
import type { LocatedScalar } from '../located.ts';
import { textAt } from '../located.ts';
import { expand, type Variable, type Variables } from './interpolate.ts';

const MAX_VARIABLES = 5000;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const LINE = /[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][\w.-]*)[^\S\n]*(?:[=:][^\S\n]*|(?=\n|$|#))/y;

export interface EnvironmentFile {
  /** As it is for `${VAR}`. */
  readonly variables: Variables;
  /** As it is for a container, each where it is written. */
  readonly entries: ReadonlyMap<string, LocatedScalar>;
}

/** `outer`: variables that values may name besides those before them in the file. */
export function readEnvironmentFile(file: string, text: string, outer: Variables, report: Report): EnvironmentFile {
  const variables = new Map<string, Variable>();
  const known = new Map(outer);
  const entries = new Map<string, LocatedScalar>();
  let at = 0;
  let line = 1;
  const advance = (to: number): void => {
    for (let i = at; i < to; i++) if (text.charCodeAt(i) === 10) line++;
    at = to;
  };
  while (at < text.length) {
    const lineEnd = endOfLine(text, at);
    LINE.lastIndex = at;
    const start = LINE.exec(text);
    const place = { file, line, column: 1 };
    const name = start?.[1];
    if (start === null || name === undefined) {
      const shown = text.slice(at, lineEnd).trim();
      if (shown !== '' && !shown.startsWith('#'))
        report.invalid(place, 'this line sets no variable', 'write NAME=value, or # before a comment');
      advance(lineEnd + 1);
      continue;
    }
    const { written, end, literal } = readValue(text, at + start[0].length);
    advance(endOfLine(text, end) + 1);
    if (variables.size >= MAX_VARIABLES) {
      report.tooLarge(place, `${file} sets more than ${MAX_VARIABLES} variables`);
      break;
    }
    const isNamed = !start[0].includes('=') && !start[0].includes(':');
    if (isNamed && !outer.has(name)) continue;
    const parts = isNamed
      ? expand(`\${${name}}`, outer, place, report)
      : literal
        ? [written]
        : expand(written, known, place, report);
    const value = parts.map((part) => (typeof part === 'string' ? part : (part.value ?? ''))).join('');
    const hidden = parts.some((part) => typeof part !== 'string');
    const variable = { value, secret: hidden || isSecretVariable(name, value) };
    variables.set(name, variable);
    known.set(name, variable);
    entries.set(name, textAt(place, value, variable.secret ? [{ secret: name, value }] : undefined));
  }
  return { variables, entries };
}

function endOfLine(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found < 0 ? text.length : found;
}

interface Value {
  readonly written: string;
  /** Where it ends in the file. */
  readonly end: number;
  /** Whether `$` means nothing in it. */
  readonly literal: boolean;
}

function readValue(text: string, from: number): Value {
  const quote = text.charAt(from);
  if (quote === "'" || quote === '"') {
    const end = closingQuote(text, from + 1, quote);
    if (end !== undefined) {
      const inside = text.slice(from + 1, end);
      return quote === "'"
        ? { written: inside, end, literal: true }
        : { written: inside.replaceAll(/\\([\s\S])/g, unescaped), end, literal: false };
    }
  }
  const end = endOfLine(text, from);
  return {
    written: text
      .slice(from, end)
      .replace(/(?:^|[^\S\n])#.*$/, '')
      .trim(),
    end,
    literal: false,
  };
}

/** In double quotes `\n` is a line's end, and any other character stands for itself; `\$` is a dollar sign that names nothing. */
function unescaped(_: string, character: string): string {
  return character === '$' ? '$$' : (ESCAPES.get(character) ?? character);
}

function closingQuote(text: string, from: number, quote: string): number | undefined {
  for (let i = from; i < text.length; i++) {
    if (text.charAt(i) === '\\' && quote === '"') i++;
    else if (text.charAt(i) === quote) return i;
  }
  return undefined;
}
