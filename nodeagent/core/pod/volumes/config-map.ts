/** The entries of a ConfigMap as files, which follow it. */
import { placedFiles } from './files.ts';
import type { VolumeSource } from './source.ts';

export const CONFIG_MAP: VolumeSource<'configMap'> = {
  place: () => ({ medium: 'disk' }),
  readOnly: true,
  mayFail: true,
  mount(source, objects) {
    const map = objects.configMap(source.name);
    if (!map && !source.optional) return { ok: false, message: `configmap "${source.name}" not found` };
    const contents = new Map<string, Buffer>();
    for (const [key, text] of Object.entries(map?.data ?? {})) contents.set(key, Buffer.from(text, 'utf8'));
    for (const [key, base64] of Object.entries(map?.binaryData ?? {})) contents.set(key, Buffer.from(base64, 'base64'));
    const files = placedFiles(contents, source);
    return files.ok ? { ok: true, value: { kind: 'files', files: files.value } } : files;
  },
};
