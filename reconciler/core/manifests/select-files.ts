/** Which files of a revision are manifests, and which paths are refused before anything is read. */
import type { DiagnosticCode } from './codes.ts';
import type { Diagnostic } from './types.ts';

/** A file of a Git tree, as far as the choice needs it. */
export interface TreeFile {
  readonly path: string;
  readonly oid: string;
  /** Git's mode: 100644, 100755, 120000 (symlink), 160000 (submodule). */
  readonly mode: string;
}

/** A larger file is refused unread: Kubernetes' own limit for one object, as etcd sets it, is 1.5 MiB. */
export const MAX_FILE_BYTES = 1024 * 1024;

export interface SelectedFiles<F extends TreeFile = TreeFile> {
  readonly manifests: readonly F[];
  readonly diagnostics: readonly Diagnostic[];
  /** Submodules where a manifest could be: what is in them is nobody's yet. */
  readonly submodules: readonly F[];
  /** Folders that an engine reads, and no manifests are in before it did. */
  readonly sources: readonly SourceFolder[];
}

/** A folder with a kustomization file or a chart. */
export interface SourceFolder {
  /** Empty for the repository itself. */
  readonly folder: string;
  /** The file that makes it one. */
  readonly file: string;
  readonly engine: 'Kustomize' | 'Helm';
}

const SYMLINK = '120000';
export const SUBMODULE_MODE = '160000';
const CONTROL = /[\u0000-\u001f\u007f]/;

/** What a repository is searched for, for people. */
export const MANIFEST_FILES = '.yaml, .yml and .json files outside hidden folders';

/** Whether a file of this name may hold manifests. What is in a `.json` file decides: see is-json-manifest.ts. */
export function isManifestName(path: string): boolean {
  return /\.(ya?ml|json)$/i.test(path);
}

/**
 * Manifests are `*.yaml`, `*.yml` and `*.json` outside hidden files and folders (a name that starts with a dot).
 * Symlinks and paths that could leave the repository are errors, wherever a manifest could be: what they
 * name would otherwise be left out in silence. A Helm chart is one error for all of its files, a Kustomization one for
 * its own: their YAML is no manifest before it is rendered. With Apps in the commit that is not so: see
 * reconciler/core/apps.
 */
export function selectManifestFiles<F extends TreeFile>(files: readonly F[]): SelectedFiles<F> {
  const manifests: F[] = [];
  const diagnostics: Diagnostic[] = [];
  const submodules: F[] = [];
  const sources: SourceFolder[] = [];
  const charts = chartFolders(files);
  for (const file of files) {
    const refused = refusePath(file.path);
    if (refused) diagnostics.push(refused);
    else if (isHidden(file.path)) continue;
    else if (charts.size > 0 && isInside(file.path, charts)) continue;
    else if (file.mode === SYMLINK) {
      diagnostics.push(
        wholeFile('SymlinkRefused', file.path, 'is a symbolic link; links are not followed', 'commit the file itself'),
      );
    } else if (file.mode === SUBMODULE_MODE) submodules.push(file);
    else if (KUSTOMIZATION.test(file.path)) {
      const folder = file.path.slice(0, Math.max(0, file.path.lastIndexOf('/')));
      sources.push({ folder, file: file.path, engine: 'Kustomize' });
      diagnostics.push(needsRendering(file.path, 'is read by Kustomize', folder));
    } else if (isManifestName(file.path)) manifests.push(file);
  }
  for (const folder of charts) {
    const file = `${folder}${CHART}`;
    sources.push({ folder: folder.slice(0, -1), file, engine: 'Helm' });
    diagnostics.push(
      needsRendering(file, `makes ${folder === '' ? 'this repository' : folder} a Helm chart`, folder.slice(0, -1)),
    );
  }
  return { manifests, submodules, diagnostics, sources };
}

function needsRendering(file: string, what: string, folder: string): Diagnostic {
  const path = folder === '' ? 'a folder that it is moved to' : folder;
  return wholeFile(
    'NeedsRendering',
    file,
    `${what}, and no App renders it`,
    `write an App with spec.path: ${path}, or keep it in a folder whose name starts with a dot`,
  );
}

/** The file that makes a folder a chart (Helm documentation, "The chart file structure"). */
const CHART = 'Chart.yaml';
/** The names that Kustomize looks for and that end as manifests do (kustomize, api/konfig). */
const KUSTOMIZATION = /(^|\/)(kustomization\.ya?ml|Kustomization)$/;

/** The folders of charts that are not inside another, each with its slash; the repository itself is the empty text. */
function chartFolders(files: readonly TreeFile[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const { path } of files) {
    if ((path === CHART || path.endsWith(`/${CHART}`)) && !isHidden(path) && !refusePath(path))
      folders.add(path.slice(0, -CHART.length));
  }
  return new Set([...folders].filter((folder) => folder === '' || !isInside(folder.slice(0, -1), folders)));
}

/** Whether a path is below one of the folders. */
function isInside(path: string, folders: ReadonlySet<string>): boolean {
  if (folders.has('')) return true;
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
    if (folders.has(path.slice(0, slash + 1))) return true;
  return false;
}

/**
 * The diagnostic for a file over {@link MAX_FILE_BYTES}; `bytes` is its size where it is known. A `.json` file of that
 * size is hardly a manifest: it is only warned of.
 */
export function fileTooLarge(path: string, bytes?: number): Diagnostic {
  const size = bytes === undefined ? '' : ` of ${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  if (/\.json$/i.test(path)) {
    return {
      ...wholeFile(
        'FileTooLarge',
        path,
        `is a file${size}; it was not read`,
        `if it holds manifests, split it: at most ${MAX_FILE_BYTES / 1024 / 1024} MiB`,
      ),
      severity: 'warning',
    };
  }
  return wholeFile(
    'FileTooLarge',
    path,
    `is a file${size}; manifests may have at most ${MAX_FILE_BYTES / 1024 / 1024} MiB`,
    'split it, or keep data out of manifests',
  );
}

function refusePath(path: string): Diagnostic | undefined {
  const shown = path.replace(/[\u0000-\u001f\u007f]/g, '?');
  if (CONTROL.test(path))
    return wholeFile('PathRefused', shown, 'has a control character in its name', 'rename the file');
  const outside =
    path === '' ||
    path.startsWith('/') ||
    path.includes('\\') ||
    path.split('/').some((part) => part === '..' || part === '.' || part === '');
  return outside
    ? wholeFile('PathRefused', shown, 'is not a plain path inside the repository', 'rename the file')
    : undefined;
}

function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.'));
}

function wholeFile(code: DiagnosticCode, file: string, what: string, hint: string): Diagnostic {
  return { severity: 'error', code, file, line: 1, column: 1, message: `${file} ${what}`, hint };
}
