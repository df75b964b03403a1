/** A registry of images, as far as a container runtime asks: a folder that a process serves on a host. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tar } from '../../../contracts/tar.ts';

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/**
 * Serves a folder as a registry: `GET /v2/NAME/manifests/TAG` and `/blobs/DIGEST`. Arguments: the folder, the base64 of
 * NAME:PASSWORD that it asks for, its port, and bytes a second of a blob where it is to be slow.
 */
export const SERVE = `
const { createServer } = require('node:http'), { readFileSync } = require('node:fs'), { join } = require('node:path');
createServer((request, response) => {
  if (process.argv[2] && request.headers.authorization !== 'Basic ' + process.argv[2]) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' });
    return response.end();
  }
  const [, kind, name] = /^\\/v2\\/app\\/(manifests|blobs)\\/([^/]+)$/.exec(request.url) ?? [];
  let body;
  try { body = kind ? readFileSync(join(process.argv[1], name)) : Buffer.from('{}'); } catch { response.statusCode = 404; return response.end(); }
  response.writeHead(200, { 'content-type': kind === 'manifests' ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream', 'content-length': body.length });
  const each = Number(process.argv[4] ?? 0) / 10;
  if (request.method === 'HEAD' || each === 0 || body.length < each) return response.end(request.method === 'HEAD' ? undefined : body);
  const beat = setInterval(() => {
    response.write(body.subarray(0, each));
    body = body.subarray(each);
    if (body.length === 0) response.end(), clearInterval(beat);
  }, 100);
  response.on('close', () => clearInterval(beat));
}).listen(Number(process.argv[3] ?? 5000), '127.0.0.1', () => console.log('ready'));
`;

/** An image of one layer with `size` bytes; answers its digest. */
export async function offer(folder: string, tag: string, size: number): Promise<string> {
  const layer = tar([{ type: 'file', path: 'data', mode: 0o644, content: Buffer.alloc(size, tag) }]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    }),
  );
  const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: sha256(bytes), size: bytes.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  for (const [name, bytes] of [
    [tag, manifest],
    [sha256(manifest), manifest],
    [sha256(config), config],
    [sha256(layer), layer],
  ] as const)
    await writeFile(join(folder, name), bytes);
  return sha256(manifest);
}
