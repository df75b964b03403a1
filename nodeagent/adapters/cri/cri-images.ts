/** Images through the Container Runtime Interface. */
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { pauseImage } from '../../core/image/pause.ts';
import { int, messages, text, type Decoded, type MessageTable } from '../../core/wire/protobuf.ts';
import { RuntimeError } from '../../ports/container-runtime.ts';
import type { ImageInfo, ImageStore } from '../../ports/image-store.ts';
import { LIST_BYTES, type GrpcClient, type GrpcMethod } from './grpc.ts';
import * as m from './messages.ts';
import { CRI_NAMESPACE } from './task-messages.ts';

const QUICK_MS = 30_000;
const IMPORT_MS = 60_000;
/** The CRI plugin learns of an imported image through an event of its own. */
const SEEN_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 25;

function method<Req extends MessageTable, Res extends MessageTable>(
  name: string,
  request: Req,
  response: Res,
): GrpcMethod<Req, Res> {
  return { path: `/runtime.v1.ImageService/${name}`, request, response };
}
const RPC = {
  list: { ...method('ListImages', m.Empty, m.ListImagesResponse), maxBytes: LIST_BYTES },
  status: method('ImageStatus', m.ImageRequest, m.ImageStatusResponse),
  pull: method('PullImage', m.PullImageRequest, m.PullImageResponse),
  remove: method('RemoveImage', m.ImageRequest, m.Empty),
  // CRI does not tell how far a pull is. Source: github.com/containerd/containerd api/services/content/v1/content.proto.
  downloads: {
    path: '/containerd.services.content.v1.Content/ListStatuses',
    request: m.Empty,
    response: { statuses: messages(1, { ref: text(3), offset: int(4), total: int(5) }) },
    metadata: [['containerd-namespace', CRI_NAMESPACE]],
    maxBytes: LIST_BYTES,
  },
} as const;

/**
 * `containerdSocket` is for imports, which CRI has no call for; `folder`, which is there and nobody else writes to, for
 * the archive that is imported.
 */
export function criImages(client: GrpcClient, containerdSocket: string, folder: string): ImageStore {
  async function find(image: string, signal: AbortSignal): Promise<ImageInfo | undefined> {
    const answer = await client.unary(RPC.status, { image: { image } }, { signal, timeoutMs: QUICK_MS });
    return answer.image && infoOf(answer.image);
  }

  return {
    find,
    async list(signal) {
      return (await client.unary(RPC.list, {}, { signal, timeoutMs: QUICK_MS })).images.map(infoOf);
    },
    async pull(image, login, signal) {
      return (await client.unary(RPC.pull, { image: { image }, auth: login?.reveal() }, { signal })).imageRef;
    },
    async downloads(signal) {
      const { statuses } = await client.unary(RPC.downloads, {}, { signal, timeoutMs: QUICK_MS });
      return statuses.map(({ ref, offset, total }) => ({ ref, received: offset, total }));
    },
    async remove(image, signal) {
      await client.unary(RPC.remove, { image: { image } }, { signal, timeoutMs: QUICK_MS });
    },
    async ensureSandboxImage(image, signal) {
      if (await find(image, signal)) return;
      const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
      // One name: what an agent that was killed has left there is written over by the next.
      const file = join(folder, 'pause.tar');
      try {
        await writeFile(file, pauseImage(image, architecture));
        await importImage(containerdSocket, file, signal);
      } finally {
        await rm(file, { force: true });
      }
      for (const until = performance.now() + SEEN_WITHIN_MS; ;) {
        if (await find(image, signal)) return;
        if (performance.now() > until)
          throw new RuntimeError('Other', `sandbox image ${image} was imported but the runtime does not list it`);
        await delay(LOOK_AGAIN_MS, undefined, { signal });
      }
    },
  };
}

async function importImage(socket: string, file: string, signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', file], {
      signal,
      timeout: IMPORT_MS,
    });
  } catch (cause) {
    const detail = (cause as { stderr?: string }).stderr?.trim();
    throw new RuntimeError(
      'Other',
      `cannot import the sandbox image with ctr: ${detail !== undefined && detail !== '' ? detail : String(cause)}`,
      { cause },
    );
  }
}

type ImageMessage = NonNullable<Decoded<typeof m.ImageStatusResponse>['image']>;

function infoOf(image: ImageMessage): ImageInfo {
  return {
    id: image.id,
    tags: image.repoTags,
    digests: image.repoDigests,
    sizeBytes: image.size,
    uid: image.uid?.value,
    username: image.username,
  };
}
