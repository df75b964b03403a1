/**
 * The text of a file of Secrets, opened and sealed again. Comments, order and style stay, and the ciphertext of what did
 * not change does too, so that a diff shows what was changed. Both directions walk the values as the reader of manifests
 * does: what is sealed here opens there.
 */
import { isMap, isScalar, LineCounter, parseAllDocuments, Scalar, visit, type Alias, type Document } from 'yaml';
import { Findings } from '../manifests/findings.ts';
import { readYaml } from '../manifests/read-yaml.ts';
import { nodeAt, pathKey, pathText, type FieldPath, type YamlNode } from '../manifests/yaml-tree.ts';
import { TerminalError } from '../errors.ts';
import type { Diagnostic } from '../manifests/types.ts';
import { withArmor, type AgeFile, type Envelope, type OpenedEnvelopes } from './envelope.ts';
import { isInline, type SecretPlace } from './inline-value.ts';
import { leavesOf } from './leaves.ts';
import { isEncryptedText } from './opaque.ts';
import { digestText, SopsDigest } from './sops-mac.ts';
import { DEFAULT_UNENCRYPTED_SUFFIX, readMetadata, type SopsMetadata, type SopsRules } from './sops-metadata.ts';
import { encryptValue, pathData } from './sops-value.ts';
import { unsealDocuments } from './unseal-documents.ts';

/** What SOPS is told to encrypt where nobody says anything else. */
export const SECRET_VALUES = '^(data|stringData)$';
/** A version of SOPS that reads and writes this form. */
const SOPS_VERSION = '3.9.0';

/** Ciphertext by document, path and plain text. */
export type Kept = ReadonlyMap<string, string>;

export interface OpenedText {
  /** Without `sops` blocks, with plain values. */
  readonly text: string;
  readonly kept: Kept;
}

/** The plain text of a value, by the document it is in and its path. */
export type PlainValue = (document: number, path: FieldPath) => string | undefined;

export interface SealedText {
  readonly envelopes: readonly Envelope[];
  readonly errors: readonly Diagnostic[];
  readonly plain: PlainValue;
  /** Of the first document; undefined where values are encrypted each by itself, or none is. */
  readonly sops: SopsMetadata | undefined;
}

/** What is encrypted in a file, with what is opened of it. */
export function readSealed(path: string, text: string, opened?: OpenedEnvelopes): SealedText {
  const lines = new LineCounter();
  const findings = new Findings(path, lines, text);
  const written = readYaml(text, lines, findings, 'YAML');
  const { documents, envelopes } = unsealDocuments(written, findings, opened);
  const root = written[0]?.root;
  const block = root && nodeAt(root, ['sops']);
  const read = block && readMetadata(block);
  return {
    envelopes: envelopes.map(({ envelope }) => envelope),
    errors: findings.sorted().filter(({ severity }) => severity === 'error'),
    plain: (document, at) => {
      const node = documents[document] && nodeAt(documents[document].root, at);
      return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
    },
    sops: read?.ok === true ? read.metadata : undefined,
  };
}

/** The file with its encrypted values as `plain` gives them. */
export function openedText(text: string, plain: PlainValue): OpenedText {
  const kept = new Map<string, string>();
  const documents = parsed(text);
  for (const [i, { document, root }] of documents.entries()) {
    if (isMap(document.contents)) document.contents.delete('sops');
    for (const { path, node } of leavesOf(root)) {
      if (!isEncryptedText(node.source) || path[0] === 'sops') continue;
      const value = plain(i, path);
      if (value === undefined) throw invalid(`${pathText(path)} was not opened`);
      kept.set(keptKey(i, path, value), node.source);
      put(document, path, value);
    }
  }
  return { text: written(documents), kept };
}

export interface SopsSeal {
  readonly key: Uint8Array;
  /** The data key for each recipient. */
  readonly files: readonly AgeFile[];
  readonly rules: SopsRules;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  /** 32 random bytes, others with each call. */
  readonly nonce: () => Uint8Array;
  /** Of the same key. */
  readonly kept?: Kept;
}

/** The file as `sops encrypt` makes it. TerminalError `SecretFileInvalid` where it is no YAML or has anchors. */
export function sopsSealed(text: string, { key, files, rules, now, nonce, kept }: SopsSeal): string {
  const documents = parsed(text);
  const digest = new SopsDigest(false);
  for (const [i, { document, root }] of documents.entries()) {
    for (const { path, node } of leavesOf(root)) {
      if (path[0] === 'sops' || isEncryptedText(node.source))
        throw invalid(`${pathText(path)} is encrypted already; change such a file with plumb secret edit`);
      if (!encrypts(rules, path) || node.source === '') {
        digest.add(digestText(node));
        continue;
      }
      if (typeof node.value !== 'string') throw invalid(`${pathText(path)} is no text: quote it`);
      digest.add(node.value);
      put(
        document,
        path,
        kept?.get(keptKey(i, path, node.value)) ?? encryptValue(node.value, 'str', key, pathData(path), nonce()),
      );
    }
  }
  const mac = encryptValue(digest.text(), 'str', key, now, nonce());
  for (const { document } of documents) {
    const lastmodified = new Scalar(now);
    lastmodified.type = 'QUOTE_DOUBLE';
    document.set(
      'sops',
      document.createNode({
        age: files.map(({ recipient, bytes }) => ({ recipient, enc: withArmor(bytes) })),
        lastmodified,
        mac,
        ...rules,
        version: SOPS_VERSION,
      }),
    );
  }
  return written(documents);
}

