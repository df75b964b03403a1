/**
 * The messages of the Container Runtime Interface (runtime.v1) that this agent uses, and of containerd's event service.
 * Field numbers are the wire contract. Sources: k8s.io/cri-api pkg/apis/runtime/v1/api.proto,
 * github.com/containerd/containerd api/services/events/v1/events.proto and api/events/task.proto.
 */
import { bool, bytes, int, ints, message, messages, text, textMap, texts } from '../../core/wire/protobuf.ts';

export const Empty = {};
const Int64Value = { value: int(1) };
const ImageSpec = { image: text(1) };

export const VersionRequest = { version: text(1) };
export const VersionResponse = { runtimeName: text(2), runtimeVersion: text(3) };

export const StatusRequest = { verbose: bool(1) };
export const StatusResponse = {
  status: message(1, {
    conditions: messages(1, { type: text(1), status: bool(2), reason: text(3), message: text(4) }),
  }),
  info: textMap(2),
  runtimeHandlers: messages(3, {
    name: text(1),
    features: message(2, { recursiveReadOnlyMounts: bool(1), userNamespaces: bool(2) }),
  }),
  features: message(4, { supplementalGroupsPolicy: bool(1) }),
};

const IdMapping = { hostId: int(1), containerId: int(2), length: int(3) };
const NamespaceOption = {
  network: int(1),
  pid: int(2),
  ipc: int(3),
  targetId: text(4),
  usernsOptions: message(5, { mode: int(1), uids: messages(2, IdMapping), gids: messages(3, IdMapping) }),
};
/** NamespaceMode. */
export const NAMESPACE = { pod: 0, container: 1, node: 2, target: 3 } as const;
const SeLinuxOption = { user: text(1), role: text(2), type: text(3), level: text(4) };
/** SupplementalGroupsPolicy. */
export const STRICT_GROUPS = 1;
const SecurityProfile = { profileType: int(1), localhostRef: text(2) };
/** SecurityProfile.ProfileType. */
export const PROFILE_TYPE = { RuntimeDefault: 0, Unconfined: 1, Localhost: 2 } as const;

const SandboxMetadata = { name: text(1), uid: text(2), namespace: text(3), attempt: int(4) };
export const PodSandboxConfig = {
  metadata: message(1, SandboxMetadata),
  hostname: text(2),
  logDirectory: text(3),
  dnsConfig: message(4, { servers: texts(1), searches: texts(2), options: texts(3) }),
  portMappings: messages(5, { protocol: int(1), containerPort: int(2), hostPort: int(3), hostIp: text(4) }),
  labels: textMap(6),
  annotations: textMap(7),
  linux: message(8, {
    cgroupParent: text(1),
    securityContext: message(2, {
      namespaceOptions: message(1, NamespaceOption),
      seLinuxOptions: message(2, SeLinuxOption),
      runAsUser: message(3, Int64Value),
      supplementalGroups: ints(5),
      privileged: bool(6),
      runAsGroup: message(8, Int64Value),
      seccomp: message(9, SecurityProfile),
      supplementalGroupsPolicy: int(11),
    }),
    sysctls: textMap(3),
  }),
};
export const RunPodSandboxRequest = { config: message(1, PodSandboxConfig), runtimeHandler: text(2) };
export const RunPodSandboxResponse = { podSandboxId: text(1) };
export const SandboxIdRequest = { podSandboxId: text(1) };
export const SandboxStatusRequest = { ...SandboxIdRequest, verbose: bool(2) };
export const PodSandboxStatusResponse = {
  status: message(1, {
    id: text(1),
    state: int(3),
    network: message(5, { ip: text(1), additionalIps: messages(2, { ip: text(1) }) }),
  }),
  info: textMap(2),
};
const LabelFilter = (no: number) => ({ labelSelector: textMap(no) });
export const ListPodSandboxRequest = { filter: message(1, LabelFilter(3)) };
export const ListPodSandboxResponse = {
  items: messages(1, {
    id: text(1),
    metadata: message(2, SandboxMetadata),
    state: int(3),
    createdAt: int(4),
    labels: textMap(5),
    annotations: textMap(6),
  }),
};
/** PodSandboxState. */
export const SANDBOX_READY = 0;

