/** A tree without objects of some kinds: files lose documents, kustomizations lose what led to them. */
import { isMap, isScalar, isSeq, parseDocument, type Document, type YAMLMap } from 'yaml';
import type { LocatedMap } from '../located.ts';
import { folderOf, resolvePath } from '../names.ts';
import type { OutputFile } from '../types.ts';
import type { Patch } from './patch.ts';
import { patchesOf, readInline, type KustomizeWalk } from './walk.ts';

export interface Leaving {
  /** Whether a document is one that leaves, by its text. */
  readonly isGone: (document: string) => boolean;
  /** Whether a file leaves whatever it holds. */
  readonly isFileGone: (path: string) => boolean;
  /** Whether a patch is about kinds that leave. */
  readonly isPatchGone: (patch: Patch) => boolean;
  /** Names of generated ConfigMaps that leave, as `FOLDER NAME`. */
  readonly generated: ReadonlySet<string>;
  /** Folders whose kustomizations lose their `helmCharts`. */
  readonly chartsOf: ReadonlySet<string>;
}

export interface Edited {
  readonly files: readonly OutputFile[];
  readonly removed: ReadonlySet<string>;
}

/** Lists that name files and folders. */
const LISTS = ['resources', 'bases', 'components'];
/** Fields by which a kustomization makes something. */
const MAKING = [...LISTS, 'configMapGenerator', 'secretGenerator', 'helmCharts', 'generators', 'crds'];
/** Fields by which a component changes what others make. */
const CHANGING = [
  'patches',
  'patchesJson6902',
  'patchesStrategicMerge',
  'replacements',
  'transformers',
  'images',
  'labels',
];

export function editTree(walk: KustomizeWalk, leaving: Leaving): Edited {
  const edit = new Edit(walk, leaving);
  return edit.run();
}

class Edit {
  readonly #walk: KustomizeWalk;
  readonly #leaving: Leaving;
  readonly #files = new Map<string, string>();
  readonly #removed = new Set<string>();

  constructor(walk: KustomizeWalk, leaving: Leaving) {
    this.#walk = walk;
    this.#leaving = leaving;
  }

