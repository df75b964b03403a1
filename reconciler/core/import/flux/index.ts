/** A repository that Flux reads, as one of ours: the same tree, with Apps in place of the objects of Flux. */
import { Apps, type AppDraft } from '../apps.ts';
import { textOf, within, type LocatedMap } from '../located.ts';
import { editTree } from '../kustomize/edit.ts';
import { inNamespace, KustomizeWalk, patchedAll, type Found, type Reached } from '../kustomize/walk.ts';
import { resolvePath } from '../names.ts';
import { tellOfEncrypted } from '../encrypted-files.ts';
import { tellOfExternalSecrets } from '../external-secrets.ts';
import { madeNamespaces } from '../folders.ts';
import { Report } from '../report.ts';
import { sortedFiles, strayFiles } from '../stray-files.ts';
import type { Imported, OutputFile, SourceTree } from '../types.ts';
import { manifestsText } from '../write-yaml.ts';
import { readFluxKustomization, type FluxKustomization } from './kustomization.ts';
import {
  DEFAULT_NAMESPACE,
  isBootstrap,
  isFlux,
  isFluxDocument,
  isFluxPatch,
  kindOf,
  mayHoldFlux,
  nameOf,
  namespaceOf,
} from './objects.ts';
import { releaseApp } from './release.ts';
import { Sources } from './source.ts';

export interface FluxOptions {
  /** Folder of the cluster that is imported, where the repository has several: `clusters/production`. */
  readonly cluster?: string | undefined;
}

const IN_FLUX_SYSTEM = /^\s+namespace:\s*flux-system\s*$/m;
/** Kinds that bring something onto the cluster. */
const APPLIED = ['Kustomization', 'HelmRelease'];
const SOURCE_KINDS = ['HelmRepository', 'OCIRepository', 'GitRepository', 'HelmChart', 'Bucket'];

/** Never throws for what the files hold. Files are kept but for objects of Flux, and what led to them; without any, nothing is written. */
export function importFlux(tree: SourceTree, options: FluxOptions): Imported {
  const report = new Report();
  const run = new FluxImport(tree, report);
  const clusters = clusterFolders(tree);
  const [first] = clusters;
  if (options.cluster === undefined && clusters.length > 1)
    report.invalid(
      { file: `${first ?? ''}/flux-system/gotk-sync.yaml`, line: 1, column: 1 },
      `the repository has ${clusters.length} clusters: ${clusters.slice(0, 8).join(', ')}; the first was taken`,
      'name one with --cluster',
    );
  return run.import(options.cluster === undefined ? first : (resolvePath('', options.cluster) ?? ''));
}

/** Folders that `flux bootstrap` was given. */
function clusterFolders(tree: SourceTree): readonly string[] {
  return [...tree.paths].flatMap((path) => {
    const match = /^(?:(.+)\/)?flux-system\/gotk-sync\.yaml$/.exec(path);
    return match ? [match[1] ?? ''] : [];
  });
}

class FluxImport {
  readonly #tree: SourceTree;
  readonly #report: Report;
  readonly #walk: KustomizeWalk;
  readonly #everywhere: readonly Found[];
  readonly #sources: Sources;
  readonly #apps = new Apps();
  readonly #seen = new Set<LocatedMap['at']>();
  readonly #usedGenerators = new Set<string>();
  readonly #made: FluxKustomization[] = [];

  constructor(tree: SourceTree, report: Report) {
    this.#tree = tree;
    this.#report = report;
    this.#walk = new KustomizeWalk(tree, { isWanted: isFlux, mayHold: mayHoldFlux }, report);
    this.#everywhere = this.#walk.everywhere();
    const bootstrap = this.#everywhere.filter(({ file }) => isBootstrap(file));
    const own = new Set(['flux-system', ...bootstrap.filter((each) => kindOf(each) === 'GitRepository').map(nameOf)]);
    this.#sources = new Sources(this.#everywhere, own, report);
  }

