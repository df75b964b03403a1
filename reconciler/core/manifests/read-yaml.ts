/**
 * Text to YAML trees, bounded: nesting, tokens, nodes and alias expansion have limits that are checked before anything
 * is built, because a manifest may come from anyone who can open a pull request.
 */
import {
  Composer,
  CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type Document,
  type LineCounter,
  type Pair,
  type ParsedNode,
  type Scalar,
  type YAMLError,
} from 'yaml';
import { finish, type Paced } from '../paced.ts';
import type { Findings } from './findings.ts';
import { SyntaxErrors } from './syntax-errors.ts';
import { invisibleCharacter, shortened } from './wording.ts';
import { resolvePlain, resolveTagged, type ScalarValue } from './yaml-scalars.ts';
import type { YamlField, YamlMap, YamlNode, YamlScalar } from './yaml-tree.ts';

/** Open constructs of the parser; one level of nesting takes two to four. Kubernetes objects need fewer than 60. */
const MAX_PARSER_STACK = 300;
/** Lexical tokens of one file; a line of an ordinary manifest has about seven. */
const MAX_TOKENS = 300_000;
/** Read between two pauses. */
const TOKENS_AT_ONCE = 256;
/** Syntax errors after which the rest of the file is not looked at. */
const MAX_SYNTAX_ERRORS = 20;
/** Nodes that the aliases of one file may add when they are expanded. */
const MAX_ALIAS_NODES = 20_000;
/** Characters of a scalar that count as one more node: repeating a long text is a bomb too. */
const TEXT_PER_NODE = 64;

type YamlToken = ReturnType<Parser['next']> extends Generator<infer T> ? T : never;

export interface YamlDocument {
  readonly root: YamlNode;
  /** False where a key is doubled: the rest can be checked, but nobody knows which of the two was meant. */
  readonly sound: boolean;
}

/**
 * The documents of a file that could be read, in order; what could not be read is in `findings`. Empty documents are
 * left out. `language`: what the file is called when it cannot be read.
 */
export function readYaml(
  text: string,
  lines: LineCounter,
  findings: Findings,
  language: 'YAML' | 'JSON',
): YamlDocument[] {
  return finish(readingYaml(text, lines, findings, language));
}

/** As {@link readYaml}, with pauses. */
export function* readingYaml(
  text: string,
  lines: LineCounter,
  findings: Findings,
  language: 'YAML' | 'JSON',
): Paced<YamlDocument[]> {
  const tokens = yield* parsingTokens(text, lines, findings);
  if (!tokens) return [];
  const syntax = new SyntaxErrors(text, language, findings);
  const composer = new Composer({
    uniqueKeys: false,
    schema: 'failsafe',
    prettyErrors: false,
    logLevel: 'silent',
    lineCounter: lines,
  });
  const documents: YamlDocument[] = [];
  for (const document of composer.compose(tokens, true, text.length)) {
    const read = readDocument(document, text, findings, syntax);
    if (read) documents.push(read);
    yield;
  }
  return syntax.isTemplate ? [] : documents;
}

/** Undefined when a limit was reached. */
function* parsingTokens(text: string, lines: LineCounter, findings: Findings): Paced<YamlToken[] | undefined> {
  // Parser.parse would tell the first line; it is not used, because it cannot be stopped at a limit.
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens: YamlToken[] = [];
  let count = 0;
  let errors = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'error') errors++;
    }
    if (parser.stack.length > MAX_PARSER_STACK) {
      findings.error(
        'TooComplex',
        parser.offset,
        'the document is nested too deeply',
        'Kubernetes objects never nest this deep',
      );
      return undefined;
    }
    if (count % TOKENS_AT_ONCE === 0) yield;
    if (++count > MAX_TOKENS) {
      findings.error('TooComplex', parser.offset, 'the file has too many YAML elements', 'split it into several files');
      return undefined;
    }
    if (errors > MAX_SYNTAX_ERRORS) return tokens;
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

function readDocument(
  document: Document.Parsed,
  text: string,
  findings: Findings,
  syntax: SyntaxErrors,
): YamlDocument | undefined {
  const error = document.errors.find((one) => !isQuoteEscape(one, text));
  if (error) {
    // What the parser says after its first error follows from that one more often than not.
    syntax.ofParser(error, document);
    return undefined;
  }
  const contents = document.contents;
  if (!contents || (isScalar(contents) && contents.type === 'PLAIN' && contents.source === '')) return undefined;
  const reader = new TreeReader(text, findings, syntax);
  const root = reader.read(contents);
  return reader.failed ? undefined : { root, sound: reader.duplicates === 0 };
}

