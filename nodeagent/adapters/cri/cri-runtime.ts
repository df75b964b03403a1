/** The container runtime behind the Container Runtime Interface; tried with containerd 1.6. */
import { FAMILIES, isOfFamily } from '../../../contracts/ip.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { LABEL } from '../../core/pod/identity.ts';
import type {
  ContainerConfig,
  ContainerDetail,
  ContainerSummary,
  SandboxConfig,
  SandboxSummary,
} from '../../core/pod/runtime-types.ts';
import type { MessageTable } from '../../core/wire/protobuf.ts';
import { decode } from '../../core/wire/protobuf.ts';
import { RuntimeError, type ContainerRuntime, type RuntimeHealth } from '../../ports/container-runtime.ts';
import { containerRequest, sandboxRequest } from './configs.ts';
import { taskCommands, type CommandDeps } from './command.ts';
import { LIST_BYTES, type GrpcMethod } from './grpc.ts';
import * as m from './messages.ts';
import { taskSignals } from './signals.ts';
import { openCommandStreams, openPortStreams } from './streams.ts';

const QUICK_MS = 30_000;
/** A sandbox waits for the network plugin. */
const SANDBOX_MS = 240_000;
const NANOS_PER_MS = 1e6;
const DEFAULT_SANDBOX_IMAGE = 'registry.k8s.io/pause:3.9';
const DEFAULT_NETWORK_PLUGINS = '/opt/cni/bin';

function method<Req extends MessageTable, Res extends MessageTable>(
  name: string,
  request: Req,
  response: Res,
): GrpcMethod<Req, Res> {
  return { path: `/runtime.v1.RuntimeService/${name}`, request, response };
}
const RPC = {
  version: method('Version', m.VersionRequest, m.VersionResponse),
  status: method('Status', m.StatusRequest, m.StatusResponse),
  listSandboxes: {
    ...method('ListPodSandbox', m.ListPodSandboxRequest, m.ListPodSandboxResponse),
    maxBytes: LIST_BYTES,
  },
  listContainers: {
    ...method('ListContainers', m.ListContainersRequest, m.ListContainersResponse),
    maxBytes: LIST_BYTES,
  },
  sandboxStatus: method('PodSandboxStatus', m.SandboxStatusRequest, m.PodSandboxStatusResponse),
  containerStatus: method('ContainerStatus', m.ContainerIdRequest, m.ContainerStatusResponse),
  runSandbox: method('RunPodSandbox', m.RunPodSandboxRequest, m.RunPodSandboxResponse),
  stopSandbox: method('StopPodSandbox', m.SandboxIdRequest, m.Empty),
  removeSandbox: method('RemovePodSandbox', m.SandboxIdRequest, m.Empty),
  createContainer: method('CreateContainer', m.CreateContainerRequest, m.CreateContainerResponse),
  startContainer: method('StartContainer', m.ContainerIdRequest, m.Empty),
  stopContainer: method('StopContainer', m.StopContainerRequest, m.Empty),
  updateContainer: method('UpdateContainerResources', m.UpdateContainerResourcesRequest, m.Empty),
  containerStats: method('ContainerStats', m.ContainerIdRequest, m.ContainerStatsResponse),
  removeContainer: method('RemoveContainer', m.ContainerIdRequest, m.Empty),
  exec: method('Exec', m.ExecRequest, m.StreamingResponse),
  attach: method('Attach', m.AttachRequest, m.StreamingResponse),
  portForward: method('PortForward', m.PortForwardRequest, m.StreamingResponse),
  reopenLog: method('ReopenContainerLog', m.ContainerIdRequest, m.Empty),
};
const SUBSCRIBE: GrpcMethod<typeof m.SubscribeRequest, typeof m.EventEnvelope> = {
  path: '/containerd.services.events.v1.Events/Subscribe',
  request: m.SubscribeRequest,
  response: m.EventEnvelope,
};