const LinuxContainerResources = {
  cpuPeriod: int(1),
  cpuQuota: int(2),
  cpuShares: int(3),
  memoryLimitInBytes: int(4),
  oomScoreAdj: int(5),
  hugepageLimits: messages(8, { pageSize: text(1), limit: int(2) }),
};
const ContainerMetadata = { name: text(1), attempt: int(2) };
export const CreateContainerRequest = {
  podSandboxId: text(1),
  config: message(2, {
    metadata: message(1, ContainerMetadata),
    image: message(2, ImageSpec),
    command: texts(3),
    args: texts(4),
    workingDir: text(5),
    envs: messages(6, { key: text(1), value: text(2) }),
    mounts: messages(7, {
      containerPath: text(1),
      hostPath: text(2),
      readonly: bool(3),
      propagation: int(5),
      uidMappings: messages(6, IdMapping),
      gidMappings: messages(7, IdMapping),
      recursiveReadOnly: bool(8),
    }),
    labels: textMap(9),
    annotations: textMap(10),
    logPath: text(11),
    stdin: bool(12),
    stdinOnce: bool(13),
    tty: bool(14),
    linux: message(15, {
      resources: message(1, LinuxContainerResources),
      securityContext: message(2, {
        capabilities: message(1, { addCapabilities: texts(1), dropCapabilities: texts(2) }),
        privileged: bool(2),
        namespaceOptions: message(3, NamespaceOption),
        seLinuxOptions: message(4, SeLinuxOption),
        runAsUser: message(5, Int64Value),
        readonlyRootfs: bool(7),
        supplementalGroups: ints(8),
        noNewPrivs: bool(11),
        runAsGroup: message(12, Int64Value),
        maskedPaths: texts(13),
        readonlyPaths: texts(14),
        seccomp: message(15, SecurityProfile),
        appArmor: message(16, SecurityProfile),
        supplementalGroupsPolicy: int(17),
      }),
    }),
  }),
  sandboxConfig: message(3, PodSandboxConfig),
};
export const CreateContainerResponse = { containerId: text(1) };
export const ContainerIdRequest = { containerId: text(1) };
export const StopContainerRequest = { containerId: text(1), timeout: int(2) };
export const UpdateContainerResourcesRequest = { containerId: text(1), linux: message(2, LinuxContainerResources) };
export const ContainerStatsResponse = {
  stats: message(1, { memory: message(3, { workingSetBytes: message(2, { value: int(1) }) }) }),
};
export const ListContainersRequest = { filter: message(1, LabelFilter(4)) };
export const ListContainersResponse = {
  containers: messages(1, {
    id: text(1),
    podSandboxId: text(2),
    metadata: message(3, ContainerMetadata),
    image: message(4, ImageSpec),
    imageRef: text(5),
    state: int(6),
    createdAt: int(7),
    labels: textMap(8),
    annotations: textMap(9),
  }),
};
/** ContainerState, by number. */
export const CONTAINER_STATES = ['created', 'running', 'exited', 'unknown'] as const;
export const ContainerStatusResponse = {
  status: message(1, {
    id: text(1),
    state: int(3),
    startedAt: int(5),
    finishedAt: int(6),
    exitCode: int(7),
    reason: text(10),
    message: text(11),
    logPath: text(15),
  }),
};
export const ExecRequest = {
  containerId: text(1),
  cmd: texts(2),
  tty: bool(3),
  stdin: bool(4),
  stdout: bool(5),
  stderr: bool(6),
};
export const AttachRequest = { containerId: text(1), stdin: bool(2), tty: bool(3), stdout: bool(4), stderr: bool(5) };
export const PortForwardRequest = { podSandboxId: text(1), port: ints(2) };
/** Of Exec, Attach and PortForward: a one-time address at the runtime's streaming server. */
export const StreamingResponse = { url: text(1) };

const Image = {
  id: text(1),
  repoTags: texts(2),
  repoDigests: texts(3),
  size: int(4),
  uid: message(5, Int64Value),
  username: text(6),
};
export const ListImagesResponse = { images: messages(1, Image) };
export const ImageRequest = { image: message(1, ImageSpec) };
export const PullImageRequest = {
  image: message(1, ImageSpec),
  auth: message(2, { username: text(1), password: text(2) }),
};
export const ImageStatusResponse = { image: message(1, Image) };
export const ImageDetailRequest = { ...ImageRequest, verbose: bool(2) };
export const ImageDetailResponse = { ...ImageStatusResponse, info: textMap(2) };
export const PullImageResponse = { imageRef: text(1) };

export const SubscribeRequest = { filters: texts(1) };
/** containerd's Envelope: `event` is a protobuf Any. */
export const EventEnvelope = { topic: text(3), event: message(4, { typeUrl: text(1), value: bytes(2) }) };
/** TaskExit and TaskOOM begin with the container's id; `id` is that of the process that ended. */
export const TaskEvent = { containerId: text(1), id: text(2) };
