/**
 * The documents of a file with their encrypted values opened, or opaque where nobody opened them. What is wrong with an
 * encrypted document is found without a key as far as can be, so that a push is refused rather than an apply.
 */
import type { Findings } from '../manifests/findings.ts';
import type { YamlDocument } from '../manifests/read-yaml.ts';
import {
  nodeAt,
  pathKey,
  pathText,
  withValues,
  type FieldPath,
  type YamlMap,
  type YamlNode,
} from '../manifests/yaml-tree.ts';
import type { Envelope, Opened, OpenedEnvelopes } from './envelope.ts';
import { isInline, readInline, valueAt } from './inline-value.ts';
import { leavesOf, type Leaf } from './leaves.ts';
import { isEncryptedText } from './opaque.ts';
import { digestText, SopsDigest } from './sops-mac.ts';
import { readMetadata, surelyEncrypts, type SopsMetadata } from './sops-metadata.ts';
import { DATA_KEY_BYTES, decryptValue, pathData, readSopsValue } from './sops-value.ts';

/** Inline values of one file; each is opened by itself. */
const MAX_INLINE = 256;

export interface UnsealedFile {
  readonly documents: readonly YamlDocument[];
  /** What is to be opened for all values to be known. */
  readonly envelopes: readonly FoundEnvelope[];
}

export interface FoundEnvelope {
  readonly envelope: Envelope;
  /** Offset of what is told of it. */
  readonly offset: number;
}

/** The documents of one file that were encrypted together, each without its `sops` block. */
interface SopsGroup {
  readonly metadata: SopsMetadata;
  readonly offset: number;
  readonly members: number[];
}

/** `opened`: by envelope; absent where nobody has keys, which is no error. */
export function unsealDocuments(
  documents: readonly YamlDocument[],
  findings: Findings,
  opened: OpenedEnvelopes | undefined,
): UnsealedFile {
  const parts: FoundEnvelope[] = [];
  const groups = new Map<string, SopsGroup>();
  const plain: YamlDocument[] = [];
  for (const { root, sound } of documents) {
    const block = root.kind === 'map' ? root.fields.get('sops') : undefined;
    if (root.kind !== 'map' || !block) {
      checkForgotten(root, findings);
      plain.push({ root, sound });
      continue;
    }
    const fields = new Map(root.fields);
    fields.delete('sops');
    const read = readMetadata(block.node);
    const body: YamlMap = { ...root, fields };
    if (!read.ok) findings.error(read.code, block.keyOffset, read.message, read.hint);
    else if (!isReadable(body, block.keyOffset, findings)) continue;
    else {
      checkPlaces(body, read.metadata, findings);
      const group = groups.get(read.metadata.macText) ?? {
        metadata: read.metadata,
        offset: block.keyOffset,
        members: [],
      };
      groups.set(read.metadata.macText, group);
      group.members.push(plain.length);
    }
    plain.push({ root: body, sound });
  }
  const result = [...plain];
  for (const { metadata, offset, members } of groups.values()) {
    const envelope: Envelope = { id: `sops ${metadata.macText}`, files: metadata.files };
    parts.push({ envelope, offset });
    const key = dataKey(opened?.byId.get(envelope.id), metadata.recipients, offset, findings);
    const bodies = members.flatMap((i) => plain[i]?.root ?? []);
    const values =
      key && decryptAll(bodies, metadata, { key, isRewritten: opened?.isRewritten === true }, offset, findings);
    for (const [n, i] of members.entries()) {
      const document = plain[i];
      if (document)
        result[i] = { ...document, root: withValues(document.root, values?.[n] ?? new Map<string, string>()) };
    }
  }
  const unsealed = result.map(({ root, sound }) => ({ root: withInline(root, parts, findings, opened), sound }));
  return { documents: unsealed.map(({ root, sound }) => ({ root: withOpaque(root), sound })), envelopes: parts };
}

/** Values of SOPS without its block cannot be opened by anybody. */
function checkForgotten(root: YamlNode, findings: Findings): void {
  const sealed = isSecret(root) ? leavesOf(root).find(({ node }) => readSopsValue(node.source)) : undefined;
  if (!sealed) return;
  findings.error(
    'SopsInvalid',
    sealed.node.offset,
    `${pathText(sealed.path)} is encrypted with SOPS, but the document has no sops block`,
    'take the block from an earlier commit: without it nobody can decrypt the value',
  );
}

function isSecret(root: YamlNode): boolean {
  const kind = nodeAt(root, ['kind']);
  return kind?.kind === 'scalar' && kind.value === 'Secret';
}

