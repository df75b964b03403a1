/** What an App asks of its engine: the files that it reads, and the arguments. */
import type { App } from '../../../contracts/objects/index.ts';
import type { TreeFile } from '../manifests/select-files.ts';
import type { Position } from '../manifests/types.ts';
import { ClosureBuilder, kustomizationIn, type Closure, type KustomizeClosure } from './closure.ts';
import { CALL_ROOT, type CallFile, type EngineName } from './engine.ts';
import type { FileTree } from './file-tree.ts';
import { resolvePath } from './paths.ts';

/** Where the repository's files are in a call, and where those are that are made for it. */
export const REPOSITORY = 'repository';
export const MADE = 'app';

/** What an App is made with: its own engine's words, or plain YAML. */
export type AppEngine = EngineName | 'yaml';

export function engineOf({ spec }: App, tree: FileTree): AppEngine {
  if (spec.helm) return 'helm';
  if (spec.kustomize || (spec.path !== undefined && kustomizationIn(tree, spec.path))) return 'kustomize';
  return 'yaml';
}

/** `at`: where a field of the App is written. */
export async function closureOf(
  app: App,
  engine: AppEngine,
  tree: FileTree,
  kustomize: KustomizeClosure,
  at: (...path: (string | number)[]) => Position,
): Promise<Closure> {
  const { path } = app.spec;
  const files = new ClosureBuilder(tree);
  const here = at('spec', 'path');
  if (path !== undefined && !tree.isFolder(path)) files.missing(path, here, path);
  else if (path !== undefined && engine === 'kustomize') {
    const components = (app.spec.kustomize?.components ?? []).map((text, i) => ({
      folder: resolvePath(path, text) ?? '',
      from: at('spec', 'kustomize', 'components', i),
      text,
    }));
    await kustomize.collect([{ folder: path, from: here, text: path }, ...components], files);
  } else if (path !== undefined) files.folder(path);
  app.spec.helm?.valuesFiles?.forEach((name, i) => {
    files.file(name, at('spec', 'helm', 'valuesFiles', i), name);
  });
  return files.done(here);
}

/** A file that is made for the call: it stands beside the repository's. */
interface MadeFile {
  readonly name: string;
  readonly text: string;
}

export interface AppCall {
  readonly engine: EngineName;
  readonly args: readonly string[];
  readonly made: readonly MadeFile[];
  /** Texts of patches among what is made. */
  readonly patches?: readonly string[];
  /** The chart, where it is not in the repository. */
  readonly chart?: { readonly archive: Uint8Array; readonly id: string };
}

/** The call that renders the App; its repository's files are those of its closure. The same App gives the same call. `values`:
 * texts of values for Helm, from objects. */
export function callOf(app: App, engine: EngineName, values: readonly string[], chart: AppCall['chart']): AppCall {
  return engine === 'kustomize' ? kustomizeCall(app) : helmCall(app, values, chart);
}

/** JSON is YAML: nothing here has to be quoted. */
function kustomizeCall({ spec }: App): AppCall {
  const { components, patches, images, namePrefix, nameSuffix, commonMetadata } = spec.kustomize ?? {};
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [`../${REPOSITORY}/${spec.path ?? ''}`],
    ...(components && {
      components: components.map((text) => `../${REPOSITORY}/${resolvePath(spec.path ?? '', text) ?? ''}`),
    }),
    ...(patches && { patches }),
    ...(images && { images }),
    ...(namePrefix !== undefined && { namePrefix }),
    ...(nameSuffix !== undefined && { nameSuffix }),
    // Of objects alone: selectors of what runs cannot change, and a pod is no new one for the sake of a note.
    ...(commonMetadata?.labels && { labels: [{ pairs: commonMetadata.labels }] }),
    ...(commonMetadata?.annotations && { transformers: [annotating(commonMetadata.annotations)] }),
    buildMetadata: ['originAnnotations'],
  };
  return {
    engine: 'kustomize',
    args: [`${CALL_ROOT}/${MADE}`],
    made: [{ name: 'kustomization.yaml', text: JSON.stringify(kustomization) }],
    ...(patches && { patches: patches.map(({ patch }) => patch) }),
  };
}

/** Kustomize's own transformer, which with `commonAnnotations` would also change the pods of workloads. */
function annotating(annotations: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    apiVersion: 'builtin',
    kind: 'AnnotationsTransformer',
    metadata: { name: 'annotations' },
    annotations,
    fieldSpecs: [{ path: 'metadata/annotations', create: true }],
  });
}

/** `valueTexts`: of objects, before the App's own values. */
function helmCall({ metadata, spec }: App, valueTexts: readonly string[], chart: AppCall['chart']): AppCall {
  const { releaseName, valuesFiles = [], values, includeCRDs = true } = spec.helm ?? {};
  const texts = [...valueTexts, ...(values ? [JSON.stringify(values)] : [])];
  const made = texts.map((text, i) => ({ name: `values-${i}.yaml`, text }));
  return {
    engine: 'helm',
    args: [
      releaseName ?? metadata.name,
      chart ? `${CALL_ROOT}/${MADE}/${CHART_FILE}` : `${CALL_ROOT}/${REPOSITORY}/${spec.path ?? ''}`,
      '--namespace',
      spec.namespace ?? 'default',
      ...(includeCRDs ? ['--include-crds'] : []),
      ...valuesFiles.flatMap((name) => ['--values', `${CALL_ROOT}/${REPOSITORY}/${name}`]),
      ...made.flatMap(({ name }) => ['--values', `${CALL_ROOT}/${MADE}/${name}`]),
    ],
    made,
    ...(chart && { chart }),
  };
}

const CHART_FILE = 'chart.tgz';

/** The files of a call, `contents` of those of the repository in the order of `files`. */
export function callFiles(call: AppCall, files: readonly TreeFile[], contents: readonly Uint8Array[]): CallFile[] {
  const encoder = new TextEncoder();
  return [
    ...call.made.map(({ name, text }) => ({ path: `${MADE}/${name}`, bytes: encoder.encode(text) })),
    ...(call.chart ? [{ path: `${MADE}/${CHART_FILE}`, bytes: call.chart.archive }] : []),
    ...files.map(({ path }, i) => ({ path: `${REPOSITORY}/${path}`, bytes: contents[i] ?? new Uint8Array() })),
  ];
}

/**
 * What the result of a call depends on, as one text: the engine itself, its arguments, what is made for it, and path and
 * contents of every file. Undefined values and the order of fields of the App change nothing that `made` does not show.
 */
export function callText(identity: string, call: AppCall, files: readonly TreeFile[]): string {
  return JSON.stringify([
    FORM,
    identity,
    call.engine,
    call.args,
    call.chart?.id,
    call.made.map(({ name, text }) => [name, text]),
    files.map(({ path, oid, mode }) => [path, oid, mode]),
  ]);
}

/** Of what is kept: another one makes all that was kept before unknown. */
const FORM = 1;