  import(entry: string | undefined): Imported {
    if (this.#everywhere.length === 0) return { files: [], removed: [], findings: this.#report.sorted() };
    if (entry === undefined) this.#takeAll();
    else this.#follow(this.#walk.reach(entry), undefined);
    this.#tellOfOthers(entry !== undefined);
    const removed = new Set<string>();
    const edited = editTree(this.#walk, {
      isGone: isFluxDocument,
      isFileGone: isBootstrap,
      isPatchGone: isFluxPatch,
      generated: this.#usedGenerators,
      chartsOf: new Set(),
    });
    for (const path of [...edited.removed, ...[...this.#tree.paths].filter(isBootstrap)]) removed.add(path);
    const kept = new Map([...this.#tree.texts].filter(([path]) => !removed.has(path)));
    for (const { path, text } of edited.files) kept.set(path, text);
    const written = this.#folderApps(kept);
    for (const { path, text } of written) {
      kept.set(path, text);
      removed.delete(path);
    }
    // What `flux bootstrap` made is gone, and objects of the tree may still be in its namespace.
    if ([...kept].some(([path, text]) => /\.ya?ml$/i.test(path) && IN_FLUX_SYSTEM.test(text)))
      this.#apps.needNamespace(DEFAULT_NAMESPACE);
    const apps = this.#apps.files(
      this.#report,
      madeNamespaces(kept, this.#apps.paths, (folder) => this.#walk.reach(folder)),
    );
    const stray = strayFiles(kept, apps, this.#report);
    for (const path of stray.removed) kept.delete(path);
    tellOfEncrypted(kept, apps, this.#report);
    tellOfExternalSecrets(kept, this.#report);
    return {
      files: sortedFiles([
        ...edited.files.filter(({ path }) => !removed.has(path)),
        ...written,
        ...apps,
        ...stray.files,
      ]),
      removed: [...removed, ...stray.removed].filter((path) => this.#tree.paths.has(path)).sort(),
      findings: this.#report.sorted(),
    };
  }

  /** Without an entry, what nothing else leads to is where Flux begins. */
  #takeAll(): void {
    const inner = new Set(
      this.#everywhere
        .filter((each) => kindOf(each) === 'Kustomization')
        .flatMap((each) => {
          const path = resolvePath('', textOf(within(each.object, 'spec', 'path')) ?? '');
          return path === undefined || path === '' ? [] : this.#walk.reach(path).found;
        })
        .map(({ object }) => object.at),
    );
    this.#follow({ found: this.#everywhere.filter(({ object }) => !inner.has(object.at)), generated: [] }, undefined);
  }

  /** Objects that are reached, by whom; and what these lead to. */
  #follow({ found, generated }: Pick<Reached, 'found' | 'generated'>, by: FluxKustomization | undefined): void {
    for (const each of found) {
      const kind = kindOf(each);
      if (this.#seen.has(each.object.at) || isBootstrap(each.file) || !APPLIED.includes(kind)) continue;
      this.#seen.add(each.object.at);
      if (kind === 'HelmRelease') this.#release(each, generated, by);
      else this.#kustomization(each);
    }
  }

  #kustomization(found: Found): void {
    const kustomization = readFluxKustomization(found, this.#walk, this.#sources, this.#report);
    if (!kustomization) return;
    const { path, targetNamespace, patches } = kustomization;
    if (path === undefined) return;
    this.#made.push(kustomization);
    const reached = this.#walk.reach(path);
    const placed = reached.found.map((each) =>
      targetNamespace === undefined ? each : { ...each, object: inNamespace(each.object, targetNamespace) },
    );
    this.#follow({ ...reached, found: patchedAll(placed, patches) }, kustomization);
  }

  #release(found: Found, generated: Reached['generated'], by: FluxKustomization | undefined): void {
    const configMaps = this.#configMaps();
    const known = new Map<string, string>();
    const hidden: { kind: string; name: string; optional?: true | undefined }[] = [];
    for (const from of by?.substituteFrom ?? []) {
      const data = from.kind === 'ConfigMap' ? within(configMaps.get(from.name), 'data') : undefined;
      if (data?.kind === 'map') for (const [name, { value }] of data.fields) known.set(name, textOf(value) ?? '');
      else hidden.push({ ...from, optional: true });
    }
    for (const [name, value] of by?.substitutes ?? []) known.set(name, value);
    const draft = releaseApp(found, {
      sources: this.#sources,
      tree: this.#tree,
      generated,
      configMaps,
      substitutes: known,
      secretSubstitutes: hidden,
      keys: by ? [by.key] : [],
      prune: by?.prune,
      dependsOn: by?.dependsOn ?? [],
      usedGenerators: this.#usedGenerators,
      needNamespace: (name) => this.#apps.needNamespace(name),
      report: this.#report,
    });
    if (draft) this.#apps.add(draft);
  }

  #configMapsRead: ReadonlyMap<string, LocatedMap> | undefined;

  /** ConfigMaps of the tree that are written out. */
  #configMaps(): ReadonlyMap<string, LocatedMap> {
    if (this.#configMapsRead) return this.#configMapsRead;
    const found = new Map<string, LocatedMap>();
    for (const [path, text] of this.#tree.texts) {
      if (!/\.ya?ml$/i.test(path) || !/^kind:\s*ConfigMap\s*$/m.test(text) || text.includes('{{')) continue;
      for (const document of this.#walk.documents(path))
        if (document.kind === 'map' && textOf(within(document, 'kind')) === 'ConfigMap')
          found.set(textOf(within(document, 'metadata', 'name')) ?? '', document);
    }
    this.#configMapsRead = found;
    return found;
  }

  /**
   * Apps of the folders that still have manifests, now that the objects of Flux are out of them, or that components bring
   * some into. Gives the kustomizations that Flux makes where a folder has none.
   */
  #folderApps(kept: ReadonlyMap<string, string>): readonly OutputFile[] {
    const written: OutputFile[] = [];
    const paths = new Set(this.#made.map(({ path }) => path));
    for (const made of this.#made) {
      const { path = '', name, key, at, targetNamespace, dependsOn, prune } = made;
      // What held nothing but objects of Flux is gone; what was never there is told when the result is checked.
      const components = made.components.filter((each) => {
        const folder = resolvePath(path, each);
        return folder === undefined || !this.#walk.folders.has(folder) || hasKustomization(folder, kept);
      });
      const parameters =
        made.parameters || components.length > 0
          ? { ...made.parameters, ...(components.length > 0 && { components }) }
          : undefined;
      const below = [...kept.keys()].filter((file) => path === '' || file.startsWith(`${path}/`));
      const manifests = below.filter((file) => /\.ya?ml$/i.test(file) || /\/Kustomization$/.test(file));
      if (manifests.length === 0 && components.length === 0) continue;
      const prefix = path === '' ? '' : `${path}/`;
      const hasFile = hasKustomization(path, kept);
      const inner = [...paths].flatMap((other) =>
        other !== undefined && other !== path && other.startsWith(prefix) ? [`${other}/`] : [],
      );
      const own = manifests.filter((file) => !inner.some((folder) => file.startsWith(folder)));
      if (!hasFile && path === '') {
        const lost = parameters ?? this.#substituteOf(made);
        if (lost)
          this.#report.lost(
            at,
            `what Kustomization ${name} does to its folder is not carried over: it has folders of others in it`,
            'add a kustomization file to it',
          );
        continue;
      }
      if (!hasFile && own.length === 0 && components.length === 0) continue;
      const isMade = !hasFile && (parameters !== undefined || inner.length > 0);
      if (isMade) {
        const resources = partsOf(own, prefix, kept);
        // Components are named here: a kustomization of nothing is none to Kustomize.
        const lists = {
          resources: resources.length > 0 ? resources : undefined,
          components: components.length > 0 ? components : undefined,
        };
        const text = manifestsText([{ object: { ...KUSTOMIZATION, ...lists } }]);
        written.push({ path: `${prefix}kustomization.yaml`, text });
      } else if (!hasFile && this.#isOnlyKustomizations(manifests, prefix, kept)) continue;
      this.#apps.add({
        keys: [key],
        name,
        otherName: `${name}-manifests`,
        at,
        path,
        namespace: targetNamespace,
        kustomize: isMade ? withoutComponents(parameters ?? {}) : parameters,
        substitute: this.#substituteOf(made),
        dependsOn,
        prune,
      });
    }
    return written;
  }

  /** A folder without a kustomization, all of whose manifests belong to kustomizations below it: Flux would build each. */
  #isOnlyKustomizations(manifests: readonly string[], prefix: string, kept: ReadonlyMap<string, string>): boolean {
    const loose = manifests.filter((file) => {
      for (let at = file; at.length > prefix.length; at = at.slice(0, Math.max(0, at.lastIndexOf('/'))))
        if (kept.has(`${at}/kustomization.yaml`)) return false;
      return true;
    });
    return loose.length === 0;
  }

  /**
   * An App reads objects of its own namespace: variables of a ConfigMap elsewhere are written out, and a Secret has to be
   * put there.
   */
  #substituteOf(made: FluxKustomization): Readonly<Record<string, unknown>> | undefined {
    const { isSubstituting, substitutes, substituteFrom, targetNamespace = 'default', name, at } = made;
    if (!isSubstituting) return undefined;
    const values = new Map<string, string>();
    const from: FluxKustomization['substituteFrom'][number][] = [];
    for (const each of substituteFrom) {
      const object = each.kind === 'ConfigMap' ? this.#configMaps().get(each.name) : undefined;
      const data = within(object, 'data');
      if (data?.kind === 'map' && textOf(within(object, 'metadata', 'namespace')) !== targetNamespace) {
        for (const [variable, { value }] of data.fields) values.set(variable, textOf(value) ?? '');
        this.#report.changed(
          at,
          `variables of ConfigMap ${each.name} are written into the App of Kustomization ${name}`,
          'an App reads objects of its own namespace alone',
        );
      } else if (object) from.push(each);
      else {
        from.push({ ...each, optional: true });
        this.#report.changed(
          at,
          `the App of Kustomization ${name} takes variables of ${each.kind} ${each.name} in its own namespace, ${targetNamespace}`,
          each.kind === 'Secret'
            ? 'write it there, as a manifest that no App renders; until then they are empty. They may go into Secrets alone: a domain and the like belong in a ConfigMap'
            : 'write it there, as a manifest that no App renders; until then they are empty',
        );
      }
    }
    for (const [variable, value] of substitutes) values.set(variable, value);
    return {
      values: values.size > 0 ? Object.fromEntries(values) : undefined,
      from: from.length > 0 ? from : undefined,
      // As Flux does: a variable that is not set is empty.
      strict: false,
    };
  }

  #tellOfOthers(hasEntry: boolean): void {
    for (const each of this.#everywhere) {
      const { object, file } = each;
      if (isBootstrap(file) || SOURCE_KINDS.includes(kindOf(each)) || this.#seen.has(object.at)) continue;
      const kind = kindOf(each);
      const isApplied = APPLIED.includes(kind);
      const name = [namespaceOf(each), nameOf(each)].filter((part) => part !== undefined).join('/');
      this.#report.lost(
        object.at,
        `${kind} ${name} is not carried over`,
        isApplied && hasEntry ? 'nothing of this cluster leads to it' : 'it is read by Flux alone',
      );
    }
  }
}

const KUSTOMIZATION = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' };
const KUSTOMIZATION_FILES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

function hasKustomization(folder: string, kept: ReadonlyMap<string, string>): boolean {
  return KUSTOMIZATION_FILES.some((file) => kept.has(folder === '' ? file : `${folder}/${file}`));
}

/** What Flux lists in the kustomization that it makes: files, and whole folders that have one of their own. */
function partsOf(manifests: readonly string[], prefix: string, kept: ReadonlyMap<string, string>): readonly string[] {
  const parts = manifests.map((file) => {
    const steps = file.slice(prefix.length).split('/');
    const folders = steps.slice(1).map((_, i) => steps.slice(0, i + 1).join('/'));
    return folders.find((folder) => hasKustomization(`${prefix}${folder}`, kept)) ?? steps.join('/');
  });
  return [...new Set(parts)].sort();
}

function withoutComponents({ components: _, ...others }: Readonly<Record<string, unknown>>): AppDraft['kustomize'] {
  return Object.values(others).some((value) => value !== undefined) ? others : undefined;
}
