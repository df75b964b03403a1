/** A source of an Application as what an App is made of. Source: Argo CD, Application specification. */
import { isObject, type JsonObject } from '../../fields/json.ts';
import type { HelmDraft } from '../apps.ts';
import { chartOf } from '../chart.ts';
import { Fields } from '../fields.ts';
import { mergedValues, parameterValue, valuesIn, withParameter } from '../helm-values.ts';
import { plainOf, textOf, within, type LocatedMap } from '../located.ts';
import { resolvePath } from '../names.ts';
import type { Report } from '../report.ts';
import type { SourceTree } from '../types.ts';
import { umbrellaOf } from './umbrella.ts';

export interface AppSource {
  /** Tells it apart from others of the same Application. */
  readonly name: string;
  readonly path?: string | undefined;
  readonly kustomize?: JsonObject | undefined;
  readonly helm?: HelmDraft | undefined;
}

export interface SourceContext {
  readonly application: string;
  readonly tree: SourceTree;
  /** Every folder of the tree. */
  readonly folders: ReadonlySet<string>;
  readonly report: Report;
  /** Names of sources that are the tree itself (`ref`). */
  readonly refs: ReadonlySet<string>;
  /** Folders of charts that became Apps of their dependencies. */
  readonly umbrellas: Set<string>;
}

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** What a source gives: nothing for one that is named by others alone, or is told of. */
export function appSources(map: LocatedMap, context: SourceContext): AppSource[] {
  const source = new Fields(map, `Application ${context.application}: source`, context.report);
  const chart = source.scalar('chart');
  const [url, version] = [source.scalar('repoURL'), source.scalar('targetRevision')];
  const path = source.scalar('path');
  const isReference = source.has('ref');
  source.ignore('ref', 'name');
  const helm = source.has('helm') ? source.map('helm') : undefined;
  const kustomize = source.has('kustomize') ? source.map('kustomize') : undefined;
  const directory = source.map('directory');
  const found = ((): AppSource[] => {
    if (chart) {
      const repository = /^[a-z]+:\/\//.test(url?.source ?? '') ? (url?.source ?? '') : `oci://${url?.source ?? ''}`;
      const from = chartOf(
        { repository, name: chart.source, version: version?.source },
        version?.at ?? chart.at,
        context.report,
      );
      return from ? [{ name: chart.source, helm: { chart: from, ...helmOf(helm, '', context).draft } }] : [];
    }
    if (!path) return [];
    const folder = resolvePath('', path.source);
    if (folder === undefined || !context.folders.has(folder)) {
      const where = `${path.source} of ${shownUrl(url?.source)}`;
      context.report.lost(
        path.at,
        `Application ${context.application} is of ${where}, which is not in this repository`,
        'copy its files into it, or name theirs in spec.source of an App',
      );
      return [];
    }
    return ofFolder(folder, path.at, { helm, kustomize, directory }, context);
  })();
  for (const rest of [helm, kustomize, directory]) rest?.rest();
  if (found.length === 0 && !isReference && !chart && !path)
    context.report.missing(map.at, `Application ${context.application} has a source without path and chart`);
  source.rest({ plugin: 'a program of its own renders it: commit what it prints' });
  return found;
}

function shownUrl(url = ''): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

interface Tools {
  readonly helm: Fields | undefined;
  readonly kustomize: Fields | undefined;
  readonly directory: Fields;
}

function ofFolder(
  folder: string,
  at: LocatedMap['at'],
  { helm, kustomize, directory }: Tools,
  context: SourceContext,
): AppSource[] {
  const { tree, report } = context;
  const name = folder.slice(folder.lastIndexOf('/') + 1);
  const prefix = folder === '' ? '' : `${folder}/`;
  if (helm || tree.paths.has(`${prefix}Chart.yaml`)) {
    const { draft, all } = helmOf(helm, folder, context);
    const dependencies = umbrellaOf(folder, all, tree, report);
    if (!dependencies) return [{ name, path: folder, helm: draft }];
    context.umbrellas.add(folder);
    report.changed(
      at,
      `the chart in ${folder} has dependencies alone: each is an App of its own`,
      'what other charts read of its values is not carried over',
    );
    return dependencies.flatMap(({ name: alias, chart, values }) =>
      chart
        ? [{ name: alias, helm: { chart, releaseName: draft.releaseName, values, includeCRDs: draft.includeCRDs } }]
        : [],
    );
  }
  if (kustomize || KUSTOMIZATIONS.some((file) => tree.paths.has(`${prefix}${file}`)))
    return [{ name, path: folder, kustomize: kustomize && kustomizeOf(kustomize, report) }];
  const recurses = directory.flag('recurse') === true;
  const deeper = [...tree.paths].some(
    (file) => file.startsWith(prefix) && file.slice(prefix.length).includes('/') && /\.ya?ml$/i.test(file),
  );
  if (!recurses && deeper)
    report.changed(
      at,
      `the folders in ${folder} belong to its App too`,
      'Argo CD reads them with directory.recurse alone; move them away',
    );
  if (folder === '') {
    report.changed(
      at,
      `Application ${context.application} is of the whole repository`,
      'its manifests are read without an App',
    );
    return [];
  }
  return [{ name, path: folder }];
}

