/**
 * Container images as one tar file, in the form `docker save` writes.
 * Sources: POSIX.1-1988 ustar; https://github.com/moby/docker-image-spec (image tarball).
 */
import { createHash } from 'node:crypto';

export interface ArchiveFile {
  /** Relative, `/` separated; a folder's ends in `/`. */
  readonly path: string;
  readonly content?: Buffer;
  /** Target, where it is a symbolic link. */
  readonly link?: string;
  readonly mode?: number;
}

const BLOCK = 512;

/** A ustar archive; every file is owned by root and dated 1970. Paths are at most 100 bytes. */
export function tarArchive(files: readonly ArchiveFile[]): Buffer {
  const parts: Buffer[] = [];
  for (const file of files) {
    const content = file.content ?? Buffer.alloc(0);
    parts.push(tarHeader(file, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function tarHeader(file: ArchiveFile, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const folder = file.path.endsWith('/');
  const octal = (value: number, at: number, width: number): void => {
    header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  if (Buffer.byteLength(file.path) > 100) throw new RangeError(`path too long for a tar archive: ${file.path}`);
  header.write(file.path, 0, 'utf8');
  octal(file.mode ?? (folder ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.fill(' ', 148, 156);
  header.write(file.link !== undefined ? '2' : folder ? '5' : '0', 156, 'latin1');
  if (file.link !== undefined) header.write(file.link, 157, 'utf8');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

export interface ImageSource {
  /** `name:tag`. */
  readonly name: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly files: readonly ArchiveFile[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly string[];
}

/** An image of one layer; equal sources give equal bytes. */
export function imageArchive(source: ImageSource): Buffer {
  const layer = tarArchive(source.files);
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
  return tarArchive([
    { path: configName, content: config },
    { path: 'layer.tar', content: layer },
    { path: 'manifest.json', content: manifest },
  ]);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
