/**
 * Container images as the registry takes them: layers, a configuration, a manifest. Pure. Source: OCI Image Format
 * Specification 1.0.
 */
import { createHash } from 'node:crypto';
import { tar, type TarEntry } from '../../contracts/tar.ts';

export interface ImageRecipe {
  /** `REPOSITORY:TAG`, without the registry. */
  readonly name: string;
  /** One layer each, lowest first. */
  readonly layers: readonly (readonly TarEntry[])[];
  readonly env?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly exposedPorts?: readonly number[];
}

export interface Blob {
  readonly mediaType: string;
  /** `sha256:HEX`. */
  readonly digest: string;
  readonly content: Buffer;
}

export interface Image {
  readonly repository: string;
  readonly tag: string;
  /** Layers and configuration: what the registry must have before it takes the manifest. */
  readonly blobs: readonly Blob[];
  readonly manifest: Blob;
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Builds the image; equal recipes give equal digests. `architecture` in Go's words (`amd64`, `arm64`). */
export function buildImage(recipe: ImageRecipe, architecture: string): Image {
  const [repository, tag] = recipe.name.split(':');
  if (!repository || !tag) throw new RangeError(`an image's name is REPOSITORY:TAG, not ${recipe.name}`);
  const layers = recipe.layers.map((entries) => blob(LAYER, tar(entries)));
  const config = blob(
    CONFIG,
    json({
      created: '1970-01-01T00:00:00Z',
      architecture,
      os: 'linux',
      config: {
        Env: [
          'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          ...Object.entries(recipe.env ?? {}).map(([name, value]) => `${name}=${value}`),
        ],
        ...(recipe.entrypoint && { Entrypoint: recipe.entrypoint }),
        ...(recipe.cmd && { Cmd: recipe.cmd }),
        ...(recipe.exposedPorts && {
          ExposedPorts: Object.fromEntries(recipe.exposedPorts.map((port) => [`${port}/tcp`, {}])),
        }),
        WorkingDir: '/',
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
      history: layers.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'plumb lab' })),
    }),
  );
  const manifest = blob(
    MANIFEST,
    json({ schemaVersion: 2, mediaType: MANIFEST, config: descriptor(config), layers: layers.map(descriptor) }),
  );
  return { repository, tag, blobs: [...layers, config], manifest };
}

function blob(mediaType: string, content: Buffer): Blob {
  return { mediaType, content, digest: `sha256:${createHash('sha256').update(content).digest('hex')}` };
}

function descriptor(of: Blob): { mediaType: string; digest: string; size: number } {
  return { mediaType: of.mediaType, digest: of.digest, size: of.content.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
