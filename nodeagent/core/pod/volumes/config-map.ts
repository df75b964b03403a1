/** The entries of a ConfigMap as files, which follow it. */
import type { PodObjects } from '../objects.ts';
import type { Resolved } from '../resolved.ts';
import { configFiles, placedEntries, type Entries } from './files.ts';
import type { VolumeFile, VolumeSource } from './source.ts';

/** The files of a ConfigMap, in a volume of its own and in a projected one. */
export function configMapFiles(name: string, entries: Entries, objects: PodObjects): Resolved<readonly VolumeFile[]> {
  const map = objects.configMap(name);
  if (!map && !entries.optional) return { ok: false, message: `configmap "${name}" not found` };
  const contents = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(map?.data ?? {})) contents.set(key, Buffer.from(text, 'utf8'));
  for (const [key, base64] of Object.entries(map?.binaryData ?? {})) contents.set(key, Buffer.from(base64, 'base64'));
  return placedEntries(contents, entries);
}

export const CONFIG_MAP: VolumeSource<'configMap'> = {
  place: () => ({ medium: 'disk' }),
  readOnly: true,
  mayFail: true,
  mount: (source, { objects, pod }) => configFiles(configMapFiles(source.name, source, objects), pod),
};