/** Whether it can be told what the object is; where not, that is told, and nothing else of the document. */
function isReadable(body: YamlMap, offset: number, findings: Findings): boolean {
  if (!body.fields.has('apiVersion') && !body.fields.has('kind')) {
    findings.error(
      'EncryptedField',
      offset,
      'this file is encrypted with SOPS, and is no Kubernetes object',
      'no engine is given what is decrypted: put the values into an encrypted Secret, and this file into a folder whose name starts with a dot',
    );
    return false;
  }
  const hidden = ['apiVersion', 'kind', 'metadata'].flatMap((name) => {
    const node = body.fields.get(name)?.node;
    return node ? leavesOf(node, [name]).filter(isEncryptedLeaf) : [];
  });
  const [first] = hidden;
  if (!first) return true;
  findings.error(
    'EncryptedField',
    first.node.offset,
    `${pathText(first.path)} is encrypted, so nobody can tell what this object is`,
    'encrypt the values alone: sops --encrypted-regex "^(data|stringData)$"',
  );
  return false;
}

/** Only values of a Secret: those alone stay secret from then on. */
function checkPlaces(body: YamlMap, { rules }: SopsMetadata, findings: Findings): void {
  const ofSecret = isSecret(body);
  for (const { path, node } of leavesOf(body)) {
    const [field = '', key = ''] = path.map(String);
    const isValue = ofSecret && path.length === 2 && (field === 'data' || field === 'stringData');
    const value = isEncryptedText(node.source);
    if (value && !isValue)
      findings.error(
        'EncryptedField',
        node.offset,
        `${pathText(path)} is encrypted; only values of data and stringData of a Secret may be`,
        ofSecret
          ? 'encrypt the values alone: sops --encrypted-regex "^(data|stringData)$"'
          : 'other kinds are kept and shown in plain text: move what is secret into a Secret',
      );
    else if (value && readSopsValue(node.source)?.type !== 'str' && !isInline(node.source))
      findings.error(
        'EncryptedField',
        node.offset,
        `${pathText(path)} is no text that SOPS encrypted`,
        'the values of a Secret are text: quote it before it is encrypted',
      );
    else if (isValue && !value && node.source !== '' && surelyEncrypts(rules, field, key))
      findings.error(
        'PlainTextValue',
        node.offset,
        `${pathText(path)} is in plain text in a file that is encrypted`,
        'whoever has the commit has it: choose another value, and add it with plumb secret edit',
      );
  }
}

function dataKey(
  opened: Opened | undefined,
  recipients: readonly string[],
  offset: number,
  findings: Findings,
): Uint8Array | undefined {
  if (opened === undefined) return undefined;
  if (opened.state === 'open' && opened.contents.byteLength === DATA_KEY_BYTES) return opened.contents;
  if (opened.state === 'no-key')
    tellNoKey(opened.why, `; it is encrypted for ${recipients.join(', ')}`, offset, findings);
  else
    findings.error(
      'DecryptionFailed',
      offset,
      `the data key cannot be decrypted: ${opened.state === 'damaged' ? opened.why : 'it is no key of 32 bytes'}`,
      'take the file from an earlier commit, or encrypt it again',
    );
  return undefined;
}

function tellNoKey(why: string, forWhom: string, offset: number, findings: Findings): void {
  findings.error(
    'DecryptionKeyMissing',
    offset,
    `${why}${forWhom}`,
    'encrypt it for a recipient of the control plane, or give that an identity that fits: plumb secret keygen',
  );
}

/** The plain texts by path, for each document; undefined where any is not what was encrypted, which is told. */
function decryptAll(
  bodies: readonly YamlNode[],
  metadata: SopsMetadata,
  { key, isRewritten }: { readonly key: Uint8Array; readonly isRewritten: boolean },
  offset: number,
  findings: Findings,
): ReadonlyMap<string, string>[] | undefined {
  const errorsBefore = findings.errors;
  const digest = new SopsDigest(metadata.onlyEncrypted);
  const result: ReadonlyMap<string, string>[] = [];
  for (const body of bodies) {
    const values = new Map<string, string>();
    result.push(values);
    for (const { path, node } of leavesOf(body)) {
      const value = readSopsValue(node.source);
      if (!value) {
        if (!metadata.onlyEncrypted) digest.add(digestText(node));
        continue;
      }
      const plain = decryptValue(value, key, pathData(path));
      if (!plain) {
        tellBroken(
          `${pathText(path)} cannot be decrypted: it was changed, or moved here from elsewhere`,
          node.offset,
          findings,
        );
        continue;
      }
      digest.add(plain);
      const text = textOf(plain, path, node.offset, findings);
      if (text !== undefined) values.set(pathKey(path), text);
    }
  }
  if (findings.errors > errorsBefore) return undefined;
  if (isRewritten) return result;
  const mac = decryptValue(metadata.mac, key, metadata.lastModified);
  if (mac?.toString('latin1') === digest.text()) return result;
  tellBroken('the values are not those that were encrypted: sops.mac is of others', offset, findings);
  return undefined;
}