function kustomizeOf(kustomize: Fields, report: Report): JsonObject | undefined {
  const images = kustomize.scalars('images').flatMap(({ at, source }) => {
    const match = /^(?:([^=]+)=)?([^@]+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(source);
    if (!match) {
      report.invalid(at, `${kustomize.where}.images has no image here`, 'write name=other:tag');
      return [];
    }
    const [, name, image = '', newTag, digest] = match;
    return [{ name: name ?? image, newName: name === undefined ? undefined : image, newTag, digest }];
  });
  const labels = kustomize.take('commonLabels')?.value;
  const annotations = kustomize.take('commonAnnotations')?.value;
  const patches = kustomize.list('patches').flatMap((item) => {
    const patch = within(item, 'patch');
    const target = within(item, 'target');
    if (!patch) {
      report.lost(
        item.at,
        `${kustomize.where}.patches: a patch in a file is not carried over`,
        'write it into the kustomization',
      );
      return [];
    }
    return [{ target: target && plainOf(target), patch: textOf(patch) }];
  });
  const components = kustomize.texts('components');
  const parameters = {
    components: components.length > 0 ? components : undefined,
    patches: patches.length > 0 ? patches : undefined,
    images: images.length > 0 ? images : undefined,
    namePrefix: kustomize.text('namePrefix'),
    nameSuffix: kustomize.text('nameSuffix'),
    commonMetadata:
      labels || annotations
        ? { labels: labels && plainOf(labels), annotations: annotations && plainOf(annotations) }
        : undefined,
  };
  kustomize.ignore(
    'version',
    'forceCommonLabels',
    'forceCommonAnnotations',
    'commonAnnotationsEnvsubst',
    'labelWithoutSelector',
    'labelIncludeTemplates',
    'ignoreMissingComponents',
  );
  kustomize.rest({
    replicas: 'write it into the kustomization',
    namespace: 'spec.namespace of the App gives one to objects that name none',
  });
  return Object.values(parameters).some((value) => value !== undefined) ? parameters : undefined;
}

interface HelmSource {
  readonly draft: Omit<HelmDraft, 'chart'>;
  /** All values together, those of the chart's own file too. */
  readonly all: JsonObject;
}

function helmOf(helm: Fields | undefined, folder: string, context: SourceContext): HelmSource {
  const { tree, report } = context;
  const read = (file: string): JsonObject => {
    const text = tree.texts.get(file);
    const values = text === undefined ? {} : valuesIn(text);
    if (!values)
      report.invalid({ file, line: 1, column: 1 }, `${file} is no map of values`, 'see `plumb check`, or `helm lint`');
    return values ?? {};
  };
  let all = read(`${folder}/values.yaml`);
  if (!helm) return { draft: {}, all };
  const isOptional = helm.flag('ignoreMissingValueFiles') === true;
  const valuesFiles: string[] = [];
  for (const { at, source } of helm.scalars('valueFiles')) {
    const file = valueFile(source, folder, context);
    if (file !== undefined && tree.texts.has(file)) {
      valuesFiles.push(file);
      all = mergedValues(all, read(file));
    } else if (!isOptional)
      report.missing(at, `the file of values ${source} is not in the repository`, 'copy it there');
  }
  let values: JsonObject = {};
  const text = helm.scalar('values');
  const inline = text && valuesIn(text.source);
  if (text && !inline) report.invalid(text.at, `${helm.where}.values is no map of values`);
  if (inline) values = inline;
  // Argo CD takes one of the two: the object.
  const object = helm.take('valuesObject');
  const plain = object && plainOf(object.value);
  if (isObject(plain)) values = plain;
  for (const parameter of helm.list('parameters')) {
    const name = textOf(within(parameter, 'name'));
    const value = textOf(within(parameter, 'value')) ?? '';
    const isText = textOf(within(parameter, 'forceString')) === 'true';
    if (name !== undefined) values = withParameter(values, name, parameterValue(value, isText));
  }
  const draft = {
    releaseName: helm.text('releaseName'),
    valuesFiles,
    values,
    includeCRDs: helm.flag('skipCrds') === true ? (false as const) : undefined,
  };
  helm.ignore('version', 'passCredentials', 'skipSchemaValidation', 'skipTests');
  helm.rest({ fileParameters: 'write the contents into values', namespace: 'spec.namespace of the App says it' });
  return { draft, all: mergedValues(all, values) };
}

/** Relative to the chart, from the repository's root, or of a source that others name. */
function valueFile(written: string, folder: string, { refs }: SourceContext): string | undefined {
  const reference = /^\$([\w-]+)\/(.+)$/.exec(written);
  if (reference) return refs.has(reference[1] ?? '') ? resolvePath('', reference[2] ?? '') : undefined;
  if (/^[a-z]+:\/\//.test(written)) return undefined;
  return written.startsWith('/') ? resolvePath('', written) : resolvePath(folder, written);
}
