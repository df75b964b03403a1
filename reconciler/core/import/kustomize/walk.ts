/**
 * What kustomizations lead to, as far as an import has to know: objects of the kinds that it takes out of the tree, with
 * what kustomizations on the way do to them.
 */
import type { Position } from '../../manifests/index.ts';
import { isNothing, readLocated, textAt, textOf, within, type Located, type LocatedMap } from '../located.ts';
import { foldersWith, namespacesIn } from '../folders.ts';
import { folderOf, resolvePath } from '../names.ts';
import { Report } from '../report.ts';
import type { SourceTree } from '../types.ts';
import { isAbout, patched, type Patch } from './patch.ts';

/** Source: kustomize, api/konfig/general.go. */
const KUSTOMIZATION_NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
const MAX_FOLDERS = 5000;
const MAX_DEPTH = 40;

export interface Found {
  readonly object: LocatedMap;
  readonly file: string;
}

/** ConfigMaps and Secrets that are made of files. */
export interface Generated {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly folder: string;
  /** Key to path in the tree. */
  readonly files: ReadonlyMap<string, string>;
  readonly at: Position;
}

export interface HelmChartEntry {
  readonly folder: string;
  readonly entry: LocatedMap;
  readonly namespace: string | undefined;
}

export interface Reached {
  readonly found: readonly Found[];
  readonly generated: readonly Generated[];
  readonly charts: readonly HelmChartEntry[];
  /** Names of Namespaces that are made. */
  readonly namespaces: ReadonlySet<string>;
}

const NOTHING: Reached = { found: [], generated: [], charts: [], namespaces: new Set() };

export class KustomizeWalk {
  readonly tree: SourceTree;
  /** Every folder of the tree. */
  readonly folders: ReadonlySet<string>;
  readonly #isWanted: (object: LocatedMap) => boolean;
  /** Texts that an object of a wanted kind has somewhere: other files are not parsed. */
  readonly #mayHold: (text: string) => boolean;
  readonly #documents = new Map<string, readonly Located[]>();
  readonly #folders = new Map<string, Reached>();
  readonly #byFolder = new Map<string, string[]>();
  readonly #report: Report;

  constructor(
    tree: SourceTree,
    wanted: { isWanted: (object: LocatedMap) => boolean; mayHold: (text: string) => boolean },
    report: Report,
  ) {
    this.tree = tree;
    this.folders = foldersWith(tree.paths);
    this.#isWanted = wanted.isWanted;
    this.#mayHold = wanted.mayHold;
    this.#report = report;
    for (const path of tree.texts.keys()) {
      const folder = folderOf(path);
      const files = this.#byFolder.get(folder) ?? [];
      files.push(path);
      this.#byFolder.set(folder, files);
    }
  }

  /** The kustomization file of a folder. */
  fileIn(folder: string): string | undefined {
    return KUSTOMIZATION_NAMES.map((name) => below(folder, name)).find((path) => this.tree.texts.has(path));
  }

