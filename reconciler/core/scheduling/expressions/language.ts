/**
 * The language of SchedulerPlugins: CEL (https://cel.dev) over the variables `node` and `pod`, without what could take
 * unbounded time.
 *
 * - Everything has a type that is known before it runs: text, numbers, booleans, lists and maps of those. So nothing
 *   nests, and comparing two values takes no longer than reading them.
 * - Functions are a closed list; `matches` is not on it, as a regular expression can take exponential time.
 * - Text has at most {@link MAX_EXPRESSION_LENGTH} characters and what {@link LIMITS} say; how long it runs is bounded
 *   by {@link MOST_STEPS}.
 * - Arithmetic and equality take whole numbers and others mixed, which plain CEL refuses.
 */
import { Environment } from '@marcbachmann/cel-js';
import { MAX_EXPRESSION_LENGTH } from '../../../../contracts/objects/index.ts';
import { LARGE, NodeFacts, PodFacts, sizesOf, TaintFacts, TolerationFacts, type NodeSource } from './facts.ts';
import { LOOPS, MOST_STEPS, stepsOf, type Part } from './steps.ts';

const LIMITS = { maxAstNodes: 1000, maxDepth: 50, maxListElements: 256, maxMapEntries: 256, maxCallArguments: 4 };

const FIELDS = {
  Taint: { key: 'string', value: 'string', effect: 'string' },
  Toleration: { key: 'string', operator: 'string', value: 'string', effect: 'string' },
  Node: {
    name: 'string',
    labels: 'map<string, string>',
    taints: 'list<Taint>',
    allocatable: 'map<string, double>',
    requested: 'map<string, double>',
    ready: 'bool',
    pods: 'int',
  },
  Pod: {
    namespace: 'string',
    labels: 'map<string, string>',
    priority: 'int',
    requests: 'map<string, double>',
    tolerations: 'list<Toleration>',
  },
} as const;

const FUNCTIONS: ReadonlySet<string> = new Set(['has', 'size', 'int', 'double', 'string']);
const METHODS: ReadonlySet<string> = new Set([...LOOPS, 'bind', 'size', 'startsWith', 'endsWith', 'contains']);
const USABLE = `usable: has(), size(), int(), double(), string(), startsWith(), endsWith(), contains(), ${[...LOOPS].map((name) => `${name}()`).join(', ')}, cel.bind()`;
const VALUE = '(bool|int|uint|double|string|null)';
/**
 * Names of types, as the checker has them, that a part of an expression may have. `T`, `K`, `V`: of an empty list or
 * map.
 */
const TYPES = new RegExp(
  `^(${VALUE}|Taint|Toleration|list<(${VALUE}|Taint|Toleration|T)>|map<${VALUE}, ${VALUE}>|map<K, V>)$`,
);

/** What is wrong with an expression. */
export interface Mistake {
  readonly message: string;
  readonly hint?: string | undefined;
  /** Where in the text, in characters from its start. */
  readonly at: number;
}

/** Why an expression gave nothing for one node. */
export class Failure {
  readonly detail: string;
  constructor(detail: string) {
    this.detail = detail;
  }
}

export interface Results {
  readonly bool: boolean;
  readonly number: number;
}

/** An expression that may run. Keeps nothing between two nodes. */
export interface Expression<R extends keyof Results> {
  /** Whether it looks at what pods occupy on the node. */
  readonly readsPods: boolean;
  evaluate(node: NodeSource, pod: PodFacts): Results[R] | Failure;
}

const WORDS: Readonly<Record<keyof Results, string>> = { bool: 'true or false', number: 'a number' };
const TYPES_OF: Readonly<Record<keyof Results, readonly string[]>> = {
  bool: ['bool'],
  number: ['int', 'double', 'uint'],
};

/**
 * Reads an expression that is to give true or false, or a number. Whatever the text, it takes little time and does not
 * throw.
 */
export function readExpression<R extends keyof Results>(text: string, wanted: R): Expression<R> | Mistake {
  if (text.length > MAX_EXPRESSION_LENGTH)
    return { message: `has more than ${MAX_EXPRESSION_LENGTH} characters`, at: 0 };
  try {
    const parsed = language().parse(text);
    const { valid, type, error } = parsed.check();
    if (!valid) return mistakeOf(error);
    const ast: Part = parsed.ast;
    const found = firstMistake(ast);
    if (found) return found;
    if (!TYPES_OF[wanted].includes(type ?? ''))
      return { message: `must give ${WORDS[wanted]}, and gives ${type ?? 'nothing'}`, at: 0 };
    if (stepsOf(ast, LARGE) > MOST_STEPS)
      return {
        message: `takes more than ${MOST_STEPS} steps on a node with many labels or taints`,
        at: 0,
        hint: 'loop less often inside of loops',
      };
    return ready(parsed, ast, wanted);
  } catch (error) {
    return mistakeOf(error);
  }
}