/** The runtime at the other end of `client`, which the caller closes through {@link ContainerRuntime.close}. */
export function criRuntime(deps: CommandDeps): ContainerRuntime {
  const { client } = deps;
  const commands = taskCommands(deps);
  const signals = taskSignals(deps);
  const ours = (podUid: string | undefined) => ({
    [LABEL.managed]: 'true',
    ...(podUid !== undefined && { [LABEL.podUid]: podUid }),
  });

  async function idempotent(call: Promise<unknown>): Promise<void> {
    await call.catch((error: unknown) => {
      if (!(error instanceof RuntimeError && error.failure === 'NotFound')) throw error;
    });
  }

  return {
    async version(signal) {
      const answer = await client.unary(RPC.version, {}, { signal, timeoutMs: QUICK_MS });
      return { name: answer.runtimeName, version: answer.runtimeVersion };
    },

    async health(signal) {
      return healthOf(await client.unary(RPC.status, { verbose: true }, { signal, timeoutMs: QUICK_MS }));
    },

    async listSandboxes(podUid, signal) {
      const answer = await client.unary(
        RPC.listSandboxes,
        { filter: { labelSelector: ours(podUid) } },
        { signal, timeoutMs: QUICK_MS },
      );
      return answer.items.map((item): SandboxSummary => ({
        id: item.id,
        pod: {
          namespace: item.metadata?.namespace ?? '',
          name: item.metadata?.name ?? '',
          uid: item.labels[LABEL.podUid] ?? '',
        },
        attempt: item.metadata?.attempt ?? 0,
        ready: item.state === m.SANDBOX_READY,
        createdAt: item.createdAt / NANOS_PER_MS,
        annotations: item.annotations,
      }));
    },

    async everySandbox(signal) {
      const answer = await client.unary(RPC.listSandboxes, { filter: undefined }, { signal, timeoutMs: QUICK_MS });
      return new Set(answer.items.map((item) => item.id));
    },

    async listContainers(podUid, signal) {
      const answer = await client.unary(
        RPC.listContainers,
        { filter: { labelSelector: ours(podUid) } },
        { signal, timeoutMs: QUICK_MS },
      );
      return answer.containers.map((item): ContainerSummary => ({
        id: item.id,
        sandboxId: item.podSandboxId,
        podUid: item.labels[LABEL.podUid] ?? '',
        name: item.metadata?.name ?? '',
        attempt: item.metadata?.attempt ?? 0,
        state: m.CONTAINER_STATES[item.state] ?? 'unknown',
        createdAt: item.createdAt / NANOS_PER_MS,
        image: item.image?.image ?? '',
        imageRef: item.imageRef,
        labels: item.labels,
        annotations: item.annotations,
      }));
    },

    async sandboxAddresses(id, signal) {
      const asked = { podSandboxId: id, verbose: false };
      const answer = await client.unary(RPC.sandboxStatus, asked, { signal, timeoutMs: QUICK_MS });
      const { ip = '', additionalIps = [] } = answer.status?.network ?? {};
      return onePerFamily([ip, ...additionalIps.map((more) => more.ip)]);
    },

    async sandboxNetwork(id, signal) {
      const asked = { podSandboxId: id, verbose: true };
      const answer = await client.unary(RPC.sandboxStatus, asked, { signal, timeoutMs: QUICK_MS });
      return networkNamespace(answer.info['info']);
    },

    async container(id, signal) {
      const { status } = await client.unary(RPC.containerStatus, { containerId: id }, { signal, timeoutMs: QUICK_MS });
      if (!status) throw new RuntimeError('NotFound', `container ${id} has no status`);
      const startedAt = Math.max(0, status.startedAt / NANOS_PER_MS);
      return {
        id,
        state: m.CONTAINER_STATES[status.state] ?? 'unknown',
        startedAt,
        // Of a program that ends at once, the end is stamped before the start.
        finishedAt: status.finishedAt > 0 ? Math.max(startedAt, status.finishedAt / NANOS_PER_MS) : 0,
        exitCode: status.exitCode,
        reason: status.reason,
        message: status.message,
        logPath: status.logPath,
      } satisfies ContainerDetail;
    },

    async runSandbox(config: SandboxConfig, signal) {
      const answer = await client.unary(
        RPC.runSandbox,
        { config: sandboxRequest(config), runtimeHandler: config.runtimeHandler },
        { signal, timeoutMs: SANDBOX_MS },
      );
      return answer.podSandboxId;
    },
    stopSandbox: (id, signal) =>
      idempotent(client.unary(RPC.stopSandbox, { podSandboxId: id }, { signal, timeoutMs: SANDBOX_MS })),
    removeSandbox: (id, signal) =>
      idempotent(client.unary(RPC.removeSandbox, { podSandboxId: id }, { signal, timeoutMs: SANDBOX_MS })),

    async createContainer(sandboxId, config: ContainerConfig, sandbox, signal) {
      const request = {
        podSandboxId: sandboxId,
        config: containerRequest(config),
        sandboxConfig: sandboxRequest(sandbox),
      };
      return (await client.unary(RPC.createContainer, request, { signal, timeoutMs: SANDBOX_MS })).containerId;
    },
    async startContainer(id, signal) {
      await client.unary(RPC.startContainer, { containerId: id }, { signal, timeoutMs: SANDBOX_MS });
    },
    async stopContainer(id, graceSeconds, signal, stopSignal) {
      const hadItsGrace =
        stopSignal !== undefined &&
        graceSeconds > 0 &&
        (await signals.end(id, stopSignal, graceSeconds * 1000, signal));
      const timeout = hadItsGrace ? 0 : Math.ceil(graceSeconds);
      await idempotent(
        client.unary(RPC.stopContainer, { containerId: id, timeout }, { signal, timeoutMs: timeout * 1000 + QUICK_MS }),
      );
    },
    async updateContainer(id, resources, signal) {
      const within = { signal, timeoutMs: QUICK_MS };
      const limit = resources.memoryBytes;
      if (limit > 0) {
        const { stats } = await client.unary(RPC.containerStats, { containerId: id }, within);
        const uses = stats?.memory?.workingSetBytes?.value ?? 0;
        if (uses > limit)
          throw new RuntimeError(
            'Other',
            `attempting to set container memory limit (${limit}) below current usage (${uses})`,
          );
      }
      const { cpuPeriod, cpuQuota, cpuShares } = resources;
      const linux = { cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes: limit };
      await client.unary(RPC.updateContainer, { containerId: id, linux }, within);
    },
    removeContainer: (id, signal) =>
      idempotent(client.unary(RPC.removeContainer, { containerId: id }, { signal, timeoutMs: SANDBOX_MS })),

    execSync: (id, command, timeoutSeconds, signal) => commands.run(id, command, timeoutSeconds * 1000, signal),
    async exec(id, { command, tty, stdin }, signal) {
      const answer = await client.unary(
        RPC.exec,
        { containerId: id, cmd: command, tty, stdin, stdout: true, stderr: !tty },
        { signal, timeoutMs: QUICK_MS },
      );
      return openCommandStreams(answer.url, { tty, stdin }, signal);
    },
    async attach(id, { tty, stdin }, signal) {
      const answer = await client.unary(
        RPC.attach,
        { containerId: id, tty, stdin, stdout: true, stderr: !tty },
        { signal, timeoutMs: QUICK_MS },
      );
      return openCommandStreams(answer.url, { tty, stdin }, signal);
    },
    async portForward(sandboxId, port, signal) {
      const request = { podSandboxId: sandboxId, port: [port] };
      const answer = await client.unary(RPC.portForward, request, { signal, timeoutMs: QUICK_MS });
      return openPortStreams(answer.url, port, signal);
    },
    async reopenLog(id, signal) {
      await client.unary(RPC.reopenLog, { containerId: id }, { signal, timeoutMs: QUICK_MS });
    },

    async *events(signal) {
      const filters = ['namespace==k8s.io,topic~=^/tasks/(exit|oom)$'];
      for await (const envelope of client.stream(SUBSCRIBE, { filters }, { signal })) {
        if (!envelope.event) continue;
        const { containerId, id } = decode(m.TaskEvent, envelope.event.value);
        // The end of a command that was run in a container is none of the container.
        if (id === '' || id === containerId) yield containerId;
      }
    },

    async close() {
      await commands.close();
      client.close();
    },
  };
}

