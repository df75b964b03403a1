/** Our configurations in the runtime's message form. */
import type {
  AppArmorProfile,
  ContainerConfig,
  Namespaces,
  SandboxConfig,
  SeccompProfile,
  UserIds,
} from '../../core/pod/runtime-types.ts';
import { IDS_OF_POD } from '../../core/pod/user-ids.ts';
import type { Encodable } from '../../core/wire/protobuf.ts';
import {
  NAMESPACE,
  PROFILE_TYPE,
  STRICT_GROUPS,
  type CreateContainerRequest,
  type PodSandboxConfig,
} from './messages.ts';

/** MountPropagation. */
const PROPAGATION = { None: 0, HostToContainer: 1, Bidirectional: 2 } as const;
const PROTOCOL = { TCP: 0, UDP: 1, SCTP: 2 } as const;

const optionalInt = (value: number | undefined): { readonly value: number } | undefined =>
  value === undefined ? undefined : { value };
/** Always sent: a runtime takes the absence of it for no filter at all. */
const profileOf = (seccomp: SeccompProfile) => ({
  profileType: PROFILE_TYPE[seccomp.type],
  localhostRef: seccomp.type === 'Localhost' ? seccomp.path : '',
});

const appArmorProfileOf = (profile: AppArmorProfile) => ({
  profileType: PROFILE_TYPE[profile.type],
  localhostRef: profile.type === 'Localhost' ? profile.name : '',
});

export function sandboxRequest(config: SandboxConfig): Encodable<typeof PodSandboxConfig> {
  const network = config.hostNetwork ? NAMESPACE.node : NAMESPACE.pod;
  return {
    metadata: { ...config.pod, uid: uidForNetwork(config), attempt: config.attempt },
    // The host's own name is seen in the host's network; the runtime refuses another there.
    hostname: config.hostNetwork ? '' : config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: config.dns,
    portMappings: config.portMappings.map((p) => ({
      protocol: PROTOCOL[p.protocol],
      containerPort: p.containerPort,
      hostPort: p.hostPort,
    })),
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent,
      sysctls: config.sysctls,
      securityContext: {
        namespaceOptions: { network, ...namespaceModes(config.namespaces) },
        privileged: config.privileged,
        runAsUser: optionalInt(config.security.runAsUser),
        runAsGroup: config.security.runAsUser === undefined ? undefined : optionalInt(config.security.runAsGroup),
        supplementalGroups: config.security.supplementalGroups,
        seccomp: profileOf(config.security.seccomp),
        seLinuxOptions: config.security.seLinux,
        supplementalGroupsPolicy: config.security.strictGroups ? STRICT_GROUPS : 0,
      },
    },
  };
}

const namespaceModes = ({ pid, ipc, users }: Namespaces) => ({
  ...(typeof pid === 'string' ? { pid: NAMESPACE[pid] } : { pid: NAMESPACE.target, targetId: pid.of }),
  ipc: NAMESPACE[ipc],
  ...(users && { usernsOptions: { mode: NAMESPACE.pod, uids: idsOf(users), gids: idsOf(users) } }),
});

const idsOf = ({ first }: UserIds) => [{ hostId: first, containerId: 0, length: IDS_OF_POD }];

/**
 * The pod's uid, and behind it the address that is asked for. CRI has no field for one. But the runtime hands the
 * metadata to the network plugins as CNI_ARGS, `KEY=VALUE` joined by `;` (containerd pkg/cri/server: toCNILabels;
 * `K8S_POD_UID` since 1.6), and host-local takes the argument `IP` from there (CNI CONVENTIONS.md). A runtime that
 * hands no uid over gives any address. Whose a sandbox is, its labels say.
 */
function uidForNetwork({ pod, address, hostNetwork }: SandboxConfig): string {
  return address === undefined || hostNetwork ? pod.uid : `${pod.uid};IP=${address}`;
}

type ContainerMessage = NonNullable<Encodable<typeof CreateContainerRequest>['config']>;

export function containerRequest(config: ContainerConfig): ContainerMessage {
  const { security, resources } = config;
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    envs: config.env.map(({ name, value }) => ({ key: name, value })),
    mounts: config.mounts.map((mount) => ({
      containerPath: mount.containerPath,
      hostPath: mount.hostPath,
      readonly: mount.readOnly,
      propagation: PROPAGATION[mount.propagation],
      recursiveReadOnly: mount.recursiveReadOnly,
      ...(mount.users && { uidMappings: idsOf(mount.users), gidMappings: idsOf(mount.users) }),
    })),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: {
        cpuPeriod: resources.cpuPeriod,
        cpuQuota: resources.cpuQuota,
        cpuShares: resources.cpuShares,
        memoryLimitInBytes: resources.memoryBytes,
        oomScoreAdj: resources.oomScoreAdj,
        hugepageLimits: config.hugePages.map(({ pageSize, bytes }) => ({ pageSize, limit: bytes })),
      },
      securityContext: {
        capabilities: { addCapabilities: security.addCapabilities, dropCapabilities: security.dropCapabilities },
        privileged: security.privileged,
        namespaceOptions: {
          network: security.hostNetwork ? NAMESPACE.node : NAMESPACE.pod,
          ...namespaceModes(security.namespaces),
        },
        runAsUser: optionalInt(security.runAsUser),
        runAsGroup: optionalInt(security.runAsGroup),
        readonlyRootfs: security.readOnlyRootFilesystem,
        supplementalGroups: security.supplementalGroups,
        noNewPrivs: security.noNewPrivileges,
        maskedPaths: security.maskedPaths,
        readonlyPaths: security.readonlyPaths,
        seccomp: profileOf(security.seccomp),
        appArmor: security.appArmor && appArmorProfileOf(security.appArmor),
        seLinuxOptions: security.seLinux,
        supplementalGroupsPolicy: security.strictGroups ? STRICT_GROUPS : 0,
      },
    },
  };
}
