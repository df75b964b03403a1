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
}

const SYMLINK = '120000';
const SUBMODULE = '160000';
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Manifests are `*.yaml` and `*.yml` outside hidden files and folders (a name that starts with a dot). Symlinks, submodules and paths
 * that could leave the repository are errors, wherever a manifest could be: what they name would otherwise be left out in silence.
 */
export function selectManifestFiles<F extends TreeFile>(files: readonly F[]): SelectedFiles<F> {
  const manifests: F[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const file of files) {
    const refused = refusePath(file.path);
    if (refused) diagnostics.push(refused);
    else if (isHidden(file.path)) continue;
    else if (file.mode === SYMLINK) {
      diagnostics.push(wholeFile('SymlinkRefused', file.path, 'is a symbolic link; links are not followed', 'commit the file itself'));
    } else if (file.mode === SUBMODULE) {
      diagnostics.push(wholeFile('SubmoduleRefused', file.path, 'is a Git submodule; submodules are not read', 'commit the manifests themselves'));
    } else if (/\.ya?ml$/i.test(file.path)) manifests.push(file);
  }
  return { manifests, diagnostics };
}

/** The diagnostic for a file over {@link MAX_FILE_BYTES}; `bytes` is its size where it is known. */
export function fileTooLarge(path: string, bytes?: number): Diagnostic {
  const size = bytes === undefined ? '' : ` of ${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  return wholeFile('FileTooLarge', path, `is a file${size}; manifests may have at most ${MAX_FILE_BYTES / 1024 / 1024} MiB`, 'split it, or keep data out of manifests');
}

function refusePath(path: string): Diagnostic | undefined {
  const shown = path.replace(/[\u0000-\u001f\u007f]/g, '?');
  if (CONTROL.test(path)) return wholeFile('PathRefused', shown, 'has a control character in its name', 'rename the file');
  const outside = path === '' || path.startsWith('/') || path.includes('\\') || path.split('/').some((part) => part === '..' || part === '.' || part === '');
  return outside ? wholeFile('PathRefused', shown, 'is not a plain path inside the repository', 'rename the file') : undefined;
}

function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.'));
}

function wholeFile(code: DiagnosticCode, file: string, what: string, hint: string): Diagnostic {
  return { severity: 'error', code, file, line: 1, column: 1, message: `${file} ${what}`, hint };
}
