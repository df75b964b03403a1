/** Files that an AppSet reads: each holds one map. */
import { LineCounter } from 'yaml';
import { Findings } from '../manifests/findings.ts';
import { isLfsPointer, textOf } from '../manifests/parse-manifest.ts';
import { readingYaml } from '../manifests/read-yaml.ts';
import { fileTooLarge, MAX_FILE_BYTES } from '../manifests/select-files.ts';
import type { ParsedFile } from '../manifests/types.ts';
import { toValue } from '../manifests/yaml-tree.ts';
import { isObject } from '../fields/json.ts';
import type { Paced } from '../paced.ts';
import { isSealedInput } from '../secrets/opaque.ts';

/** By what a file's data is kept among parsed files: the same contents may be looked at as a manifest too. */
export function dataId(oid: string): string {
  return `${oid}#data`;
}

/**
 * Without `data` where something is wrong, which is told at the file's own place. Null values are left out, as everywhere.
 * Never throws for what is in the file.
 */
export function* parsingData(file: string, blob: string, bytes: Uint8Array): Paced<ParsedFile> {
  const parsed = { path: file, oid: dataId(blob), bytes: bytes.byteLength, objects: [], custom: [] };
  const start = { file, line: 1, column: 1 };
  const failed = (message: string, hint: string): ParsedFile => ({
    ...parsed,
    diagnostics: [{ severity: 'error', code: 'AppSetFailed', ...start, message: `${file} ${message}`, hint }],
  });
  if (bytes.byteLength > MAX_FILE_BYTES)
    return { ...parsed, diagnostics: [{ ...fileTooLarge(file, bytes.byteLength), severity: 'error' }] };
  if (isLfsPointer(bytes))
    return failed(
      'is in Git LFS: the commit has a pointer to its contents',
      'take it out of LFS with `git lfs untrack`',
    );
  if (isSealedInput(bytes))
    return failed('is encrypted, and what is secret may not go into an App', 'keep it in an encrypted Secret');
  const text = textOf(file, bytes);
  if (typeof text !== 'string') return { ...parsed, diagnostics: [text] };
  const lines = new LineCounter();
  const findings = new Findings(file, lines, text);
  const documents = yield* readingYaml(text, lines, findings, /\.json$/i.test(file) ? 'JSON' : 'YAML');
  const diagnostics = findings.sorted();
  if (diagnostics.some(({ severity }) => severity === 'error')) return { ...parsed, diagnostics };
  const [first, second] = documents;
  if (second) return failed('has several documents', 'an AppSet reads one map from each file: write a file for each');
  const data = first && toValue(first.root);
  if (!isObject(data)) return failed('holds no map', 'write the element as a map: name, and what the template uses');
  return { ...parsed, diagnostics, data };
}
