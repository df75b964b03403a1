/**
 * The messages of containerd's own services for commands in containers: CRI has no call that tells which process a
 * command became. Sources: github.com/containerd/containerd api/services/tasks/v1/tasks.proto,
 * api/services/containers/v1/containers.proto.
 */
import { bytes, int, message, messages, text, type MessageTable } from '../../core/wire/protobuf.ts';
import type { GrpcMethod } from './grpc.ts';
import { Empty } from './messages.ts';

/** Of the CRI plugin. */
export const CRI_NAMESPACE = 'k8s.io';
export const PROCESS_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Process';

const Any = { typeUrl: text(1), value: bytes(2) };
const ContainerId = { id: text(1) };
const Container = { container: message(1, { id: text(1), spec: message(5, Any) }) };
const ExecRequest = {
  containerId: text(1),
  stdin: text(2),
  stdout: text(3),
  stderr: text(4),
  spec: message(6, Any),
  execId: text(7),
};
const ProcessId = { containerId: text(1), execId: text(2) };
const KillRequest = { containerId: text(1), execId: text(2), signal: int(3) };
const TaskId = { containerId: text(1) };
/** `info` is a ProcessDetails for what Exec has started: api/types/runc/options/oci.proto. */
const Processes = { processes: messages(1, { pid: int(1), info: message(2, Any) }) };
export const ProcessDetails = { execId: text(1) };

function method<Req extends MessageTable, Res extends MessageTable>(
  path: string,
  request: Req,
  response: Res,
): GrpcMethod<Req, Res> {
  return {
    path: `/containerd.services.${path}`,
    request,
    response,
    metadata: [['containerd-namespace', CRI_NAMESPACE]],
  };
}
export const TASKS = {
  container: method('containers.v1.Containers/Get', ContainerId, Container),
  exec: method('tasks.v1.Tasks/Exec', ExecRequest, Empty),
  start: method('tasks.v1.Tasks/Start', ProcessId, { pid: int(1) }),
  wait: method('tasks.v1.Tasks/Wait', ProcessId, { exitStatus: int(1) }),
  kill: method('tasks.v1.Tasks/Kill', KillRequest, Empty),
  remove: method('tasks.v1.Tasks/DeleteProcess', ProcessId, Empty),
  processes: method('tasks.v1.Tasks/ListPids', TaskId, Processes),
};
