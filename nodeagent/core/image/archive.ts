/**
 * Container images as one tar file, in the form `docker save` writes.
 * Source: https://github.com/moby/docker-image-spec (image tarball).
 */
import { createHash } from 'node:crypto';
import { tar, type TarEntry } from '../../../contracts/tar.ts';

export interface ImageSource {
  /** `name:tag`. */
  readonly name: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly files: readonly TarEntry[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly string[];
}

/** An image of one layer; equal sources give equal bytes. */
export function imageArchive(source: ImageSource): Buffer {
  const layer = tar(source.files);
  const config = Buffer.from(
    JSON.stringify({
      architecture: source.architecture,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: {
        Env: source.env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        Entrypoint: source.entrypoint ?? null,
        Cmd: source.command ?? null,
        WorkingDir: '/',
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
      history: [{ created: '1970-01-01T00:00:00Z' }],
    }),
  );
  const configName = `${sha256(config)}.json`;
  const manifest = Buffer.from(
    JSON.stringify([{ Config: configName, RepoTags: [source.name], Layers: ['layer.tar'] }]),
  );
  const file = (path: string, content: Buffer): TarEntry => ({ type: 'file', path, mode: 0o644, content });
  return tar([file(configName, config), file('layer.tar', layer), file('manifest.json', manifest)]);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