/**
 * The file with each value of its Secrets encrypted by itself. TerminalError `SecretFileInvalid` where a Secret does not
 * say its namespace and name: values are bound to them.
 */
export async function inlineSealed(
  text: string,
  seal: (place: SecretPlace, value: Uint8Array) => Promise<string>,
  kept?: Kept,
): Promise<string> {
  const documents = parsed(text);
  for (const [i, { document, root }] of documents.entries()) {
    if (root.kind !== 'map' || scalarAt(root, 'kind') !== 'Secret') continue;
    if (root.fields.has('sops')) throw invalid('it is encrypted with SOPS; change such a file with plumb secret edit');
    const metadata = root.fields.get('metadata')?.node;
    const [namespace, name] = ['namespace', 'name'].map((field) => metadata && scalarAt(metadata, field));
    if (namespace === undefined || name === undefined)
      throw invalid('a Secret has no metadata.namespace or metadata.name; its values are bound to them, so write both');
    for (const { path, node } of leavesOf(root)) {
      const [field, key] = path;
      if (path.length !== 2 || (field !== 'data' && field !== 'stringData') || typeof key !== 'string') continue;
      if (isInline(node.source) || node.source === '') continue;
      if (typeof node.value !== 'string') throw invalid(`${pathText(path)} is no text: quote it`);
      const bytes = Buffer.from(node.value, field === 'data' ? 'base64' : 'utf8');
      put(document, path, kept?.get(keptKey(i, path, node.value)) ?? (await seal({ namespace, name, key }, bytes)));
    }
  }
  return written(documents);
}

/** Whether SOPS encrypts the value. Patterns are run: they are of whoever runs the command. */
function encrypts(rules: SopsRules, path: FieldPath): boolean {
  const names = path.map(String);
  const some = (test: (name: string) => boolean): boolean => names.some(test);
  if (rules.encrypted_regex !== undefined) return some((name) => pattern(rules.encrypted_regex).test(name));
  if (rules.unencrypted_regex !== undefined) return !some((name) => pattern(rules.unencrypted_regex).test(name));
  const { encrypted_suffix: suffix, unencrypted_suffix: without = DEFAULT_UNENCRYPTED_SUFFIX } = rules;
  return suffix === undefined ? !some((name) => name.endsWith(without)) : some((name) => name.endsWith(suffix));
}

function pattern(text = ''): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new TerminalError('SopsRulesInvalid', `${JSON.stringify(text)} is no pattern that is understood here`, {
      cause,
    });
  }
}

interface ParsedDocument {
  readonly document: Document.Parsed;
  readonly root: YamlNode;
}

/** Documents with something in them. */
function parsed(text: string): ParsedDocument[] {
  const lines = new LineCounter();
  const findings = new Findings('', lines, text);
  const roots = readYaml(text, lines, findings, 'YAML');
  const [wrong] = findings.sorted().filter(({ severity }) => severity === 'error');
  if (wrong) throw invalid(`line ${wrong.line}: ${wrong.message}`);
  const documents = [...parseAllDocuments(text, { schema: 'failsafe', prettyErrors: false })].filter(
    ({ contents }) => contents !== null && !(isScalar(contents) && contents.source === ''),
  );
  for (const document of documents) {
    visit(document, {
      Alias: (_key, { source }: Alias) => {
        throw invalid(`it has the alias *${source}: write the value out, as each is encrypted for its own place`);
      },
    });
  }
  if (documents.length !== roots.length || documents.length === 0) throw invalid('it has no document');
  return documents.flatMap((document, i) => {
    const root = roots[i]?.root;
    return root ? [{ document, root }] : [];
  });
}

/** Quoted, so that nothing is read as a number; many lines stand as they are. */
function put(document: Document, path: FieldPath, value: string): void {
  const scalar = new Scalar(value);
  if (!isEncryptedText(value)) scalar.type = value.includes('\n') ? 'BLOCK_LITERAL' : 'QUOTE_DOUBLE';
  document.setIn(path, scalar);
}

function written(documents: readonly ParsedDocument[]): string {
  return documents
    .map(({ document }, i) => {
      document.directives.docStart = i > 0 ? true : document.directives.docStart;
      return document.toString({ lineWidth: 0 });
    })
    .join('');
}

function keptKey(document: number, path: FieldPath, value: string): string {
  return `${document} ${pathKey(path)} ${value}`;
}

function scalarAt(node: YamlNode, name: string): string | undefined {
  const field = node.kind === 'map' ? node.fields.get(name)?.node : undefined;
  return field?.kind === 'scalar' && typeof field.value === 'string' ? field.value : undefined;
}

function invalid(message: string): TerminalError {
  return new TerminalError('SecretFileInvalid', message);
}