  run(): Edited {
    const kustomizations: string[] = [];
    for (const [path, text] of this.#walk.tree.texts) {
      if (this.#leaving.isFileGone(path)) this.#removed.add(path);
      else if (this.#walk.fileIn(folderOf(path)) === path) kustomizations.push(path);
      else if (/\.ya?ml$/i.test(path)) this.#documents(path, text);
    }
    // What a kustomization loses may be all of it, and then the one above loses it: the deepest come first, until nothing changes.
    const deepest = kustomizations.sort((a, b) => b.split('/').length - a.split('/').length || (a < b ? -1 : 1));
    for (let changed = true; changed;) {
      changed = false;
      for (const path of deepest) if (!this.#removed.has(path) && this.#kustomization(path)) changed = true;
    }
    const files = [...this.#files].filter(([path]) => !this.#removed.has(path)).map(([path, text]) => ({ path, text }));
    return { files, removed: this.#removed };
  }

  /** Leaves the documents that stay, as they are written. */
  #documents(path: string, text: string): void {
    const documents = text.split(/^---(?=\s|$)/m);
    const staying = documents.filter((document) => !this.#leaving.isGone(document));
    if (staying.length === documents.length) return;
    if (staying.every(isEmpty)) this.#removed.add(path);
    else
      this.#files.set(
        path,
        staying
          .join('---')
          .replace(/^---\s*\n/, '')
          .replace(/^\n+/, ''),
      );
  }

  /** Whether the kustomization became another one, or went. */
  #kustomization(path: string): boolean {
    const text = this.#files.get(path) ?? this.#walk.tree.texts.get(path) ?? '';
    const root = this.#walk.documents(path)[0];
    if (root?.kind !== 'map') return false;
    const document = parseDocument(text);
    if (document.errors.length > 0 || !isMap(document.contents)) return false;
    const folder = folderOf(path);
    let changed = false;
    for (const list of LISTS)
      changed = this.#dropItems(document, list, (item) => this.#isItemGone(folder, item)) || changed;
    changed = this.#dropPatches(document, root, folder) || changed;
    changed = this.#dropGenerators(document, folder) || changed;
    if (this.#leaving.chartsOf.has(folder) && document.contents.has('helmCharts')) {
      for (const field of ['helmCharts', 'helmGlobals']) document.delete(field);
      changed = true;
    }
    if (!changed) return false;
    const contents: YAMLMap = document.contents;
    const substance = contents.get('kind') === 'Component' ? [...MAKING, ...CHANGING] : MAKING;
    if (!substance.some((field) => contents.has(field))) this.#removed.add(path);
    else this.#files.set(path, document.toString({ lineWidth: 0, indentSeq: /^\s+- /m.test(text) }));
    return true;
  }

  #isItemGone(folder: string, item: unknown): boolean {
    const path = typeof item === 'string' ? resolvePath(folder, item) : undefined;
    if (path === undefined) return false;
    if (this.#removed.has(path)) return true;
    const kustomization = this.#walk.fileIn(path);
    return kustomization !== undefined && this.#removed.has(kustomization);
  }

  #dropPatches(document: Document, root: LocatedMap, folder: string): boolean {
    let changed = false;
    for (const list of ['patches', 'patchesJson6902', 'patchesStrategicMerge'])
      changed =
        this.#dropItems(
          document,
          list,
          (item) => {
            const only: LocatedMap = { ...root, fields: new Map() };
            const patches = patchesOf({ ...only, fields: patchFields(list, item, root) }, folder, this.#walk);
            return patches.length > 0 && patches.every(this.#leaving.isPatchGone);
          },
          (item) => this.#dropPatchFile(folder, item),
        ) || changed;
    return changed;
  }

  /** The file of a patch that left goes with it. */
  #dropPatchFile(folder: string, item: unknown): void {
    const named = typeof item === 'string' ? item : (item as { path?: unknown } | null)?.path;
    const path = typeof named === 'string' && !named.includes('\n') ? resolvePath(folder, named) : undefined;
    if (path !== undefined && this.#walk.tree.texts.has(path)) this.#removed.add(path);
  }

  #dropGenerators(document: Document, folder: string): boolean {
    const changed = this.#dropItems(document, 'configMapGenerator', (item) => {
      const name = (item as { name?: unknown } | null)?.name;
      return typeof name === 'string' && this.#leaving.generated.has(`${folder} ${name}`);
    });
    const isConfiguration = (item: unknown): boolean => {
      const path = typeof item === 'string' ? resolvePath(folder, item) : undefined;
      return path !== undefined && /^\s*(- )?kind: HelmRelease\s*$/m.test(this.#walk.tree.texts.get(path) ?? '');
    };
    return (
      this.#dropItems(document, 'configurations', isConfiguration, (item) => {
        if (typeof item === 'string') this.#removed.add(resolvePath(folder, item) ?? '');
      }) || changed
    );
  }

  #dropItems(
    document: Document,
    list: string,
    isGone: (item: unknown) => boolean,
    then?: (item: unknown) => void,
  ): boolean {
    const items = document.get(list);
    if (!isSeq(items)) return false;
    const before = items.items.length;
    items.items = items.items.filter((item) => {
      const value: unknown = isScalar(item)
        ? item.value
        : isMap(item)
          ? item.toJS(document, { maxAliasCount: 100 })
          : undefined;
      const gone = isGone(value);
      if (gone) then?.(value);
      return !gone;
    });
    if (items.items.length === 0) document.delete(list);
    return items.items.length !== before;
  }
}

/** Whether a document has nothing but comments. */
function isEmpty(document: string): boolean {
  return document.split('\n').every((line) => /^\s*(#|$)/.test(line));
}

/** One entry of a list of patches, as a kustomization that has it alone. */
function patchFields(list: string, item: unknown, root: LocatedMap): LocatedMap['fields'] {
  const text = JSON.stringify({ [list]: [item] });
  const [value] = readInline(text, root.at);
  return value?.kind === 'map' ? value.fields : new Map();
}
