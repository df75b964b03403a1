/** Folders of tests, as an import reads them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMap, isSeq, parseAllDocuments } from 'yaml';
import type { Imported, SourceTree } from '../../../reconciler/core/import/index.ts';
import {
  type Diagnostic,
  ManifestCache,
  parseManifest,
  type Rendering,
} from '../../../reconciler/core/manifests/index.ts';
import { renderFiles } from '../../../reconciler/core/revisions/render.ts';

export const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures', 'import');

export function treeOf(files: Readonly<Record<string, string>>): SourceTree {
  return { texts: new Map(Object.entries(files)), paths: new Set(Object.keys(files)) };
}

/** Every file below the folder, by its path there. */
export function folderTexts(folder: string): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    texts[path.slice(folder.length + 1)] = readFileSync(path, 'utf8');
  }
  return texts;
}

/** What the folder has after the import, where it keeps what it read. */
export function resultOf(
  { files, removed }: Imported,
  kept: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const gone = new Set(removed);
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([path]) => !gone.has(path))),
    ...Object.fromEntries(files.map(({ path, text }) => [path, text])),
  };
}

/** As `plumb check` reads it, but for what engines make: Apps are held to their shape alone. */
export async function rendered(files: Readonly<Record<string, string>>): Promise<Rendering> {
  const texts = new Map(Object.entries(files));
  const isApp = (path: string): boolean => /^kind: App$/m.test(texts.get(path) ?? '');
  const tree = [...texts.keys()]
    .filter((path) => !isApp(path))
    .map((path) => ({ path, mode: '100644', oid: `${path} ${texts.get(path)?.length ?? 0}` }));
  const rendering = await renderFiles(
    tree,
    async ({ path }) => Buffer.from(texts.get(path) ?? ''),
    new ManifestCache(),
  );
  const apps = [...texts.keys()]
    .filter(isApp)
    .map((path) => parseManifest(path, path, Buffer.from(texts.get(path) ?? '')));
  return { ...rendering, diagnostics: [...rendering.diagnostics, ...apps.flatMap(({ diagnostics }) => diagnostics)] };
}

export function errorsOf(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.filter(({ severity }) => severity === 'error');
}

/** The files that no App and no engine reads: folders of Apps, of kustomizations and charts, and files of values are left out. */
export function plainFiles(files: Readonly<Record<string, string>>): Record<string, string> {
  const specs = Object.values(files).flatMap((text) =>
    /^kind: App$/m.test(text) ? parseAllDocuments(text).map((document) => document.get('spec')) : [],
  );
  const has = (spec: unknown, ...path: string[]): unknown => (isMap(spec) ? spec.getIn(path) : undefined);
  const values = specs.flatMap((spec) => {
    const list = has(spec, 'helm', 'valuesFiles');
    return isSeq(list) ? (list.toJSON() as string[]) : [];
  });
  const folders = [
    ...specs.map((spec) => has(spec, 'path')),
    ...Object.keys(files).flatMap((path) =>
      /(^|\/)(kustomization\.yaml|Chart\.yaml)$/.test(path) ? [dirname(path)] : [],
    ),
  ];
  const isPlain = (path: string): boolean =>
    !values.includes(path) && !folders.some((folder) => typeof folder === 'string' && path.startsWith(`${folder}/`));
  return Object.fromEntries(Object.entries(files).filter(([path]) => isPlain(path)));
}
