/** The entries of a Secret as files, which follow it and never leave memory. */
import type { PodObjects } from '../objects.ts';
import type { Resolved } from '../resolved.ts';
import { configFiles, placedEntries, type Entries } from './files.ts';
import type { VolumeFile, VolumeSource } from './source.ts';

/** The files of a Secret, in a volume of its own and in a projected one. */
export function secretFiles(name: string, entries: Entries, objects: PodObjects): Resolved<readonly VolumeFile[]> {
  const secret = objects.secret(name);
  if (!secret && !entries.optional) return { ok: false, message: `secret "${name}" not found` };
  const contents = Object.entries(secret?.data ?? {}).map(
    ([key, base64]) => [key, Buffer.from(base64, 'base64')] as const,
  );
  return placedEntries(new Map(contents), entries);
}

export const SECRET: VolumeSource<'secret'> = {
  place: () => ({ medium: 'memory' }),
  readOnly: true,
  mayFail: true,
  mount: (source, { objects, pod }) => configFiles(secretFiles(source.secretName, source, objects), pod),
};
