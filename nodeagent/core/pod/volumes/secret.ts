/** The entries of a Secret as files, which follow it and never leave memory. */
import { placedFiles } from './files.ts';
import type { VolumeSource } from './source.ts';

export const SECRET: VolumeSource<'secret'> = {
  place: () => ({ medium: 'memory' }),
  readOnly: true,
  mayFail: true,
  mount(source, objects) {
    const secret = objects.secret(source.secretName);
    if (!secret && !source.optional) return { ok: false, message: `secret "${source.secretName}" not found` };
    const contents = new Map(
      Object.entries(secret?.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, 'base64')]),
    );
    const files = placedFiles(contents, source);
    return files.ok ? { ok: true, value: { kind: 'files', files: files.value } } : files;
  },
};