  /** Every wanted object of the tree, as it is written. */
  everywhere(): readonly Found[] {
    const patches = this.#patchFiles();
    return [...this.tree.texts.keys()].flatMap((path) => (patches.has(path) ? [] : this.#inFile(path)));
  }

  /** Files that kustomizations lay over others: what they hold is no object of its own. */
  #patchFiles(): ReadonlySet<string> {
    const files = new Set<string>();
    for (const folder of this.#byFolder.keys()) {
      const file = this.fileIn(folder);
      const root = file === undefined ? undefined : this.documents(file)[0];
      for (const list of ['patches', 'patchesJson6902', 'patchesStrategicMerge'])
        for (const entry of itemsOf(within(root, list))) {
          const path = resolvePath(folder, textOf(within(entry, 'path')) ?? textOf(entry) ?? '');
          if (path !== undefined) files.add(path);
        }
    }
    return files;
  }

  /** Documents of a file; what is wrong with it is told where it may hold something that is wanted. */
  documents(path: string): readonly Located[] {
    const known = this.#documents.get(path);
    if (known) return known;
    const text = this.tree.texts.get(path) ?? '';
    // A template of a chart is no YAML yet.
    const isTold = this.#mayHold(text) && !/(?:^|\/)templates\//.test(path);
    const documents = readLocated(path, text, isTold ? this.#report : new Report());
    this.#documents.set(path, documents);
    return documents;
  }

  /** What a folder leads to. */
  reach(folder: string, depth = 0): Reached {
    const known = this.#folders.get(folder);
    if (known) return known;
    if (depth > MAX_DEPTH || this.#folders.size > MAX_FOLDERS) return NOTHING;
    // Kustomizations that lead to one another end here.
    this.#folders.set(folder, NOTHING);
    const file = this.fileIn(folder);
    const reached = file === undefined ? this.#plainFolder(folder, depth) : this.#kustomization(file, folder, depth);
    this.#folders.set(folder, reached);
    return reached;
  }

  #file(path: string): Reached {
    return { ...NOTHING, found: this.#inFile(path), namespaces: namespacesIn([this.tree.texts.get(path) ?? '']) };
  }

  #inFile(path: string): readonly Found[] {
    const text = this.tree.texts.get(path) ?? '';
    if (!/\.ya?ml$/i.test(path) || !this.#mayHold(text)) return [];
    return this.documents(path).flatMap((document) => {
      const items =
        within(document, 'kind') && textOf(within(document, 'kind')) === 'List' ? within(document, 'items') : undefined;
      const objects = items?.kind === 'list' ? items.items : [document];
      return objects.flatMap((object) =>
        object.kind === 'map' && this.#isWanted(object) ? [{ object, file: path }] : [],
      );
    });
  }

  /** As Flux reads a folder without a kustomization: all that is below it. */
  #plainFolder(folder: string, depth: number): Reached {
    const prefix = folder === '' ? '' : `${folder}/`;
    const below_ = [...this.#byFolder].filter(([name]) => name === folder || name.startsWith(prefix));
    const inner = below_.map(([name]) => name).filter((name) => name !== folder && this.fileIn(name) !== undefined);
    const outermost = inner.filter((name) => !inner.some((other) => other !== name && name.startsWith(`${other}/`)));
    const files = below_
      .filter(([name]) => !inner.some((other) => name === other || name.startsWith(`${other}/`)))
      .flatMap(([, paths]) => paths.filter((path) => /\.ya?ml$/i.test(path)).map((path) => this.#file(path)));
    return together([...files, ...outermost.map((name) => this.reach(name, depth + 1))]);
  }

  #kustomization(file: string, folder: string, depth: number): Reached {
    const root = this.documents(file)[0];
    if (root?.kind !== 'map') return NOTHING;
    const parts: Reached[] = [];
    for (const list of ['resources', 'bases', 'components'])
      for (const item of itemsOf(within(root, list))) {
        const path = textOf(item) === undefined ? undefined : resolvePath(folder, textOf(item) ?? '');
        if (path === undefined) continue;
        if (this.tree.texts.has(path)) parts.push(this.#file(path));
        else if (list !== 'components' || path !== folder) parts.push(this.reach(path, depth + 1));
      }
    const namespace = textOf(within(root, 'namespace'));
    const { found, generated, charts, namespaces } = together(parts);
    const patches = patchesOf(root, folder, this);
    return {
      found: patchedAll(
        found.map((each) =>
          namespace === undefined ? each : { ...each, object: inNamespace(each.object, namespace) },
        ),
        patches,
      ),
      // The namespace of a kustomization is the name of a Namespace in it.
      namespaces: namespace !== undefined && namespaces.size > 0 ? new Set([namespace]) : namespaces,
      generated: [...generated, ...generatorsOf(root, folder)],
      charts: [
        ...charts,
        ...itemsOf(within(root, 'helmCharts')).flatMap((entry) =>
          entry.kind === 'map' ? [{ folder, entry, namespace }] : [],
        ),
      ],
    };
  }
}

export function patchedAll(found: readonly Found[], patches: readonly Patch[]): Found[] {
  return found.flatMap(({ object, file }) => {
    let now: LocatedMap | undefined = object;
    for (const patch of patches) if (now && isAbout(patch, now)) now = patched(patch, now);
    return now ? [{ object: now, file }] : [];
  });
}

/** The object with another namespace. */
export function inNamespace(object: LocatedMap, namespace: string): LocatedMap {
  const metadata = object.fields.get('metadata');
  if (metadata?.value.kind !== 'map') return object;
  const at = metadata.at;
  const fields = new Map(metadata.value.fields).set('namespace', { at, value: textAt(at, namespace) });
  return {
    ...object,
    fields: new Map(object.fields).set('metadata', { ...metadata, value: { ...metadata.value, fields } }),
  };
}

/** Patches of a kustomization, of all of its forms. */
export function patchesOf(root: LocatedMap, folder: string, walk: KustomizeWalk): Patch[] {
  const inFile = (path: string | undefined): readonly Located[] => {
    const file = path === undefined ? undefined : resolvePath(folder, path);
    return file !== undefined && walk.tree.texts.has(file) ? walk.documents(file) : [];
  };
  const patches: Patch[] = [];
  for (const list of ['patches', 'patchesJson6902'])
    for (const entry of itemsOf(within(root, list))) {
      const target = within(entry, 'target');
      const inline = textOf(within(entry, 'patch'));
      const bodies = inline === undefined ? inFile(textOf(within(entry, 'path'))) : readInline(inline, entry.at);
      for (const body of bodies) patches.push({ target: target?.kind === 'map' ? target : undefined, body });
    }
  for (const entry of itemsOf(within(root, 'patchesStrategicMerge'))) {
    const text = textOf(entry) ?? '';
    for (const body of text.includes('\n') ? readInline(text, entry.at) : inFile(text))
      patches.push({ target: undefined, body });
  }
  return patches;
}

/** A patch within a text: what is in it is shown at the text's place. */
export function readInline(text: string, at: Position): readonly Located[] {
  return readLocated(at.file, text, new Report()).map((value) => placedAt(value, at));
}

function placedAt(value: Located, at: Position): Located {
  if (value.kind === 'scalar') return { ...value, at };
  if (value.kind === 'list') return { ...value, at, items: value.items.map((item) => placedAt(item, at)) };
  return {
    ...value,
    at,
    fields: new Map([...value.fields].map(([name, field]) => [name, { at, value: placedAt(field.value, at) }])),
  };
}

function generatorsOf(root: LocatedMap, folder: string): Generated[] {
  return (['ConfigMap', 'Secret'] as const).flatMap((kind) =>
    itemsOf(within(root, kind === 'ConfigMap' ? 'configMapGenerator' : 'secretGenerator')).flatMap((entry) => {
      const files = new Map<string, string>();
      for (const item of itemsOf(within(entry, 'files'))) {
        const written = textOf(item) ?? '';
        const equals = written.indexOf('=');
        const path = resolvePath(folder, equals < 0 ? written : written.slice(equals + 1));
        const key = equals < 0 ? written.slice(written.lastIndexOf('/') + 1) : written.slice(0, equals);
        if (path !== undefined) files.set(key, path);
      }
      return [{ kind, name: textOf(within(entry, 'name')) ?? '', folder, files, at: entry.at }];
    }),
  );
}

export function itemsOf(value: Located | undefined): readonly Located[] {
  return value?.kind === 'list' ? value.items.filter((item) => !isNothing(item)) : [];
}

function together(parts: readonly Reached[]): Reached {
  return {
    found: unique(parts.flatMap(({ found }) => found)),
    generated: parts.flatMap(({ generated }) => generated),
    charts: parts.flatMap(({ charts }) => charts),
    namespaces: new Set(parts.flatMap(({ namespaces }) => [...namespaces])),
  };
}

function unique(found: readonly Found[]): readonly Found[] {
  return [...new Map(found.map((each) => [each.object.at, each])).values()];
}

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
