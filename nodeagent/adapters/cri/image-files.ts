/**
 * Files of images as read-only snapshots of containerd: CRI mounts images by itself since 2.1 only. An image's top layer
 * is known by the chain id that CRI tells of it. A view has a label that keeps containerd from collecting it. Source:
 * github.com/containerd/containerd api/services/snapshots/v1/snapshots.proto, docs/garbage-collection.md.
 */
import { messages, text, textMap, texts, type MessageTable } from '../../core/wire/protobuf.ts';
import { RuntimeError } from '../../ports/container-runtime.ts';
import type { ImageFiles } from '../../ports/image-files.ts';
import { LIST_BYTES, type GrpcClient, type GrpcMethod } from './grpc.ts';
import * as m from './messages.ts';
import { CRI_NAMESPACE } from './task-messages.ts';

const QUICK_MS = 30_000;
const OF_POD = 'plumbline.dev/image-volume-of';
const KEPT = 'containerd.io/gc.root';
const DEFAULT_SNAPSHOTTER = 'overlayfs';

const Mounts = { mounts: messages(1, { type: text(1), source: text(2), options: texts(4) }) };
const Snapshot = { snapshotter: text(1), key: text(2) };

function snapshots<Req extends MessageTable, Res extends MessageTable>(
  name: string,
  request: Req,
  response: Res,
): GrpcMethod<Req, Res> {
  return {
    path: `/containerd.services.snapshots.v1.Snapshots/${name}`,
    request,
    response,
    metadata: [['containerd-namespace', CRI_NAMESPACE]],
  };
}
const RPC = {
  status: { path: '/runtime.v1.RuntimeService/Status', request: m.StatusRequest, response: m.StatusResponse },
  image: {
    path: '/runtime.v1.ImageService/ImageStatus',
    request: m.ImageDetailRequest,
    response: m.ImageDetailResponse,
  },
  view: snapshots('View', { ...Snapshot, parent: text(3), labels: textMap(4) }, Mounts),
  remove: snapshots('Remove', Snapshot, m.Empty),
  list: {
    ...snapshots(
      'List',
      { snapshotter: text(1), filters: texts(2) },
      { info: messages(1, { name: text(1), labels: textMap(6) }) },
    ),
    maxBytes: LIST_BYTES,
  },
};

export function criImageFiles(client: GrpcClient): ImageFiles {
  async function snapshotterOf(signal: AbortSignal): Promise<string> {
    const { info } = await client.unary(RPC.status, { verbose: true }, { signal, timeoutMs: QUICK_MS });
    const config = parsed<{ containerd?: { snapshotter?: string } }>(info['config']);
    return config?.containerd?.snapshotter ?? DEFAULT_SNAPSHOTTER;
  }

  async function topLayer(image: string, signal: AbortSignal): Promise<string> {
    const answer = await client.unary(RPC.image, { image: { image }, verbose: true }, { signal, timeoutMs: QUICK_MS });
    if (!answer.image) throw new RuntimeError('NotFound', `image ${image} is not on the machine`);
    const chainID = parsed<{ chainID?: string }>(answer.info['info'])?.chainID;
    if (chainID === undefined || chainID === '')
      throw new RuntimeError('Other', `the runtime does not tell the layers of image ${image}`);
    return chainID;
  }

  async function remove(snapshotter: string, key: string, signal: AbortSignal): Promise<void> {
    await client.unary(RPC.remove, { snapshotter, key }, { signal, timeoutMs: QUICK_MS }).catch((error: unknown) => {
      if (!(error instanceof RuntimeError && error.failure === 'NotFound')) throw error;
    });
  }

  return {
    async view({ podUid, name }, image, signal) {
      const [snapshotter, parent] = [await snapshotterOf(signal), await topLayer(image, signal)];
      const key = `plumbline-image-volume/${podUid}/${name}`;
      // Left by a boot before this one, and maybe of another image of that name.
      await remove(snapshotter, key, signal);
      const labels = { [KEPT]: new Date(0).toISOString(), [OF_POD]: podUid };
      const { mounts } = await client.unary(
        RPC.view,
        { snapshotter, key, parent, labels },
        { signal, timeoutMs: QUICK_MS },
      );
      const [mount] = mounts;
      if (!mount || mounts.length > 1)
        throw new RuntimeError('Other', `the runtime's snapshotter ${snapshotter} has ${mounts.length} mounts for it`);
      return mount;
    },
    async release(podUid, signal) {
      const snapshotter = await snapshotterOf(signal);
      const filters = [`labels."${OF_POD}"`];
      const found: string[] = [];
      for await (const { info } of client.stream(RPC.list, { snapshotter, filters }, { signal, timeoutMs: QUICK_MS }))
        for (const one of info) if (one.labels[OF_POD] === podUid) found.push(one.name);
      for (const key of found) await remove(snapshotter, key, signal);
    },
  };
}

function parsed<T>(json: string | undefined): T | undefined {
  try {
    return json === undefined ? undefined : (JSON.parse(json) as T);
  } catch {
    return undefined;
  }
}
