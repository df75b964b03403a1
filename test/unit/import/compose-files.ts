/** Compose files of tests, and what is found in what came of them. */
import { parseAllDocuments } from 'yaml';
import { importCompose, type ComposeOptions, type Imported } from '../../../reconciler/core/import/index.ts';
import { isObject } from '../../../reconciler/core/fields/json.ts';
import { valueAt, type FieldPath } from '../../../reconciler/core/manifests/yaml-tree.ts';
import { treeOf } from './trees.ts';

type Object_ = Readonly<Record<string, unknown>>;

export function imported(
  files: string | Readonly<Record<string, string>>,
  options: Partial<ComposeOptions> = {},
): Imported {
  const tree = typeof files === 'string' ? { 'compose.yaml': files } : files;
  return importCompose(treeOf(tree), { name: 'demo', ...options });
}

export function objectsOf({ files }: Imported): Object_[] {
  return files.flatMap(({ text }) =>
    parseAllDocuments(text, { version: '1.1' }).flatMap((document): Object_[] => {
      const value: unknown = document.toJS();
      return isObject(value) ? [value] : [];
    }),
  );
}

export function find(result: Imported, kind: string, name: string): Object_ | undefined {
  return objectsOf(result).find((o) => o['kind'] === kind && valueAt(o, ['metadata', 'name']) === name);
}

export const POD = ['spec', 'template', 'spec'] as const;
export const CONTAINER: FieldPath = [...POD, 'containers', 0];

/** A service `web` with these lines. */
export function web(...lines: readonly string[]): string {
  return ['services:', '  web:', '    image: nginx:1.27', ...lines.map((line) => `    ${line}`), ''].join('\n');
}
