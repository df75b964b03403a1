/** Paths in a repository: `/` between parts, no part is `.`, `..` or empty. The root is the empty text. */

/**
 * Where `relative` leads to from `folder`; undefined where it leaves the repository, is absolute, or has a backslash or
 * a control character.
 */
export function resolvePath(folder: string, relative: string): string | undefined {
  if (relative === '' || relative.startsWith('/') || /[\\\u0000-\u001f\u007f]/.test(relative)) return undefined;
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of relative.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** The folder that a file or folder is in; the root is in itself. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Whether `path` is `folder` or below it. */
export function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}
