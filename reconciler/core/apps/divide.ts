/** Which files of a revision with Apps are plain manifests, and which are the Apps'. */
import { isKeyOf } from '../../../contracts/objects/index.ts';
import type { DiagnosticCode } from '../manifests/codes.ts';
import type { SelectedFiles, SourceFolder, TreeFile } from '../manifests/select-files.ts';
import type { DesiredObject, Diagnostic, ParsedFile, Position } from '../manifests/types.ts';
import type { Expansion } from './expand-sets.ts';
import type { AppRendering, DesiredApp } from './one-app.ts';
import type { DesiredSet } from './set-elements.ts';

/** Asks of a path whether it is in one of many folders, in time that grows with its depth alone. */
export class Folders {
  readonly #folders: ReadonlySet<string>;

  constructor(folders: Iterable<string>) {
    this.#folders = new Set(folders);
  }

  /** The innermost one that has the path, or is it. */
  around(path: string): string | undefined {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      if (this.#folders.has(at)) return at;
      if (at === '') return undefined;
    }
  }
}

export function outside(files: readonly TreeFile[], folders: Folders): readonly TreeFile[] {
  return files.filter(({ path }) => folders.around(path) === undefined);
}

/** The Apps that are written in these files. */
export function findApps(parsed: readonly ParsedFile[]): readonly DesiredApp[] {
  return parsed.flatMap(({ objects }) =>
    objects.flatMap((desired) => (desired.object.kind === 'App' ? [{ desired, app: desired.object }] : [])),
  );
}

/** The AppSets that are written in these files. */
export function findSets(parsed: readonly ParsedFile[]): readonly DesiredSet[] {
  return parsed.flatMap(({ objects }) =>
    objects.flatMap((desired) => (desired.object.kind === 'AppSet' ? [{ desired, set: desired.object }] : [])),
  );
}

/** Whether the file has an App or an AppSet that is not right: what it would have read is not known. */
export function refusedAnApp({ refused = [] }: ParsedFile): boolean {
  return refused.some((key) => isKeyOf(key, 'App') || isKeyOf(key, 'AppSet'));
}

export interface Division {
  /** Files whose objects are what they say. */
  readonly plain: readonly TreeFile[];
  /** Those that are rendered; without any in the folder of another one. */
  readonly apps: readonly DesiredApp[];
  /** Submodules that are nobody's but the repository's: nothing in them is plain beside Apps. */
  readonly submodules: readonly TreeFile[];
  /** About files that are nobody's but the repository's. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The Apps of a commit, and what they come from. */
export interface FoundApps {
  readonly written: readonly DesiredApp[];
  readonly sets: readonly DesiredSet[];
  readonly expansion: Pick<Expansion, 'apps' | 'data'>;
}

/**
 * Plain is what is in no App's folder, in no folder that an engine reads, no file of values, and no file that an AppSet
 * reads. `loose`: the manifests that no engine's folder has.
 */
export function divide(
  selected: SelectedFiles,
  loose: readonly TreeFile[],
  { written, sets, expansion }: FoundApps,
): Division {
  const found = [...written, ...expansion.apps];
  const byFolder = new Map(
    found.flatMap(({ app }) => (app.spec.path === undefined || app.spec.source ? [] : [[app.spec.path, app]])),
  );
  const folders = new Folders(byFolder.keys());
  const engines = new Folders(selected.sources.map(({ folder }) => folder));
  const values = new Set(found.flatMap(({ app }) => (app.spec.source ? [] : (app.spec.helm?.valuesFiles ?? []))));
  const apps: DesiredApp[] = [];
  const nested: Diagnostic[] = [];
  const folderAround = ({ position }: DesiredObject): string | undefined => folders.around(position.file);
  for (const each of found) if (folderAround(each.desired) === undefined) apps.push(each);
  for (const { desired } of [...written, ...sets]) {
    const folder = folderAround(desired);
    if (folder === undefined) continue;
    const { kind, metadata } = desired.object;
    nested.push(
      problem(
        'error',
        'NestedApp',
        desired.position,
        `${kind} ${metadata.name} lies in ${folder}, the folder of App ${byFolder.get(folder)?.metadata.name ?? ''}`,
        `keep ${kind}s outside of the folders that Apps render`,
      ),
    );
  }
  const isPlain = (path: string): boolean =>
    folders.around(path) === undefined && !values.has(path) && !expansion.data.has(path);
  const isLoose = (path: string): boolean => isPlain(path) && engines.around(path) === undefined;
  return {
    plain: loose.filter(({ path }) => isPlain(path)),
    submodules: selected.submodules.filter(({ path }) => isLoose(path)),
    apps,
    diagnostics: [
      ...nested,
      ...selected.diagnostics.filter(({ code, file }) => code !== 'NeedsRendering' && isLoose(file)),
    ],
  };
}

/** Apps and AppSets that an App made: nobody renders them. */
export function madeApps(rendered: readonly ParsedFile[]): readonly Diagnostic[] {
  return rendered
    .flatMap(({ objects }) => objects)
    .flatMap(({ object, position, app = '' }: DesiredObject) =>
      object.kind === 'App' || object.kind === 'AppSet'
        ? [
            problem(
              'error',
              'NestedApp',
              position,
              `App ${app} makes the ${object.kind} ${object.metadata.name}, which is not rendered in turn`,
              `write each ${object.kind} as plain YAML`,
            ),
          ]
        : [],
    );
}

/** Submodules of which no App reads anything: what is in them is not looked at. */
export function notOpened(submodules: readonly TreeFile[]): readonly Diagnostic[] {
  return submodules
    .slice(0, MAX_TOLD)
    .map(({ path }) =>
      problem(
        'warning',
        'NotRendered',
        { file: path, line: 1, column: 1 },
        'no App reads anything of this submodule, so nothing of it is applied',
        `write an App with spec.path: ${path}, or remove it`,
      ),
    );
}

/** Folders that are told of; a repository with more has one line for the others. */
const MAX_TOLD = 100;

/** Kustomizations and charts that no App reads: they are left out, which nobody may have meant. */
export function notRendered(
  sources: readonly SourceFolder[],
  renderings: readonly AppRendering[],
): readonly Diagnostic[] {
  const own = renderings.filter(({ used }) => !used);
  const read = new Set(own.flatMap(({ files }) => files.map(({ path }) => path)));
  const unread = sources.filter(({ file }) => !read.has(file));
  return unread.slice(0, MAX_TOLD).map(({ file, folder, engine }, i) => {
    const others = i === MAX_TOLD - 1 ? unread.length - MAX_TOLD : 0;
    return problem(
      'warning',
      'NotRendered',
      { file, line: 1, column: 1 },
      `no App reads this folder for ${engine}, so nothing of it is applied${others > 0 ? `; so are ${others} more` : ''}`,
      `write an App with spec.path: ${folder === '' ? 'a folder that it is moved to' : folder}, or remove it`,
    );
  });
}

function problem(
  severity: Diagnostic['severity'],
  code: DiagnosticCode,
  { file, line, column, rendered }: Position,
  message: string,
  hint: string,
): Diagnostic {
  return { severity, code, file, line, column, message, hint, ...(rendered && { rendered }) };
}