type StatusAnswer = {
  readonly features: { readonly supplementalGroupsPolicy: boolean } | undefined;
  readonly status:
    | { readonly conditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[] }
    | undefined;
  readonly info: Readonly<Record<string, string>>;
  readonly runtimeHandlers: readonly {
    readonly name: string;
    readonly features: { readonly recursiveReadOnlyMounts: boolean; readonly userNamespaces: boolean } | undefined;
  }[];
};

function healthOf(answer: StatusAnswer): RuntimeHealth {
  const conditions = answer.status?.conditions ?? [];
  const isTrue = (type: string): boolean => conditions.some((c) => c.type === type && c.status);
  const config = runtimeConfig(answer.info['config']);
  return {
    runtimeReady: isTrue('RuntimeReady'),
    networkReady: isTrue('NetworkReady'),
    message: conditions
      .filter((c) => !c.status && c.message !== '')
      .map((c) => c.message)
      .join('; '),
    sandboxImage: config.sandboxImage ?? DEFAULT_SANDBOX_IMAGE,
    systemdCgroup: config.systemdCgroup,
    // The handler without a name is the default one, which all pods run with.
    recursiveReadOnly:
      answer.runtimeHandlers.find(({ name }) => name === '')?.features?.recursiveReadOnlyMounts ?? false,
    userNamespaces: answer.runtimeHandlers.filter((one) => one.features?.userNamespaces).map(({ name }) => name),
    strictGroups: answer.features?.supplementalGroupsPolicy ?? false,
    networkPlugins: config.networkPlugins ?? DEFAULT_NETWORK_PLUGINS,
  };
}