/**
 * `\'` in double quotes, which YAML has not, and Kubernetes reads as `'`. Source: go-yaml, scannerc.go
 * (yaml_parser_scan_flow_scalar).
 */
function isQuoteEscape(error: YAMLError, text: string): boolean {
  return error.code === 'BAD_DQ_ESCAPE' && text.startsWith(QUOTE_ESCAPE, error.pos[0]);
}
const QUOTE_ESCAPE = "\\'";

/** What a scalar with quotes, or of lines of its own, says. */
function quotedText(node: Scalar.Parsed, text: string): string {
  const written = node.type === 'QUOTE_DOUBLE' ? text.slice(node.range[0], node.range[1]) : '';
  if (!written.includes(QUOTE_ESCAPE)) return String(node.value);
  const source = written.replace(/\\[^]/g, (escape) => (escape === QUOTE_ESCAPE ? "'" : escape));
  return CST.resolveAsScalar({ type: 'double-quoted-scalar', offset: 0, indent: 0, source }).value;
}

const NULL_SCALAR = { kind: 'scalar', value: null, source: '', quoted: false, size: 1 } as const;

class TreeReader {
  readonly #text: string;
  readonly #findings: Findings;
  readonly #syntax: SyntaxErrors;
  /** Anchors seen so far; `open` while its own subtree is read. */
  readonly #anchors = new Map<string, YamlNode | 'open'>();
  #aliasNodes = 0;
  #duplicates = 0;
  #bomb = false;
  #failures = 0;

  constructor(text: string, findings: Findings, syntax: SyntaxErrors) {
    this.#text = text;
    this.#findings = findings;
    this.#syntax = syntax;
  }

  /** Whether something could not be read, so that the tree is not what was written. */
  get failed(): boolean {
    return this.#failures > 0;
  }

  /** Doubled keys so far; the first of each is kept. */
  get duplicates(): number {
    return this.#duplicates;
  }

  read(node: ParsedNode): YamlNode {
    if (isAlias(node)) return this.#alias(node.source, node.range[0]);
    const anchor = node.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const result = this.#content(node);
    if (anchor !== undefined) this.#anchors.set(anchor, result);
    return result;
  }

