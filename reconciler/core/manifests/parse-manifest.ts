/** One manifest file to desired objects and everything that is wrong with it. */
import { LineCounter } from 'yaml';
import { finish, type Paced } from '../paced.ts';
import type { OpenedEnvelopes } from '../secrets/envelope.ts';
import { unsealDocuments } from '../secrets/unseal-documents.ts';
import { DEFAULT_NAMESPACE } from '../../../contracts/objects/index.ts';
import { decodeUtf8 } from './decode-text.ts';
import { Findings } from './findings.ts';
import { isJsonManifest } from './is-json-manifest.ts';
import { readObjects, tellRights, type ReadResult } from './read-object.ts';
import { readingYaml } from './read-yaml.ts';
import { fileTooLarge, MAX_FILE_BYTES } from './select-files.ts';
import type { Diagnostic, ParsedFile } from './types.ts';

/**
 * YAML allows tab, line feed and carriage return (YAML 1.2, chapter 5.1); anything else below a space is a binary file
 * or a mistake.
 */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** Reading a file for what is encrypted in it takes a second look at all its values. */
const MAY_BE_ENCRYPTED = /ENC\[|\bsops\b/;

/**
 * Reads all documents of a file, a `.json` file by the same rules: JSON is a part of YAML 1.2. Never throws for its
 * content: what is wrong comes back as diagnostics with line and column, all of them at once, ordered by position.
 * Objects are returned for the documents without an error. The same path, oid, bytes and namespace give the same answer.
 * Encrypted values are those of `opened`; without it, as where nobody has keys, ciphertext stands for them. `namespace`:
 * where namespaced objects are that name none.
 */
export function parseManifest(
  path: string,
  oid: string,
  bytes: Uint8Array,
  opened?: OpenedEnvelopes,
  namespace?: string,
): ParsedFile {
  return finish(parsingManifest(path, oid, bytes, opened, namespace));
}

/** As {@link parseManifest}, with pauses. */
export function* parsingManifest(
  path: string,
  oid: string,
  bytes: Uint8Array,
  opened?: OpenedEnvelopes,
  namespace: string = DEFAULT_NAMESPACE,
): Paced<ParsedFile> {
  if (bytes.byteLength > MAX_FILE_BYTES) return unreadable(path, oid, bytes, fileTooLarge(path, bytes.byteLength));
  const json = /\.json$/i.test(path);
  if (isLfsPointer(bytes)) return unreadable(path, oid, bytes, lfsPointer(path, json));
  if (json && !isJsonManifest(new TextDecoder().decode(bytes)))
    return { path, oid, bytes: bytes.byteLength, objects: [], custom: [], diagnostics: [] };
  const text = textOf(path, bytes);
  if (typeof text !== 'string') return unreadable(path, oid, bytes, text);

  const lines = new LineCounter();
  const findings = new Findings(path, lines, text);
  const result: ReadResult = { objects: [], custom: [], refused: [], rights: [] };
  const written = yield* readingYaml(text, lines, findings, json ? 'JSON' : 'YAML');
  const { documents, envelopes } = MAY_BE_ENCRYPTED.test(text)
    ? unsealDocuments(written, findings, opened)
    : { documents: written, envelopes: [] };
  for (const { root, sound } of documents) {
    yield;
    const read: ReadResult = { ...result, objects: [], custom: [] };
    readObjects(root, findings, read, namespace);
    if (sound) {
      result.objects.push(...read.objects);
      result.custom.push(...read.custom);
    } else result.refused.push(...read.objects.map((o) => o.key));
  }
  const { objects, custom, refused } = result;
  tellRights(result.rights, findings);
  const sealed = envelopes.map(({ envelope, offset }) => ({ envelope, position: findings.position(offset) }));
  return {
    path,
    oid,
    bytes: bytes.byteLength,
    objects,
    custom,
    refused,
    diagnostics: findings.sorted(),
    ...(sealed.length > 0 && { sealed }),
  };
}

/** What a file of text says, or why it is none. */
export function textOf(path: string, bytes: Uint8Array): string | Diagnostic {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) {
    const { line, column, message, hint } = decoded;
    return { severity: 'error', code: 'NotUtf8', file: path, line, column, message, hint };
  }
  const control = decoded.text.search(CONTROL);
  return control >= 0 ? controlCharacter(path, decoded.text, control) : decoded.text;
}

function unreadable(path: string, oid: string, bytes: Uint8Array, diagnostic: Diagnostic): ParsedFile {
  return { path, oid, bytes: bytes.byteLength, objects: [], custom: [], diagnostics: [diagnostic] };
}

/** How every pointer begins. Source: git-lfs, docs/spec.md, "The Pointer". */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/';

/** Whether a file is what Git LFS puts in place of its contents. */
export function isLfsPointer(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(0, LFS_POINTER.length)) === LFS_POINTER;
}

/** What a `.json` file in LFS holds is not known: it is more often data than a manifest, so it is only warned of. */
function lfsPointer(path: string, json: boolean): Diagnostic {
  return {
    severity: json ? 'warning' : 'error',
    code: 'LfsPointer',
    file: path,
    line: 1,
    column: 1,
    message: `${path} is in Git LFS: the commit has a pointer to its contents, and these are not fetched`,
    hint: json
      ? 'if it holds manifests, take it out of LFS with `git lfs untrack` and commit it again'
      : 'take it out of LFS with `git lfs untrack`, `git add --renormalize`, and commit it again',
  };
}

function controlCharacter(path: string, text: string, offset: number): Diagnostic {
  const before = text.slice(0, offset);
  const code = text.charCodeAt(offset).toString(16).padStart(4, '0');
  return {
    severity: 'error',
    code: 'ControlCharacter',
    file: path,
    line: before.split('\n').length,
    column: offset - before.lastIndexOf('\n'),
    message: `the file contains the control character U+${code.toUpperCase()}`,
    hint: 'manifests are text; remove it',
  };
}
