/** A commit with AppSets, expanded as for a render. */
import { createHash } from 'node:crypto';
import type { App } from '../../../contracts/objects/index.ts';
import type { AppSources } from '../../../reconciler/core/apps/other-sources.ts';
import { formatDiagnostic, ManifestCache, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import { renderFiles } from '../../../reconciler/core/revisions/render.ts';

/** By path; the contents, or a mode of Git and what stands there. */
export type Tree = Readonly<Record<string, string | { readonly mode: string }>>;

export interface Expanded extends Rendering {
  /** Each as `plumb check` tells it. */
  readonly told: readonly string[];
  readonly apps: readonly App[];
  /** Paths of what was read. */
  readonly reads: readonly string[];
}

export async function expanded(tree: Tree, cache = new ManifestCache(), sources?: AppSources): Promise<Expanded> {
  const reads: string[] = [];
  const files = Object.entries(tree).map(([path, contents]) => ({
    path,
    mode: typeof contents === 'string' ? '100644' : contents.mode,
    oid: createHash('sha1').update(JSON.stringify(contents)).digest('hex'),
  }));
  const rendering = await renderFiles(
    files,
    ({ path }) => {
      reads.push(path);
      const contents = tree[path];
      return Promise.resolve(Buffer.from(typeof contents === 'string' ? contents : ''));
    },
    cache,
    sources && { sources },
  );
  const apps = [...rendering.state.values()].flatMap(({ object }) => (object.kind === 'App' ? [object] : []));
  apps.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return { ...rendering, told: rendering.diagnostics.map(formatDiagnostic), apps, reads };
}

export const appSet = (generators: readonly object[], template: object = TEMPLATE, name = 'sites'): string =>
  `${JSON.stringify({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'AppSet',
    metadata: { name },
    spec: { generators, template },
  })}\n`;
export const TEMPLATE = { metadata: { name: 'site-${name}' }, spec: { path: 'sites/${name}' } };
/** A folder of an App. */
export const site = (...names: readonly string[]): Tree =>
  Object.fromEntries(names.map((name) => [`sites/${name}/map.yaml`, configMap(name)]));
export const configMap = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`;
