/** A revision with Apps, rendered by the real engines. */
import { createHash } from 'node:crypto';
import type { Engines } from '../../../reconciler/adapters/engines/index.ts';
import { formatDiagnostic, ManifestCache, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import type { AppRendering } from '../../../reconciler/core/apps/one-app.ts';
import type { OpenEnvelope } from '../../../reconciler/core/revisions/parse-sealed.ts';
import { renderFiles } from '../../../reconciler/core/revisions/render.ts';

/** By path. */
export type Files = Readonly<Record<string, string>>;

export const app = (name: string, spec: object): string =>
  `${JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind: 'App', metadata: { name }, spec })}\n`;
export const configMap = (name: string, data: Readonly<Record<string, string>> = {}): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata: ${JSON.stringify(data)}\n`;
export const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`;

export interface Rendered extends Rendering {
  /** Each as `plumb check` tells it. */
  readonly told: readonly string[];
  readonly apps: readonly AppRendering[];
}

export async function render(
  files: Files,
  engines: Engines,
  signal = new AbortController().signal,
  open?: OpenEnvelope,
): Promise<Rendered> {
  const bytes = (text = ''): Uint8Array => new TextEncoder().encode(text);
  const tree = Object.keys(files)
    .sort()
    .map((path) => ({ path, mode: '100644', oid: createHash('sha1').update(bytes(files[path])).digest('hex') }));
  const apps: AppRendering[] = [];
  const rendering = await renderFiles(tree, ({ path }) => Promise.resolve(bytes(files[path])), new ManifestCache(), {
    tools: engines.tools(signal),
    onApp: (one) => apps.push(one),
    ...(open && { open }),
  });
  return { ...rendering, told: rendering.diagnostics.map(formatDiagnostic), apps };
}
