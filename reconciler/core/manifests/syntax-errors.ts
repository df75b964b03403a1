/** What cannot be read as YAML, in words for people, at the place where it began. */
import { isCollection, isNode, isScalar, visit, type Document, type YAMLError } from 'yaml';
import { readKey } from '../../../contracts/objects/index.ts';
import type { Findings } from './findings.ts';

const HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_INDENT: 'check the indentation: the entries of one map or list start in the same column',
  BLOCK_AS_IMPLICIT_KEY: 'check the indentation of the lines below it, or quote a value that contains ": "',
  MISSING_CHAR: 'check for a missing quote, bracket, comma or colon',
  MULTILINE_IMPLICIT_KEY: 'check for a missing colon, or quote the text',
  BAD_SCALAR_START: 'quote the text: @ and ` may not start a plain word',
  RESOURCE_EXHAUSTION: 'split the file',
};

/** Collects the syntax errors of one file. A file that turns out to be a template is told of once, and of no other error. */
export class SyntaxErrors {
  /** What the file is called when it cannot be read. */
  readonly language: 'YAML' | 'JSON';
  readonly #text: string;
  readonly #findings: Findings;
  #isTemplate = false;

  constructor(text: string, language: 'YAML' | 'JSON', findings: Findings) {
    this.#text = text;
    this.language = language;
    this.#findings = findings;
  }

  get isTemplate(): boolean {
    return this.#isTemplate;
  }

  add(offset: number, message: string, hint?: string): void {
    if (this.#isTemplate || this.#findings.full) return;
    const action = this.#actionNear(offset);
    if (action === undefined) return this.#findings.error('InvalidYaml', offset, message, hint);
    this.#isTemplate = true;
    this.#findings.error(
      'NeedsRendering',
      action,
      `the file is a template, not a manifest: ${this.#text.slice(action, action + 2)} is for Helm or another program to fill in`,
      'commit what `helm template` prints, and keep the template in a folder whose name starts with a dot',
    );
  }

  /** An error of the YAML parser. What is never closed is told of where it was opened; the parser saw it only where it gave up. */
  ofParser(error: YAMLError, document: Document.Parsed): void {
    const open = openedBefore(error, document);
    if (open === undefined)
      return this.add(error.pos[0], `not valid ${this.language}: ${wording(error.message)}`, HINTS[error.code]);
    const opening = this.#text.charAt(open);
    const closing = readKey(CLOSING, opening) ?? opening;
    this.add(open, `not valid ${this.language}: this ${opening} is not closed`, `write ${closing} where it ends`);
  }

  /** Where `{{` or `{%` stands in the line of an error or in the one before it, as far as they are near. */
  #actionNear(offset: number): number | undefined {
    const start = Math.max(0, offset - NEAR);
    const before = this.#text.slice(start, offset);
    const line = before.lastIndexOf('\n');
    const from = line < 0 ? 0 : before.slice(0, line).lastIndexOf('\n') + 1;
    const after = this.#text.slice(offset, offset + NEAR).split('\n', 1)[0] ?? '';
    const found = (before.slice(from) + after).search(/\{[{%]/);
    return found < 0 ? undefined : start + from + found;
  }
}

/** Characters that are looked at around an error: a line may be as long as the file, and have many of them. */
const NEAR = 1000;

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/** The offset of the quote or bracket that an error is about because it is not closed. */
function openedBefore(error: YAMLError, document: Document.Parsed): number | undefined {
  const quote = error.code === 'MISSING_CHAR' && error.message.startsWith('Missing closing');
  const bracket = /^Flow (map|sequence) in block collection|^Expected flow (map|sequence) to end/.test(error.message);
  if (!quote && !bracket) return undefined;
  const [at] = error.pos;
  let open: number | undefined;
  visit(document, (_, node) => {
    if (!isNode(node) || !node.range) return;
    const [start, , end] = node.range;
    const fits = quote
      ? isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE')
      : isCollection(node) && node.flow === true;
    // The innermost: nodes are visited from the outside in.
    if (fits && start < at && at <= end) open = start;
  });
  return open;
}

function wording(message: string): string {
  const text = message.replaceAll(/\s+/g, ' ').trim();
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
