/** A repository that Argo CD reads, as one of ours: the same tree, with Apps in place of its Applications. */
import type { Position } from '../../manifests/index.ts';
import { Apps, type AppDraft } from '../apps.ts';
import { chartOf } from '../chart.ts';
import { tellOfEncrypted } from '../encrypted-files.ts';
import { tellOfExternalSecrets } from '../external-secrets.ts';
import { Fields } from '../fields.ts';
import { foldersWith, madeNamespaces } from '../folders.ts';
import { plainOf, readLocated, textOf, within, type Located, type LocatedMap } from '../located.ts';
import { editTree } from '../kustomize/edit.ts';
import { overlaid } from '../kustomize/patch.ts';
import { KustomizeWalk, type HelmChartEntry } from '../kustomize/walk.ts';
import { resolvePath } from '../names.ts';
import { Report } from '../report.ts';
import { sortedFiles, strayFiles } from '../stray-files.ts';
import type { Imported, SourceTree } from '../types.ts';
import { isObject, type JsonObject } from '../../fields/json.ts';
import { Generators } from './generators.ts';
import { tellOfHooks } from './hooks.ts';
import { isArgo, isArgoDocument, isArgoPatch, mayHoldArgo } from './objects.ts';
import { appSources, type AppSource } from './source.ts';
import { filled, filledText, NotEvaluated } from './template.ts';

/** Never throws for what the files hold. Files are kept but for Applications and their kin, and what led to them; without any, nothing is written. */
export function importArgo(tree: SourceTree): Imported {
  return new ArgoImport(tree, new Report()).import();
}

const LOCAL_SERVERS = ['https://kubernetes.default.svc', 'https://kubernetes.default.svc.cluster.local'];

class ArgoImport {
  readonly #tree: SourceTree;
  readonly #report: Report;
  readonly #walk: KustomizeWalk;
  readonly #apps = new Apps();
  readonly #umbrellas = new Set<string>();
  /** Folders whose kustomizations lose their charts. */
  readonly #chartFolders = new Set<string>();
  readonly #paths: { readonly draft: AppDraft; readonly path: string }[] = [];

  constructor(tree: SourceTree, report: Report) {
    this.#tree = tree;
    this.#report = report;
    this.#walk = new KustomizeWalk(tree, { isWanted: isArgo, mayHold: mayHoldArgo }, report);
  }

