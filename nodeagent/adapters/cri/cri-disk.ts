/**
 * What the container runtime keeps on disk, through the Container Runtime Interface. Sees everybody's containers, not
 * only ours.
 */
import { int, message, messages, text, type MessageTable } from '../../core/wire/protobuf.ts';
import type { RuntimeDisk } from '../../ports/disk-space.ts';
import { LIST_BYTES, type GrpcClient, type GrpcMethod } from './grpc.ts';
import * as m from './messages.ts';

const QUICK_MS = 30_000;

const FilesystemUsage = {
  timestamp: int(1),
  fsId: message(2, { mountpoint: text(1) }),
  usedBytes: message(3, { value: int(1) }),
  inodesUsed: message(4, { value: int(1) }),
};
const ImageFsInfoResponse = { imageFilesystems: messages(1, FilesystemUsage) };
const ListContainerStatsResponse = {
  stats: messages(1, { attributes: message(1, { id: text(1) }), writableLayer: message(4, FilesystemUsage) }),
};

function method<Req extends MessageTable, Res extends MessageTable>(
  service: string,
  name: string,
  request: Req,
  response: Res,
): GrpcMethod<Req, Res> {
  return { path: `/runtime.v1.${service}/${name}`, request, response };
}
const RPC = {
  imageFs: method('ImageService', 'ImageFsInfo', m.Empty, ImageFsInfoResponse),
  containers: {
    ...method('RuntimeService', 'ListContainers', m.Empty, m.ListContainersResponse),
    maxBytes: LIST_BYTES,
  },
  stats: {
    ...method('RuntimeService', 'ListContainerStats', m.Empty, ListContainerStatsResponse),
    maxBytes: LIST_BYTES,
  },
};

export function criDisk(client: GrpcClient): RuntimeDisk {
  return {
    async imageFolder(signal) {
      return (await client.unary(RPC.imageFs, {}, { signal, timeoutMs: QUICK_MS })).imageFilesystems[0]?.fsId
        ?.mountpoint;
    },
    async imagesInUse(signal) {
      const { containers } = await client.unary(RPC.containers, {}, { signal, timeoutMs: QUICK_MS });
      return new Set(
        containers
          .flatMap((container) => [container.imageRef, container.image?.image ?? ''])
          .filter((name) => name !== ''),
      );
    },
    async writtenByContainers(signal) {
      const { stats } = await client.unary(RPC.stats, {}, { signal, timeoutMs: QUICK_MS });
      return new Map(
        stats.map(({ attributes, writableLayer }) => [
          attributes?.id ?? '',
          { bytes: writableLayer?.usedBytes?.value ?? 0, files: writableLayer?.inodesUsed?.value ?? 0 },
        ]),
      );
    },
  };
}
