/**
 * How much work an expression can be. CEL has no loops but its macros, so the work follows from the text and from how
 * many entries the collections have that macros go through; it is worked out before the expression runs, and what is
 * too much does not run.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { readKey } from '../../../../contracts/objects/index.ts';
import { LONGEST_WORD, type Sizes } from './facts.ts';

/** A part of an expression, with its type once the library has checked it. */
export type Part = ASTNode & { readonly checkedType?: { readonly name: string } };

/**
 * More steps than this for one node are refused. A step is an operation, or 64 characters that are looked at: around
 * ten nanoseconds.
 */
export const MOST_STEPS = 20_000;
const CHARACTERS_PER_STEP = 64;
/** What an error costs. A macro goes on after one, so it may meet one in each round. */
const ERROR_STEPS = 100;

/** Upper bounds. */
interface Bound {
  readonly steps: number;
  /** Entries of the list or map. */
  readonly entries: number;
  /** Characters of the text, or of the longest text in the list or map. */
  readonly chars: number;
}
type Scope = ReadonlyMap<string, Bound>;

export const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter', 'map']);

/** Steps that evaluating takes at most, for collections of these sizes. */
export function stepsOf(ast: Part, sizes: Sizes): number {
  return boundOf(ast, sizes, new Map()).steps;
}

function boundOf(ast: Part, sizes: Sizes, scope: Scope): Bound {
  const of = (inner: Part): Bound => boundOf(inner, sizes, scope);
  switch (ast.op) {
    case 'value':
      return { steps: 1, entries: 0, chars: typeof ast.args === 'string' ? ast.args.length : 0 };
    case 'id':
      return { ...(scope.get(ast.args) ?? { entries: 0, chars: LONGEST_WORD }), steps: 1 };
    case '.':
      return fieldBound(of(ast.args[0]), ast.args[0], ast.args[1], sizes);
    case '[]': {
      const [from, index] = [of(ast.args[0]), of(ast.args[1])];
      return { steps: from.steps + index.steps + looked(index.chars) + ERROR_STEPS, entries: 0, chars: from.chars };
    }
    case 'call':
      return callBound(ast.args[0], ast.args[1].map(of));
    case 'rcall':
      return methodBound(ast.args[0], ast.args[1], ast.args[2], sizes, scope);
    case 'list':
      return together(ast.args.map(of), ast.args.length);
    case 'map':
      return together(ast.args.flat().map(of), ast.args.length);
    case '?:': {
      const [condition, yes, no] = [of(ast.args[0]), of(ast.args[1]), of(ast.args[2])];
      return {
        steps: 1 + condition.steps + Math.max(yes.steps, no.steps),
        entries: Math.max(yes.entries, no.entries),
        chars: Math.max(yes.chars, no.chars),
      };
    }
    case '!_':
    case '-_':
      return { steps: of(ast.args).steps + 1, entries: 0, chars: 0 };
    case '+': {
      const [left, right] = [of(ast.args[0]), of(ast.args[1])];
      const chars = left.chars + right.chars;
      return { steps: left.steps + right.steps + looked(chars), entries: 0, chars };
    }
    case '/':
    case '%':
      return { steps: of(ast.args[0]).steps + of(ast.args[1]).steps + 1 + ERROR_STEPS, entries: 0, chars: 0 };
    case '.?':
    case '[?]':
      return { steps: Infinity, entries: 0, chars: 0 };
    default: {
      const [left, right] = [of(ast.args[0]), of(ast.args[1])];
      const compared = Math.max(left.entries, right.entries, 1) * looked(Math.max(left.chars, right.chars));
      return { steps: left.steps + right.steps + compared, entries: 0, chars: 0 };
    }
  }
}

/** A step, and one for every so many characters. */
function looked(chars: number): number {
  return 1 + Math.ceil(chars / CHARACTERS_PER_STEP);
}

function together(parts: readonly Bound[], entries: number): Bound {
  return { steps: 1 + sum(parts), entries, chars: Math.max(0, ...parts.map(({ chars }) => chars)) };
}
function sum(parts: readonly Bound[]): number {
  return parts.reduce((steps, part) => steps + part.steps, 0);
}

function fieldBound(from: Bound, { checkedType }: Part, field: string, sizes: Sizes): Bound {
  const type = checkedType?.name ?? '';
  if (type.startsWith('map<'))
    return { steps: from.steps + looked(field.length) + ERROR_STEPS, entries: 0, chars: from.chars };
  const collections: Readonly<Record<string, number>> = type === 'Node' ? sizes.node : type === 'Pod' ? sizes.pod : {};
  const entries = readKey(collections, field) ?? 0;
  // A collection is made when it is asked for.
  return { steps: from.steps + 1 + entries, entries, chars: LONGEST_WORD };
}

function callBound(name: string, parts: readonly Bound[]): Bound {
  const chars = Math.max(0, ...parts.map((part) => part.chars));
  return {
    steps: looked(chars) + sum(parts) + (name === 'has' || name === 'size' ? 0 : ERROR_STEPS),
    entries: 0,
    chars: name === 'string' ? Math.max(chars, LONGEST_WORD) : 0,
  };
}

function methodBound(name: string, receiver: Part, args: readonly Part[], sizes: Sizes, scope: Scope): Bound {
  const [variable, ...bodies] = args;
  if (name === 'bind' && variable?.op === 'id' && bodies[0] && bodies[1]) {
    const value = boundOf(bodies[0], sizes, scope);
    const result = boundOf(bodies[1], sizes, new Map(scope).set(variable.args, value));
    return { ...result, steps: 1 + value.steps + result.steps };
  }
  const from = boundOf(receiver, sizes, scope);
  if (LOOPS.has(name) && variable?.op === 'id') {
    const inner = new Map(scope).set(variable.args, { steps: 1, entries: 0, chars: from.chars });
    const parts = bodies.map((body) => boundOf(body, sizes, inner));
    const chars = name === 'map' ? (parts.at(-1)?.chars ?? 0) : from.chars;
    return { steps: from.steps + 1 + from.entries * (1 + sum(parts)), entries: from.entries, chars };
  }
  const parts = args.map((arg) => boundOf(arg, sizes, scope));
  const wanted = Math.max(1, ...parts.map(({ chars }) => chars));
  // Looking for a text in another is the product of both in the worst case.
  return {
    steps: from.steps + sum(parts) + looked(name === 'contains' ? from.chars * wanted : Math.max(from.chars, wanted)),
    entries: 0,
    chars: 0,
  };
}
