/** YAML of a tree that is no manifest, where nothing but manifests may be. */
import { isObject } from '../fields/json.ts';
import { plainOf, readLocated } from './located.ts';
import { folderOf } from './names.ts';
import { Report } from './report.ts';
import type { OutputFile } from './types.ts';

/** Where such files go: nobody reads hidden folders. */
const ASIDE = '.not-manifests';

export interface Stray {
  readonly files: readonly OutputFile[];
  readonly removed: readonly string[];
}

/**
 * Of files that no App and no kustomization reads, those that hold no Kubernetes objects, moved aside: as manifests they
 * would be refused. Files of values stay.
 */
export function strayFiles(kept: ReadonlyMap<string, string>, apps: readonly OutputFile[], report: Report): Stray {
  const owned = new Set<string>();
  const values = new Set<string>();
  for (const { text } of apps)
    for (const app of readLocated('', text, new Report()).map(plainOf)) {
      const spec = isObject(app) && isObject(app['spec']) ? app['spec'] : {};
      if (typeof spec['path'] === 'string') owned.add(spec['path']);
      const helm = isObject(spec['helm']) ? spec['helm'] : {};
      for (const file of Array.isArray(helm['valuesFiles']) ? helm['valuesFiles'] : []) values.add(String(file));
    }
  for (const path of kept.keys())
    if (/(?:^|\/)(?:kustomization\.ya?ml|Kustomization|Chart\.yaml)$/.test(path)) owned.add(folderOf(path));
  const files: OutputFile[] = [];
  const removed: string[] = [];
  for (const [path, text] of kept) {
    const isHidden = path.split('/').some((part) => part.startsWith('.'));
    if (!/\.ya?ml$/i.test(path) || isHidden || values.has(path) || isInside(path, owned)) continue;
    const documents = readLocated(path, text, new Report());
    const isManifest = documents.every(
      (each) => each.kind === 'map' && (each.fields.has('kind') || each.fields.has('apiVersion')),
    );
    if (isManifest && (documents.length > 0 || text.split('\n').every((line) => /^\s*(#|---|$)/.test(line)))) continue;
    report.changed(
      { file: path, line: 1, column: 1 },
      `${path} holds no Kubernetes objects; it was moved to ${ASIDE}/`,
      'every YAML file outside of hidden folders is read as manifests',
    );
    files.push({ path: `${ASIDE}/${path}`, text });
    removed.push(path);
  }
  return { files, removed };
}

function isInside(path: string, folders: ReadonlySet<string>): boolean {
  for (let at = folderOf(path); ; at = folderOf(at)) {
    if (folders.has(at)) return true;
    if (at === '') return false;
  }
}

export function sortedFiles(files: readonly OutputFile[]): OutputFile[] {
  return [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