  #content(node: Exclude<ParsedNode, { source: string; type?: never }>): YamlNode {
    if (isMap(node)) {
      this.#checkCollectionTag(node.tag, 'map', node.range[0]);
      return this.#map(node.items, node.range[0]);
    }
    if (isSeq(node)) {
      this.#checkCollectionTag(node.tag, 'seq', node.range[0]);
      const items = node.items.map((item) => this.read(item));
      return { kind: 'list', items, offset: node.range[0], size: items.reduce((sum, item) => sum + item.size, 1) };
    }
    return this.#scalar(node);
  }

  #scalar(node: Scalar.Parsed): YamlScalar {
    const quoted = node.type !== 'PLAIN';
    const source = quoted ? quotedText(node, this.#text) : node.source;
    let value: ScalarValue | undefined = quoted ? source : resolvePlain(source);
    if (node.tag !== undefined && node.tag !== '!') value = resolveTagged(node.tag, source);
    else if (node.tag === '!') value = source;
    if (value === undefined) {
      this.#invalid(
        node.range[0],
        `the tag ${node.tag ?? ''} cannot be used here`,
        'remove the tag, or quote the text',
      );
      value = null;
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      // Kubernetes makes JSON of it, which has no such number.
      this.#invalid(
        node.range[0],
        `the value ${shortened(source)} is read as a number that no field can have`,
        `quote it if it is text: "${shortened(source)}"`,
      );
    } else if (typeof value === 'string' && !quoted && this.#syntax.language === 'JSON') {
      this.#invalid(
        node.range[0],
        `not valid JSON: ${shortened(source)} is neither a number nor true, false or null`,
        'text is written in double quotes',
      );
    }
    return {
      kind: 'scalar',
      value,
      source,
      quoted,
      offset: node.range[0],
      size: 1 + Math.floor(source.length / TEXT_PER_NODE),
    };
  }

  #checkCollectionTag(tag: string | undefined, expected: 'map' | 'seq', offset: number): void {
    if (tag === undefined || tag === '!' || tag === `tag:yaml.org,2002:${expected}`) return;
    this.#invalid(offset, `the tag ${tag} cannot be used here`, 'remove the tag');
  }

  #alias(name: string, offset: number): YamlNode {
    const target = this.#anchors.get(name);
    if (target === 'open')
      this.#bombed(offset, `the alias *${name} is inside the value that it stands for`, 'write the value out');
    else if (!target)
      this.#invalid(
        offset,
        `the alias *${name} names no anchor before it`,
        `mark the value with &${name}, or quote the text`,
      );
    else {
      this.#aliasNodes += target.size;
      if (this.#aliasNodes <= MAX_ALIAS_NODES) return target;
      if (!this.#bomb) {
        this.#bombed(
          offset,
          `aliases expand to more than ${MAX_ALIAS_NODES} values`,
          'write the values out, or use fewer aliases',
        );
        this.#bomb = true;
      }
    }
    return { ...NULL_SCALAR, offset };
  }

  #map(pairs: readonly Pair<ParsedNode, ParsedNode | null>[], offset: number): YamlMap {
    const fields = new Map<string, YamlField>();
    const merged: YamlMap[] = [];
    for (const { key, value } of pairs) {
      const keyOffset = (key as ParsedNode | null)?.range[0] ?? offset;
      const node: YamlNode = value ? this.read(value) : { ...NULL_SCALAR, offset: keyOffset };
      if (isScalar(key) && key.type === 'PLAIN' && key.source === '<<') {
        merged.push(...this.#mergeSources(node));
        continue;
      }
      const name = this.#keyText(key, keyOffset);
      if (name === undefined) continue;
      const first = fields.get(name);
      if (first) {
        const { line } = this.#findings.position(first.keyOffset);
        this.#duplicates++;
        this.#findings.error(
          'DuplicateKey',
          keyOffset,
          `duplicate key ${name}, first on line ${line}`,
          'remove one of the two',
        );
      } else fields.set(name, { keyOffset, node });
    }
    // YAML merge keys: what the map says itself wins, then the earlier source.
    for (const source of merged)
      for (const [name, field] of source.fields) if (!fields.has(name)) fields.set(name, field);
    let size = 1;
    for (const field of fields.values()) size += field.node.size;
    return { kind: 'map', fields, offset, size };
  }

  #mergeSources(node: YamlNode): YamlMap[] {
    if (node.kind === 'map') return [node];
    if (node.kind === 'list' && node.items.every((item) => item.kind === 'map'))
      return node.items.filter((item) => item.kind === 'map');
    this.#invalid(node.offset, 'a merge key (<<) needs a map or a list of maps', 'write <<: *anchor');
    return [];
  }

  #invalid(offset: number, message: string, hint: string): void {
    this.#failures++;
    this.#syntax.add(offset, message, hint);
  }

  #bombed(offset: number, message: string, hint: string): void {
    this.#failures++;
    this.#findings.error('AliasBomb', offset, message, hint);
  }

  /**
   * Keys are text. A number keeps its text; what YAML reads as something else would silently become another key, so it
   * is refused.
   */
  #keyText(key: ParsedNode | null, offset: number): string | undefined {
    const before = this.#failures;
    const node = key ? this.read(key) : undefined;
    if (this.#failures > before) return undefined;
    if (node?.kind !== 'scalar' || node.value === null) {
      this.#invalid(offset, 'a key must be text', 'quote it, or check the indentation and the colons');
      return undefined;
    }
    const text = String(node.value);
    if (typeof node.value === 'boolean' || (typeof node.value === 'number' && text !== node.source)) {
      this.#invalid(offset, `the key ${node.source} is read as ${text}`, `quote it: "${node.source}"`);
      return undefined;
    }
    const first = invisibleCharacter(text.charAt(0));
    if (first !== undefined) {
      this.#invalid(offset, `the key ${text} starts with ${first}, which is no indentation`, 'replace it by spaces');
      return undefined;
    }
    if (text === '__proto__') {
      this.#invalid(offset, 'the key __proto__ is refused', 'use another name');
      return undefined;
    }
    return text;
  }
}