  import(): Imported {
    const everywhere = this.#walk.everywhere();
    this.#tellOfTemplates();
    if (everywhere.length === 0) return { files: [], removed: [], findings: this.#report.sorted() };
    for (const { object } of everywhere) {
      const kind = textOf(within(object, 'kind'));
      if (kind === 'Application') this.#application(object);
      else if (kind === 'ApplicationSet') this.#set(object);
      else
        this.#report.lost(
          object.at,
          `AppProject ${nameOf(object)} is not carried over`,
          'who may change what is said by the rights to the repository',
        );
    }
    const umbrella = [...this.#umbrellas];
    const edited = editTree(this.#walk, {
      isGone: isArgoDocument,
      isFileGone: (path) =>
        umbrella.some(
          (folder) =>
            /^(Chart\.(yaml|lock)|values[\w.-]*\.ya?ml|\.helmignore)$/.test(path.slice(folder.length + 1)) &&
            path.startsWith(`${folder}/`),
        ),
      isPatchGone: isArgoPatch,
      generated: new Set(),
      chartsOf: this.#chartFolders,
    });
    const kept = new Map([...this.#tree.texts].filter(([path]) => !edited.removed.has(path)));
    for (const { path, text } of edited.files) kept.set(path, text);
    // A folder in which Applications alone were has nothing to render any more.
    const folders = foldersWith([...kept.keys()].filter((file) => /\.ya?ml$|\/Kustomization$/i.test(file)));
    for (const { draft, path } of this.#paths) if (folders.has(path)) this.#apps.add(draft);
    tellOfHooks(kept, this.#report);
    const apps = this.#apps.files(
      this.#report,
      madeNamespaces(kept, this.#apps.paths, (folder) => this.#walk.reach(folder)),
    );
    const stray = strayFiles(kept, apps, this.#report);
    for (const path of stray.removed) kept.delete(path);
    tellOfEncrypted(kept, apps, this.#report);
    tellOfExternalSecrets(kept, this.#report);
    return {
      files: sortedFiles([...edited.files.filter(({ path }) => !edited.removed.has(path)), ...apps, ...stray.files]),
      removed: [...edited.removed, ...stray.removed].filter((path) => this.#tree.paths.has(path)).sort(),
      findings: this.#report.sorted(),
    };
  }

  #set(object: LocatedMap): void {
    const name = nameOf(object);
    const spec = within(object, 'spec');
    const isGo = textOf(within(spec, 'goTemplate')) === 'true';
    const template = within(spec, 'template');
    if (template?.kind !== 'map') {
      this.#report.invalid(object.at, `ApplicationSet ${name} has no template`);
      return;
    }
    const patch = textOf(within(spec, 'templatePatch'));
    for (const parameters of new Generators(this.#tree, isGo, this.#report).all(within(spec, 'generators'))) {
      try {
        let made: Located = filled(template, parameters, isGo);
        const over =
          patch === undefined
            ? undefined
            : readLocated(object.at.file, filledText(patch, parameters, isGo), this.#report)[0];
        if (over) made = overlaid(made, over);
        if (made.kind === 'map') this.#application(made);
      } catch (error) {
        if (!(error instanceof NotEvaluated)) throw error;
        this.#report.lost(
          template.at,
          `ApplicationSet ${name}: its template is not evaluated: ${error.message}`,
          'write its Applications out',
        );
        return;
      }
    }
  }

  #application(object: LocatedMap): void {
    const name = nameOf(object);
    const spec = within(object, 'spec');
    if (spec?.kind !== 'map') {
      this.#report.invalid(object.at, `Application ${name} has no spec`);
      return;
    }
    const fields = new Fields(spec, `Application ${name}: spec`, this.#report);
    const namespace = this.#destination(fields, name);
    const prune = this.#syncPolicy(fields, name, namespace);
    const list = fields.list('sources');
    const single = fields.take('source')?.value;
    const sources = (list.length > 0 ? list : single ? [single] : []).flatMap((each) =>
      each.kind === 'map' ? [each] : [],
    );
    const refs = new Set(sources.flatMap((each) => textOf(within(each, 'ref')) ?? []));
    const context = {
      application: name,
      tree: this.#tree,
      folders: this.#walk.folders,
      report: this.#report,
      refs,
      umbrellas: this.#umbrellas,
    };
    fields.ignore('project', 'ignoreDifferences', 'info', 'revisionHistoryLimit');
    fields.rest();
    const found = sources.flatMap((each) => appSources(each, context));
    for (const source of found) this.#add(source, { name, namespace, prune, at: object.at, several: found.length > 1 });
    const wave = within(object, 'metadata', 'annotations', 'argocd.argoproj.io/sync-wave');
    if (wave)
      this.#report.lost(
        wave.at,
        `the wave ${textOf(wave) ?? ''} of Application ${name} is not carried over: waves are of objects`,
        'an App waits for others by dependsOn: write it into the Apps of later waves',
      );
  }

  #add(
    source: AppSource,
    app: { name: string; namespace: string | undefined; prune: boolean; at: Position; several: boolean },
  ): void {
    const { name, namespace, prune, at, several } = app;
    const { path, kustomize, helm } = source;
    const draft: AppDraft = {
      keys: [name],
      name: several ? `${name}-${source.name}` : name,
      otherName: `${namespace ?? 'default'}-${name}`,
      at,
      namespace,
      path,
      kustomize,
      // The release has the Application's name, whatever the App's is.
      helm: helm && { ...helm, releaseName: helm.releaseName ?? name },
      dependsOn: [],
      prune,
    };
    if (path === undefined) this.#apps.add(draft);
    else this.#paths.push({ draft, path });
    if (path !== undefined && !helm) for (const entry of this.#walk.reach(path).charts) this.#helmChart(entry, draft);
  }

  /** A chart that Kustomize would fetch (`helmCharts`) as an App beside that of the kustomization. */
  #helmChart({ folder, entry, namespace }: HelmChartEntry, app: AppDraft): void {
    const fields = new Fields(entry, 'helmCharts', this.#report);
    const name = fields.text('name') ?? '';
    const repository = fields.text('repo');
    const version = fields.text('version');
    const releaseName = fields.text('releaseName') ?? name;
    if (repository === undefined) {
      this.#report.lost(
        entry.at,
        `the chart ${name} of a kustomization is in a folder, and is not carried over`,
        'write an App with its path',
      );
      return;
    }
    const chart = chartOf({ repository, name, version }, entry.at, this.#report);
    const files = [...fields.texts('valuesFile'), ...fields.texts('additionalValuesFiles')].flatMap(
      (file) => resolvePath(folder, file) ?? [],
    );
    const inline = fields.take('valuesInline');
    const values = inline && plainOf(inline.value);
    const includeCRDs = fields.flag('includeCRDs') === true ? undefined : (false as const);
    const target = fields.text('namespace') ?? namespace ?? app.namespace;
    fields.ignore('apiVersions', 'kubeVersion', 'skipHooks', 'skipTests', 'debug');
    fields.rest();
    this.#chartFolders.add(folder);
    this.#report.changed(
      entry.at,
      `the chart ${name} of a kustomization is an App of its own`,
      'patches, images and names of the kustomization do not reach it',
    );
    if (!chart) return;
    this.#apps.add({
      keys: [app.name],
      name: `${app.name}-${releaseName}`,
      otherName: `${folder}-${releaseName}`,
      at: entry.at,
      namespace: target,
      helm: { chart, releaseName, valuesFiles: files, values: isObject(values) ? values : undefined, includeCRDs },
      dependsOn: [],
      prune: app.prune,
    });
  }

  #destination(fields: Fields, name: string): string | undefined {
    const destination = fields.map('destination');
    const server = destination.scalar('server');
    const cluster = destination.scalar('name');
    const elsewhere =
      server && !LOCAL_SERVERS.includes(server.source)
        ? server
        : cluster && cluster.source !== 'in-cluster' && cluster.source !== ''
          ? cluster
          : undefined;
    if (elsewhere)
      this.#report.changed(
        elsewhere.at,
        `Application ${name} is for another cluster; it is carried over for this one`,
        'remove its App where that is not meant',
      );
    const namespace = destination.text('namespace');
    destination.rest();
    return namespace;
  }

  /** Whether what a render no longer has goes. */
  #syncPolicy(fields: Fields, name: string, namespace: string | undefined): boolean {
    const policy = fields.map('syncPolicy');
    const isManual = !policy.has('automated');
    const automated = policy.map('automated');
    let prune = automated.flag('prune') === true;
    automated.ignore('selfHeal', 'allowEmpty', 'enabled');
    automated.rest();
    if (isManual)
      this.#report.changed(
        policy.at,
        `Application ${name} is synced by hand; its App is applied with every commit`,
        'a commit is what is applied here',
      );
    const labels = policy.map('managedNamespaceMetadata');
    for (const { at, source } of policy.scalars('syncOptions')) {
      const [option, value] = source.split('=');
      if (option === 'CreateNamespace' && value === 'true' && namespace !== undefined)
        this.#needNamespace(namespace, labels);
      else if (option === 'Prune' && value === 'false') prune = false;
      else if ((option === 'Prune' || option === 'Delete') && value === 'confirm')
        this.#report.lost(
          at,
          `${source} of Application ${name} is not carried over`,
          'annotate the objects: plumbline.dev/prune: confirm',
        );
    }
    labels.ignore('labels');
    labels.rest();
    policy.ignore('retry');
    policy.rest();
    return prune;
  }

  #needNamespace(name: string, labels: Fields): void {
    const written = labels.take('labels')?.value;
    this.#apps.needNamespace(name, written && (plainOf(written) as JsonObject));
  }

  /** Charts that make Applications: what they make is not known. */
  #tellOfTemplates(): void {
    for (const [file, text] of this.#tree.texts) {
      const line =
        text.includes('{{') && mayHoldArgo(text)
          ? text.split('\n').findIndex((each) => /^\s*kind:\s*Application(Set)?\s*$/.test(each))
          : -1;
      if (line >= 0 && file.includes('/templates/'))
        this.#report.lost(
          { file, line: line + 1, column: 1 },
          'a chart makes Applications, which are not carried over',
          'render it with `helm template`, commit that in its place, and import again',
        );
    }
  }
}

function nameOf(object: LocatedMap): string {
  return textOf(within(object, 'metadata', 'name')) ?? '';
}