/** What containerd's CRI plugin tells of its own configuration (`crictl info`). */
function runtimeConfig(json: string | undefined): {
  sandboxImage: string | undefined;
  systemdCgroup: boolean;
  networkPlugins: string | undefined;
} {
  const none = { sandboxImage: undefined, systemdCgroup: false, networkPlugins: undefined };
  if (json === undefined) return none;
  try {
    const config = JSON.parse(json) as {
      sandboxImage?: string;
      systemdCgroup?: boolean;
      cni?: { binDir?: string };
      containerd?: {
        defaultRuntimeName?: string;
        runtimes?: Record<string, { options?: { SystemdCgroup?: boolean } | null }>;
      };
    };
    const runtime = readKey(config.containerd?.runtimes, config.containerd?.defaultRuntimeName ?? 'runc');
    return {
      sandboxImage: config.sandboxImage,
      systemdCgroup: config.systemdCgroup === true || runtime?.options?.SystemdCgroup === true,
      networkPlugins: config.cni?.binDir,
    };
  } catch {
    return none;
  }
}

/** Which family a runtime names first is its own setting. */
function onePerFamily(addresses: readonly string[]): readonly string[] {
  return FAMILIES.flatMap((family) => addresses.find((address) => isOfFamily(family, address)) ?? []);
}

/**
 * Path of a sandbox's network namespace, of what containerd tells of it in words of its own: `info` has the OCI spec that it
 * was made by. Source: containerd, pkg/cri/server/sandbox_status.go.
 */
function networkNamespace(info: string | undefined): string | undefined {
  let told: { runtimeSpec?: { linux?: { namespaces?: readonly { type?: unknown; path?: unknown }[] } } };
  try {
    told = JSON.parse(info ?? '{}') as typeof told;
  } catch {
    throw new RuntimeError('Other', 'the runtime does not tell of what a sandbox is made');
  }
  const path = told.runtimeSpec?.linux?.namespaces?.find(({ type }) => type === 'network')?.path;
  return typeof path === 'string' && path !== '' ? path : undefined;
}
