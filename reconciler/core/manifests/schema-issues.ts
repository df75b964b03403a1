/** Turns what the schema says about a value into words for people, at the place in the file where it is written. */
import type { z } from 'zod';
import type { DiagnosticCode } from './codes.ts';
import { suggest } from './suggest.ts';
import { expectedWords, found, oneOf, quote, typeHint } from './wording.ts';
import { nodeAt, pathText, type FieldPath, type YamlNode } from './yaml-tree.ts';

export type SchemaIssue = z.core.$ZodIssue;

export interface ExplainedIssue {
  readonly code: DiagnosticCode;
  readonly path: FieldPath;
  readonly part: 'key' | 'value';
  readonly message: string;
  readonly hint?: string | undefined;
}

const FORMATS: Readonly<Record<string, string>> = {
  ipv4: 'must be an IPv4 address such as 10.0.0.1',
  cidrv4: 'must be an IPv4 range such as 10.244.0.0/16',
};

/** Explains every kind of issue but unknown fields, which need the schema: see unknown-fields.ts. */
export function explainIssue(issue: SchemaIssue, root: YamlNode, secret: boolean): ExplainedIssue[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  const node = nodeAt(root, path);
  const name = pathText(path);
  const last = path.at(-1);
  const field = typeof last === 'string' ? `${last}: ` : '';
  const at = (code: DiagnosticCode, message: string, hint?: string): ExplainedIssue[] => [
    { code, path, part: 'value', message: name ? `${name} ${message}` : message, hint },
  ];
  const shown = (): string => (node && node.kind === 'scalar' ? `, found ${found(node, secret)}` : '');

  if (!node && issue.code !== 'custom') return at('MissingField', 'is required');
  switch (issue.code) {
    case 'invalid_type': {
      if (!node) return at('MissingField', 'is required');
      const expected = expectedWords(issue.expected, !QUANTITY_LIKE.test(name));
      return at(
        'WrongType',
        `must be ${expected}, found ${found(node, secret)}`,
        secret ? undefined : typeHint(issue.expected, node, field, TEXTS.has(String(path.at(-2)))),
      );
    }
    case 'invalid_value': {
      const own = ownWords(issue.message);
      return own === undefined ? notAmong(issue.values.map(String)) : at('InvalidValue', `${own}${shown()}`);
    }
    case 'too_small':
    case 'too_big':
      return at(
        'InvalidValue',
        `${ownWords(issue.message) ?? limitWords(issue)}${issue.origin === 'array' ? '' : shown()}`,
      );
    case 'invalid_format':
      return at(
        'InvalidValue',
        `${ownWords(issue.message) ?? FORMATS[issue.format] ?? 'does not have the right form'}${shown()}`,
      );
    case 'invalid_key':
      return keyIssue(issue.issues[0]);
    case 'invalid_union':
      return unionIssue(issue);
    case 'custom':
      return customIssue(issue.message);
    case 'unrecognized_keys':
      return [];
    case 'not_multiple_of':
    case 'invalid_element':
      return at('InvalidValue', `is not valid${shown()}`);
  }

  function notAmong(values: readonly string[]): ExplainedIssue[] {
    const text = node?.kind === 'scalar' ? String(node.value) : '';
    const close = suggest(
      text,
      values.filter((v) => v !== ''),
    );
    const choices = oneOf(values.map((v) => (v === '' ? '""' : v)));
    return at(
      'InvalidValue',
      `must be ${choices}${node ? `, found ${found(node, secret)}` : ''}`,
      close ? `did you mean ${close}?` : undefined,
    );
  }

  function keyIssue(inner: SchemaIssue | undefined): ExplainedIssue[] {
    const key = String(path.at(-1));
    const why = (inner && ownWords(inner.message)) ?? 'is not a valid key';
    return [
      {
        code: 'InvalidValue',
        path,
        part: 'key',
        message: `the key ${quote(key)} of ${pathText(path.slice(0, -1))} ${why}`,
      },
    ];
  }

  function unionIssue(union: Extract<SchemaIssue, { code: 'invalid_union' }>): ExplainedIssue[] {
    const options = (union as { options?: readonly unknown[] }).options;
    if (options) return notAmong(options.map(String));
    // The branch that got furthest is what the person meant: one that likes the type of the value, if there is any.
    const meant = union.errors.find((branch) => !branch.some((i) => i.code === 'invalid_type' && i.path.length === 0));
    if (meant && !meant.every((i) => i.code === 'invalid_value' && i.path.length === 0)) {
      return meant.flatMap((inner) => explainIssue({ ...inner, path: [...path, ...inner.path] }, root, secret));
    }
    const words = union.errors.flatMap((branch) =>
      branch.map((i) => {
        if (i.code === 'invalid_type') return expectedWords(i.expected, !QUANTITY_LIKE.test(name));
        if (i.code === 'invalid_value') return i.values.map(String).join(', ');
        return (
          (i.code === 'invalid_format' && FORMATS[i.format]?.replace('must be ', '')) ||
          ownWords(i.message) ||
          'another value'
        );
      }),
    );
    return at('WrongType', `must be ${oneOf([...new Set(words)])}${node ? `, found ${found(node, secret)}` : ''}`);
  }

  function customIssue(message: string): ExplainedIssue[] {
    const empty =
      node?.kind === 'map'
        ? [...node.fields].find(([, f]) => f.node.kind === 'scalar' && f.node.value === null)?.[0]
        : undefined;
    const hint =
      empty !== undefined && message.includes(empty)
        ? `${empty} has no value; write ${empty}: {} for one with defaults`
        : undefined;
    return at('InvalidValue', message, hint);
  }
}

/** Maps whose values are texts, often long ones. */
const TEXTS: ReadonlySet<string> = new Set(['data', 'annotations']);

/** Where a number need not be whole. */
const QUANTITY_LIKE = /\b(limits|requests|capacity|reserved)\b|sizeLimit$/;

/** The message if a schema gave it, undefined if it is the schema library's own. */
function ownWords(message: string): string | undefined {
  return /^(Invalid|Too |Unrecognized|Expected)/.test(message) ? undefined : message;
}

function limitWords(issue: Extract<SchemaIssue, { code: 'too_small' | 'too_big' }>): string {
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const bound = issue.code === 'too_small' ? 'or more' : 'at most';
  const amount = issue.code === 'too_small' ? `${String(limit)} ${bound}` : `${bound} ${String(limit)}`;
  if (issue.origin === 'string')
    return limit === 1 && issue.code === 'too_small' ? 'must not be empty' : `must have ${amount} characters`;
  if (issue.origin === 'array' || issue.origin === 'set')
    return limit === 1 && issue.code === 'too_small' ? 'must have at least one entry' : `must have ${amount} entries`;
  return `must be ${amount}`;
}
