/**
 * What containers take, through the Container Runtime Interface: the same fields in containerd 1.6 and 2.x, with cgroup
 * v1 and v2.
 */
import { LABEL } from '../../core/pod/identity.ts';
import { int, message, messages, text, textMap } from '../../core/wire/protobuf.ts';
import type { MeasuredContainer } from '../../ports/usage.ts';
import { LIST_BYTES, type GrpcClient, type GrpcMethod } from './grpc.ts';

const QUICK_MS = 10_000;
const NANOS_PER_MS = 1e6;

const Value = { value: int(1) };
const Request = { filter: message(1, { labelSelector: textMap(3) }) };
const Response = {
  stats: messages(1, {
    attributes: message(1, { id: text(1), metadata: message(2, { name: text(1) }), labels: textMap(3) }),
    cpu: message(2, { timestamp: int(1), usageCoreNanoSeconds: message(2, Value) }),
    memory: message(3, { workingSetBytes: message(2, Value) }),
  }),
};
const LIST_STATS: GrpcMethod<typeof Request, typeof Response> = {
  path: '/runtime.v1.RuntimeService/ListContainerStats',
  request: Request,
  response: Response,
  maxBytes: LIST_BYTES,
};

/** Of our containers. One whose process ended while it was asked for is left out. */
export async function criContainerUse(client: GrpcClient, signal: AbortSignal): Promise<readonly MeasuredContainer[]> {
  const filter = { labelSelector: { [LABEL.managed]: 'true' } };
  const { stats } = await client.unary(LIST_STATS, { filter }, { signal, timeoutMs: QUICK_MS });
  return stats.flatMap(({ attributes, cpu, memory }) =>
    attributes && cpu?.usageCoreNanoSeconds && memory?.workingSetBytes
      ? {
          id: attributes.id,
          podUid: attributes.labels[LABEL.podUid] ?? '',
          name: attributes.metadata?.name ?? '',
          at: cpu.timestamp / NANOS_PER_MS,
          cpuNanoseconds: cpu.usageCoreNanoSeconds.value,
          memoryBytes: memory.workingSetBytes.value,
        }
      : [],
  );
}
