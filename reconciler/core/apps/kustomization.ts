/**
 * What a kustomization file says that it reads. Only names of files are taken from it: what it means is the real
 * Kustomize's business. Source: kustomize, api/types/kustomization.go.
 */
import { LineCounter } from 'yaml';
import { decodeUtf8 } from '../manifests/decode-text.ts';
import { Findings } from '../manifests/findings.ts';
import { readYaml } from '../manifests/read-yaml.ts';
import type { Diagnostic } from '../manifests/types.ts';
import { nodeAt, type YamlMap, type YamlNode } from '../manifests/yaml-tree.ts';

/** The names that Kustomize looks for. Source: kustomize, api/konfig/general.go. */
export const KUSTOMIZATION_NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** One name of a file or folder, as it is written. */
export interface Named {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

export interface KustomizationFile {
  /** Files, folders, or places elsewhere. */
  readonly sources: readonly Named[];
  /** Files alone, each inside of the kustomization's folder: Kustomize reads no others. */
  readonly files: readonly Named[];
  /** Whether it may read more than it names: then everything in its folder is read. */
  readonly readsMore: boolean;
  /** What stands against running it, as values; nothing else counts then. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Lists of files, folders or remote places. */
const SOURCE_LISTS = ['resources', 'bases', 'components'];
/** The same, where an entry may also be the configuration of a plugin, which may name further files. */
const PLUGIN_LISTS = ['generators', 'transformers', 'validators'];
const FILE_LISTS = ['crds', 'configurations'];
const PATCH_LISTS = ['patches', 'patchesJson6902', 'replacements'];
const GENERATOR_LISTS = ['configMapGenerator', 'secretGenerator'];
/** They need Helm inside of Kustomize, which fetches charts by itself. */
const HELM_FIELDS = ['helmCharts', 'helmGlobals', 'helmChartInflationGenerator'];
/** Fields that name no file. */
const PLAIN_FIELDS = [
  'apiVersion',
  'kind',
  'metadata',
  'namespace',
  'namePrefix',
  'nameSuffix',
  'commonLabels',
  'labels',
  'commonAnnotations',
  'images',
  'imageTags',
  'replicas',
  'vars',
  'generatorOptions',
  'sortOptions',
  'buildMetadata',
];
const KNOWN: ReadonlySet<string> = new Set([
  ...SOURCE_LISTS,
  ...FILE_LISTS,
  ...PATCH_LISTS,
  ...GENERATOR_LISTS,
  ...PLAIN_FIELDS,
  'patchesStrategicMerge',
  'openapi',
]);

/** The same path and bytes give the same answer. */
export function readKustomization(path: string, bytes: Uint8Array): KustomizationFile {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) {
    const { line, column, message, hint } = decoded;
    return refused([{ severity: 'error', code: 'NotUtf8', file: path, line, column, message, hint }]);
  }
  const lines = new LineCounter();
  const findings = new Findings(path, lines, decoded.text);
  const [document] = readYaml(decoded.text, lines, findings, 'YAML');
  if (findings.errors > 0) return refused(findings.sorted());
  // What is no map the real one refuses in its own words.
  if (document?.root.kind !== 'map') return { sources: [], files: [], readsMore: true, diagnostics: [] };
  const { root } = document;
  for (const field of HELM_FIELDS) {
    const found = root.fields.get(field);
    if (found)
      findings.error(
        'UnsupportedField',
        found.keyOffset,
        `${field} asks Kustomize to fetch and run Helm by itself, which stays off`,
        'make an App of the chart, with spec.helm',
      );
  }
  const at = (node: YamlNode | undefined): Named[] => {
    if (node?.kind !== 'scalar' || typeof node.value !== 'string' || node.value === '') return [];
    const { line, column } = findings.position(node.offset);
    return [{ text: node.value, line, column }];
  };
  const entries = (field: string): readonly YamlNode[] => {
    const list = root.fields.get(field)?.node;
    return list?.kind === 'list' ? list.items : [];
  };
  const paths = (nodes: readonly YamlNode[]): Named[] => nodes.flatMap(at).filter(({ text }) => !isInline(text));
  const inEntries = (field: string, name: string): Named[] =>
    entries(field).flatMap((entry) => at(nodeAt(entry, [name])));
  return {
    sources: [...SOURCE_LISTS, ...PLUGIN_LISTS].flatMap((field) => paths(entries(field))),
    files: [
      ...[...FILE_LISTS, 'patchesStrategicMerge'].flatMap((field) => paths(entries(field))),
      ...PATCH_LISTS.flatMap((field) => inEntries(field, 'path')),
      ...GENERATOR_LISTS.flatMap((field) => entries(field).flatMap((entry) => generatorFiles(entry, at))),
      ...at(nodeAt(root, ['openapi', 'path'])),
    ],
    readsMore: readsMore(root),
    diagnostics: findings.sorted(),
  };
}

function refused(diagnostics: readonly Diagnostic[]): KustomizationFile {
  return { sources: [], files: [], readsMore: false, diagnostics };
}

function readsMore({ fields }: YamlMap): boolean {
  return [...fields.keys()].some((name) => !KNOWN.has(name));
}

/** An entry may be YAML itself instead of the path of a file. */
function isInline(text: string): boolean {
  return text.includes('\n') || text.includes(': ');
}

/** `files: [NAME, KEY=NAME]`, `envs: [NAME]`, `env: NAME`. */
function generatorFiles(entry: YamlNode, at: (node: YamlNode | undefined) => Named[]): Named[] {
  const list = (field: string): readonly YamlNode[] => {
    const node = nodeAt(entry, [field]);
    return node?.kind === 'list' ? node.items : [];
  };
  return [
    ...list('files')
      .flatMap(at)
      .map((named) => ({ ...named, text: named.text.slice(named.text.indexOf('=') + 1) })),
    ...list('envs').flatMap(at),
    ...at(nodeAt(entry, ['env'])),
  ];
}

/**
 * Whether a name that is no file of the repository is of another one, or of the web. Source: the forms of kustomize,
 * api/internal/git/repospec.go.
 */
export function isRemote(text: string): boolean {
  return (
    /^[a-z][a-z0-9+.-]*:/i.test(text) ||
    /^[\w.-]+@[\w.-]+:/.test(text) ||
    /^(www\.)?(github\.com|gitlab\.com|bitbucket\.org|dev\.azure\.com)[/:]/i.test(text) ||
    /[?&](ref|version|timeout|submodules)=/.test(text) ||
    text.includes('.git/') ||
    text.includes('//')
  );
}
