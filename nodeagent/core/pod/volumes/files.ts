/** Which entries of an object become which files of a volume. */
import { readKey } from '../../../../contracts/objects/own-key.ts';
import type { Pod } from '../../../../contracts/objects/pod.ts';
import { CONFIG_HASH } from '../../../../contracts/objects/well-known.ts';
import type { Resolved } from '../resolved.ts';
import type { VolumeFile, VolumeMount } from './source.ts';

export interface Entries {
  readonly defaultMode: number;
  readonly optional: boolean;
  readonly items?:
    readonly { readonly key: string; readonly path: string; readonly mode?: number | undefined }[] | undefined;
}

/** The entries at the paths that the volume gives them; all of them, by their keys, where it names none. */
export function placedEntries(contents: ReadonlyMap<string, Buffer>, from: Entries): Resolved<readonly VolumeFile[]> {
  if (!from.items)
    return { ok: true, value: [...contents].map(([path, content]) => ({ path, content, mode: from.defaultMode })) };
  const files: VolumeFile[] = [];
  for (const item of from.items) {
    const content = contents.get(item.key);
    if (!content && from.optional) continue;
    if (!content) return { ok: false, message: `references non-existent config key: ${item.key}` };
    files.push({ path: item.path, content, mode: item.mode ?? from.defaultMode });
  }
  return { ok: true, value: files };
}

/**
 * Files of config: they follow it, but in a pod whose template has a hash of it. There other config is for other pods,
 * made one after another as the ones before them are well.
 */
export function configFiles(files: Resolved<readonly VolumeFile[]>, pod: Pod): Resolved<VolumeMount> {
  const mounted = mountedFiles(files);
  const isKept = readKey(pod.metadata.annotations, CONFIG_HASH) !== undefined;
  return mounted.ok && mounted.value.kind === 'files' && isKept
    ? { ok: true, value: { ...mounted.value, keeps: true } }
    : mounted;
}

/**
 * The files at their paths in short form; of two at one path the later. Refused are paths that leave the volume, that
 * are the volume itself, that begin with `..` (there it keeps its versions), and files in files. Source: Kubernetes
 * pkg/volume/util/atomic_writer.go, validatePath.
 */
export function mountedFiles(files: Resolved<readonly VolumeFile[]>): Resolved<VolumeMount> {
  if (!files.ok) return files;
  const byPath = new Map<string, VolumeFile>();
  for (const file of files.value) {
    const steps = file.path.split('/').filter((step) => step !== '' && step !== '.');
    if (file.path.startsWith('/') || steps.includes('..'))
      return { ok: false, message: `path ${file.path} leaves the volume` };
    if (steps[0] === undefined || steps[0].startsWith('..'))
      return { ok: false, message: `path ${file.path} is no name for a file of a volume` };
    const path = steps.join('/');
    byPath.set(path, { ...file, path });
  }
  for (const path of byPath.keys()) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      if (byPath.has(path.slice(0, end)))
        return { ok: false, message: `path ${path} is in ${path.slice(0, end)}, which is a file` };
    }
  }
  return { ok: true, value: { kind: 'files', files: [...byPath.values()] } };
}
