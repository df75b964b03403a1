/** What a tree has, asked for many times: its folders, and the Namespaces that it makes. */
import { folderOf } from './names.ts';

/** Every folder that has one of the files, at any depth; the root is the empty text. */
export function foldersWith(paths: Iterable<string>): ReadonlySet<string> {
  const folders = new Set<string>(['']);
  for (const path of paths)
    for (let folder = folderOf(path); !folders.has(folder); folder = folderOf(folder)) folders.add(folder);
  return folders;
}

/** Names of Namespaces that files have as manifests. */
export function namespacesIn(texts: Iterable<string>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const text of texts) {
    if (!/^kind:\s*["']?Namespace["']?\s*$/m.test(text)) continue;
    for (const document of text.split(/^---(?=\s|$)/m)) {
      if (!/^kind:\s*["']?Namespace["']?\s*$/m.test(document)) continue;
      const name =
        /^ {1,8}name:\s*["']?([\w.-]+)["']?\s*$/m.exec(document)?.[1] ?? /\bname:\s*["']?([\w.-]+)/.exec(document)?.[1];
      if (name !== undefined) names.add(name);
    }
  }
  return names;
}

/** Namespaces that a tree makes: in files that no kustomization reads, and in what the folders of Apps lead to. */
export function madeNamespaces(
  kept: ReadonlyMap<string, string>,
  paths: readonly string[],
  reach: (folder: string) => { readonly namespaces: ReadonlySet<string> },
): ReadonlySet<string> {
  const kustomizations = new Set(
    [...kept.keys()]
      .filter((path) => /(?:^|\/)(?:kustomization\.ya?ml|Kustomization|Chart\.yaml)$/.test(path))
      .map(folderOf),
  );
  const isLoose = (path: string): boolean => {
    for (let folder = folderOf(path); ; folder = folderOf(folder)) {
      if (kustomizations.has(folder)) return false;
      if (folder === '') return /\.ya?ml$/i.test(path);
    }
  };
  const loose = namespacesIn([...kept].flatMap(([path, text]) => (isLoose(path) ? [text] : [])));
  return new Set([...loose, ...paths.flatMap((path) => [...reach(path).namespaces])]);
}