export function isMistake(read: object): read is Mistake {
  return 'message' in read;
}

function ready<R extends keyof Results>(run: (variables: object) => unknown, ast: Part, wanted: R): Expression<R> {
  const loops = some(ast, ({ op, args }) => op === 'rcall' && LOOPS.has(args[0]));
  return {
    readsPods: some(ast, ({ op, args }) => op === '.' && (args[1] === 'requested' || args[1] === 'pods')),
    evaluate(node, pod) {
      if (loops && stepsOf(ast, sizesOf(node, pod)) > MOST_STEPS)
        return new Failure(`takes more than ${MOST_STEPS} steps on a node and a pod with so many labels and taints`);
      // Nobody reads the stack, and it is most of what an error costs.
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 0;
      try {
        const value = run({ node: new NodeFacts(node), pod });
        const result =
          wanted === 'number' && (typeof value === 'bigint' || typeof value === 'object') ? Number(value) : value;
        return typeof result === (wanted === 'bool' ? 'boolean' : 'number')
          ? (result as Results[R])
          : new Failure(`gave no ${WORDS[wanted]}`);
      } catch (error) {
        return new Failure(failureText(error));
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
    },
  };
}

let known: Environment | undefined;
function language(): Environment {
  if (known) return known;
  const made = new Environment({ limits: LIMITS })
    .registerType('Taint', { ctor: TaintFacts, fields: FIELDS.Taint })
    .registerType('Toleration', { ctor: TolerationFacts, fields: FIELDS.Toleration })
    .registerType('Node', { ctor: NodeFacts, fields: FIELDS.Node })
    .registerType('Pod', { ctor: PodFacts, fields: FIELDS.Pod })
    .registerVariable('node', 'Node')
    .registerVariable('pod', 'Pod');
  const operators: readonly [string, (a: number, b: number) => number][] = [
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
    ['*', (a, b) => a * b],
    ['/', (a, b) => a / b],
  ];
  for (const [sign, apply] of operators) {
    made.registerOperator(`double ${sign} int: double`, (a: number, b: bigint) => apply(a, Number(b)));
    made.registerOperator(`int ${sign} double: double`, (a: bigint, b: number) => apply(Number(a), b));
  }
  made.registerOperator('int == double: bool', (a: bigint, b: number) => Number(a) === b);
  return (known = made);
}

// ---- what goes beyond types ----

function childrenOf(ast: Part): readonly Part[] {
  switch (ast.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [ast.args[0]];
    case 'call':
      return ast.args[1];
    case 'rcall':
      return [ast.args[1], ...ast.args[2]];
    case 'map':
      return ast.args.flat();
    case '!_':
    case '-_':
      return [ast.args];
    default:
      return ast.args;
  }
}
function some(ast: Part, is: (part: Part) => boolean): boolean {
  return is(ast) || childrenOf(ast).some((child) => some(child, is));
}

function firstMistake(ast: Part): Mistake | undefined {
  const own = ownMistake(ast);
  if (own) return own;
  for (const child of typedChildren(ast)) {
    const found = firstMistake(child);
    if (found) return found;
  }
  return undefined;
}

/** Children that are values: not what a macro takes as a name, nor what it takes apart itself. */
function typedChildren(ast: Part): readonly Part[] {
  if (ast.op === 'call' && ast.args[0] === 'has') return [];
  if (ast.op !== 'rcall') return childrenOf(ast);
  const [name, receiver, args] = ast.args;
  if (name === 'bind') return args.slice(1);
  return LOOPS.has(name) ? [receiver, ...args.slice(1)] : [receiver, ...args];
}

function ownMistake(ast: Part): Mistake | undefined {
  const mistake = (message: string, hint?: string): Mistake => ({ message, hint, at: ast.start });
  const type = ast.checkedType?.name ?? 'nothing that is known';
  const variable = ast.op === 'id' ? ast.args : undefined;
  if (type === 'Node' || type === 'Pod')
    return variable === 'node' || variable === 'pod'
      ? undefined
      : mistake(`${variable ?? 'this'} is the whole ${type.toLowerCase()}`, 'take one of its fields');
  if (!TYPES.test(type))
    return mistake(
      `${excerpt(ast)} is ${type}, which cannot be used here`,
      'lists and maps hold text, numbers or booleans',
    );
  switch (ast.op) {
    case 'call':
      if (!FUNCTIONS.has(ast.args[0])) return mistake(`function ${ast.args[0]} cannot be used here`, USABLE);
      return ast.args[0] === 'has' ? hasMistake(ast.args[1][0], mistake) : undefined;
    case 'rcall':
      return methodMistake(ast.args[0], ast.args[1], ast.args[2], mistake);
    case '[]': {
      const of = (ast.args[0] as Part).checkedType?.name ?? '';
      return /^(list|map)</.test(of) ? undefined : mistake(`[] cannot be used on ${of}`, 'write a point and the field');
    }
    case '+':
      return /^(int|uint|double|string)$/.test(type) ? undefined : mistake(`+ cannot be used on ${type}`);
    case '.?':
    case '[?]':
      return mistake('optional access cannot be used here');
    default:
      return undefined;
  }
}

function methodMistake(
  name: string,
  receiver: Part,
  args: readonly Part[],
  mistake: (message: string, hint?: string) => Mistake,
): Mistake | undefined {
  if (name === 'matches')
    return mistake(
      'matches() cannot be used: a regular expression can take unbounded time',
      'use startsWith(), endsWith(), contains() or ==',
    );
  if (!METHODS.has(name)) return mistake(`${name}() cannot be used here`, USABLE);
  if (name === 'bind' && (receiver.op !== 'id' || receiver.args !== 'cel'))
    return mistake('bind() is written cel.bind(name, value, expression)');
  const [named] = args;
  if ((name === 'bind' || LOOPS.has(name)) && named?.op === 'id' && ['node', 'pod', 'cel'].includes(named.args))
    return mistake(`${named.args} cannot be the name of something else`);
  return undefined;
}

/** `has()` looks at its argument itself, and takes fields for granted. */
function hasMistake(
  entry: Part | undefined,
  mistake: (message: string, hint?: string) => Mistake,
): Mistake | undefined {
  const map = entry?.op === '.' ? entry.args[0] : undefined;
  const [variable, field] = map?.op === '.' ? map.args : [];
  const [, type] =
    Object.entries(
      variable?.op !== 'id' ? {} : variable.args === 'node' ? FIELDS.Node : variable.args === 'pod' ? FIELDS.Pod : {},
    ).find(([name]) => name === field) ?? [];
  return type?.startsWith('map<') === true
    ? undefined
    : mistake('has() takes an entry of a map', "such as has(node.labels.disk), or write 'disk' in node.labels");
}

// ---- words ----

const LONGEST_EXCERPT = 60;
function excerpt({ input, start, end }: Pick<Part, 'input' | 'start' | 'end'>): string {
  const text = input.slice(start, end).replaceAll(/\s+/g, ' ');
  return text.length > LONGEST_EXCERPT ? `${text.slice(0, LONGEST_EXCERPT)}...` : text;
}

/** The library's errors, as far as they say where. */
interface CelError {
  readonly code?: string;
  readonly summary?: string;
  readonly message: string;
  readonly node?: {
    readonly input?: string;
    readonly start?: number;
    readonly end?: number;
    readonly op?: string;
    readonly args?: unknown;
  };
  readonly range?: { readonly start: number };
}

function mistakeOf(error: unknown): Mistake {
  const { summary, message, range } = error as CelError;
  return { message: lowerFirst(summary ?? message), hint: hintOf(error as CelError), at: range?.start ?? 0 };
}

function hintOf({ code, summary = '', node }: CelError): string | undefined {
  switch (code) {
    case 'unknown_variable':
      return 'variables are node and pod; text is written in quotes';
    case 'no_such_key': {
      const [of] = (node?.op === '.' ? node.args : []) as readonly [Part?];
      const [type, fields] = Object.entries(FIELDS).find(([name]) => name === of?.checkedType?.name) ?? [];
      return type && `a ${type} has ${Object.keys(fields ?? {}).join(', ')}`;
    }
    case 'incompatible_ternary_branches':
      return 'write whole numbers as 1.0 where the other number is a double';
    case 'no_matching_overload':
      return USABLE;
    default:
      return /Unexpected character: [&|=]/.test(summary) ? 'write &&, || and ==' : undefined;
  }
}

function failureText(error: unknown): string {
  const { code, summary, message, node } = error as CelError;
  const text = lowerFirst(summary ?? message);
  if (node?.input === undefined || node.start === undefined || node.end === undefined) return text;
  const part = excerpt({ input: node.input, start: node.start, end: node.end });
  const entry =
    code === 'no_such_key'
      ? (/^([\w.]+)\[(.+)\]$/.exec(part) ??
        /^([\w.]+)\.(\w+)$/.exec(part)?.map((found, i) => (i === 2 ? `'${found}'` : found)))
      : undefined;
  return entry?.[1] !== undefined && entry[2] !== undefined
    ? `${part}: ${text}; write ${entry[2]} in ${entry[1]} before it`
    : `${part}: ${text}`;
}

function lowerFirst(text: string): string {
  return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}