function tellBroken(message: string, offset: number, findings: Findings): void {
  findings.error(
    'DecryptionFailed',
    offset,
    message,
    'encrypted files are changed with plumb secret edit or sops edit; take the file from an earlier commit',
  );
}

/** Neither bytes that are no text, nor a second layer: what looks encrypted is never taken for a value. */
function textOf(plain: Uint8Array, path: FieldPath, offset: number, findings: Findings): string | undefined {
  const text = decoded(plain);
  if (text !== undefined && !isEncryptedText(text)) return text;
  const what = text === undefined ? 'is no text (UTF-8) when it is decrypted' : 'is encrypted twice';
  findings.error(
    'DecryptionFailed',
    offset,
    `${pathText(path)} ${what}`,
    'encrypt it again; bytes go into data, in base64',
  );
  return undefined;
}

/** A byte order mark is a part of the value. */
function decoded(plain: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain);
  } catch {
    return undefined;
  }
}

/** With the values that are encrypted each by itself. */
function withInline(
  root: YamlNode,
  parts: FoundEnvelope[],
  findings: Findings,
  opened: OpenedEnvelopes | undefined,
): YamlNode {
  const inline = leavesOf(root).filter(({ node }) => isInline(node.source));
  if (inline.length === 0) return root;
  const values = new Map<string, string>();
  const [namespace, name] = ['namespace', 'name'].map((field) => nodeAt(root, ['metadata', field]));
  if (inline.length > MAX_INLINE) {
    findings.error(
      'TooComplex',
      root.offset,
      `has more than ${MAX_INLINE} encrypted values`,
      'split it into several Secrets',
    );
    return root;
  }
  for (const { path, node } of inline) {
    const [field, key = ''] = path.map(String);
    const isValue = path.length === 2 && (field === 'data' || field === 'stringData');
    if (!isValue || !isSecret(root)) {
      findings.error(
        'EncryptedField',
        node.offset,
        `${pathText(path)} is encrypted; only values of data and stringData of a Secret may be`,
        'other kinds are kept and shown in plain text: move what is secret into a Secret',
      );
      continue;
    }
    const file = readInline(node.source);
    if (!file || namespace?.kind !== 'scalar' || name?.kind !== 'scalar') {
      findings.error(
        'EncryptedField',
        node.offset,
        file
          ? `${pathText(path)} is bound to its place, which is not written`
          : `${pathText(path)} is no value that plumb secret encrypt made`,
        file ? 'write metadata.namespace and metadata.name' : 'encrypt it again: plumb secret encrypt --value',
      );
      continue;
    }
    const envelope: Envelope = { id: node.source, files: [{ bytes: file }] };
    parts.push({ envelope, offset: node.offset });
    const found = opened?.byId.get(envelope.id);
    if (!found) continue;
    if (found.state === 'no-key') tellNoKey(`${pathText(path)}: ${found.why}`, '', node.offset, findings);
    else if (found.state === 'damaged')
      tellBroken(`${pathText(path)} cannot be decrypted: ${found.why}`, node.offset, findings);
    else {
      const { value, isOf } = valueAt(found.contents, { namespace: namespace.source, name: name.source, key });
      if (!value)
        tellBroken(
          isOf === undefined
            ? `${pathText(path)} is no value that plumb secret encrypt made`
            : `${pathText(path)} was encrypted for another place: it is of ${JSON.stringify(isOf)}`,
          node.offset,
          findings,
        );
      else if (field === 'data') values.set(pathKey(path), Buffer.from(value).toString('base64'));
      else {
        const text = textOf(value, path, node.offset, findings);
        if (text !== undefined) values.set(pathKey(path), text);
      }
    }
  }
  return withValues(root, values);
}

/** `data` is base64: so is what stands there for a value that nobody has opened. */
function withOpaque(root: YamlNode): YamlNode {
  const data = nodeAt(root, ['data']);
  if (data?.kind !== 'map' || !isSecret(root)) return root;
  const sealed = leavesOf(data, ['data']).filter(
    ({ path, node }) => path.length === 2 && isEncryptedLeaf({ path, node }),
  );
  if (sealed.length === 0) return root;
  return withValues(
    root,
    new Map(
      sealed.map(({ path, node }) => [pathKey(path), Buffer.from(String(node.value), 'utf8').toString('base64')]),
    ),
  );
}

/** By what it is read as, so that one that was opened is none. */
function isEncryptedLeaf({ node }: Leaf): boolean {
  return typeof node.value === 'string' && isEncryptedText(node.value);
}
