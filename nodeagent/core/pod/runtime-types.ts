/** What pods are made of in a container runtime, in the words of the Container Runtime Interface. */
import type { HugePageLimit } from '../node/huge-pages.ts';

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface SandboxConfig {
  readonly pod: PodIdentity;
  /** 0 for the pod's first sandbox; a pod's sandbox is made anew after a reboot. */
  readonly attempt: number;
  /** Asked for; undefined takes any that is free, as does the host's network. */
  readonly address: string | undefined;
  /** What the runtime calls the way to run the pod; empty for its default. */
  readonly runtimeHandler: string;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly hostNetwork: boolean;
  readonly namespaces: Namespaces;
  /** By dotted name. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
  readonly privileged: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly portMappings: readonly {
    readonly containerPort: number;
    readonly hostPort: number;
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  }[];
  readonly dns:
    | { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] }
    | undefined;
  readonly security: {
    readonly runAsUser: number | undefined;
    readonly runAsGroup: number | undefined;
    readonly supplementalGroups: readonly number[];
    readonly seccomp: SeccompProfile;
    readonly seLinux: SeLinuxLabel | undefined;
    readonly strictGroups: boolean;
  };
}

/** Whose processes, and whose shared memory, a container sees. */
export interface Namespaces {
  /** `of`: those of the container with that id. */
  readonly pid: 'container' | 'pod' | 'node' | { readonly of: string };
  readonly ipc: 'pod' | 'node';
  /** Absent: the users and groups are the node's. */
  readonly users?: UserIds;
}

/** Users and groups 0 to 65535 of a pod are those of the node from `first` on. */
export interface UserIds {
  readonly first: number;
}

/** Which system calls are let through. `path`: of a profile's file on the node. */
export type SeccompProfile =
  { readonly type: 'RuntimeDefault' | 'Unconfined' } | { readonly type: 'Localhost'; readonly path: string };

/** Which profile of AppArmor; undefined leaves it to the runtime. `name`: of one that is loaded on the node. */
export type AppArmorProfile =
  { readonly type: 'RuntimeDefault' | 'Unconfined' } | { readonly type: 'Localhost'; readonly name: string };

/** Parts of a label; absent ones are the runtime's. */
export interface SeLinuxLabel {
  readonly user?: string | undefined;
  readonly role?: string | undefined;
  readonly type?: string | undefined;
  readonly level?: string | undefined;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  /** What is to be shown at `hostPath` before: a part of a volume. */
  readonly partOf?: { readonly volume: string; readonly subPath: string };
  readonly readOnly: boolean;
  /** Whatever is mounted below it as well. */
  readonly recursiveReadOnly: boolean;
  /** Whose files on the node the pod's users have; absent: as they are. */
  readonly users?: UserIds;
  /** Whether mounts made later on one side show on the other. */
  readonly propagation: 'None' | 'HostToContainer' | 'Bidirectional';
}

/** 0 leaves a value to the runtime. */
export interface ContainerResources {
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly memoryBytes: number;
  readonly oomScoreAdj: number;
}

export interface ContainerConfig {
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Below the sandbox's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: ContainerResources;
  readonly hugePages: readonly HugePageLimit[];
  readonly security: ContainerSecurity;
}

export interface ContainerSecurity {
  readonly privileged: boolean;
  readonly runAsUser: number | undefined;
  readonly runAsGroup: number | undefined;
  readonly supplementalGroups: readonly number[];
  readonly readOnlyRootFilesystem: boolean;
  readonly noNewPrivileges: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly hostNetwork: boolean;
  readonly namespaces: Namespaces;
  readonly seccomp: SeccompProfile;
  readonly appArmor: AppArmorProfile | undefined;
  readonly seLinux: SeLinuxLabel | undefined;
  /** The groups of the image's own /etc/group do not count. */
  readonly strictGroups: boolean;
  /**
   * Paths in the container that are shown empty, and those that cannot be written. What does not exist is passed over.
   */
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

export interface SandboxSummary {
  readonly id: string;
  readonly pod: PodIdentity;
  readonly attempt: number;
  readonly ready: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerSummary {
  readonly id: string;
  readonly sandboxId: string;
  readonly podUid: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly createdAt: number;
  readonly image: string;
  readonly imageRef: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Times are milliseconds since 1970, 0 where it has not come to that. */
export interface ContainerDetail {
  readonly id: string;
  readonly state: ContainerSummary['state'];
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  /** The runtime's own: `Completed`, `Error`, `OOMKilled`, `StartError`. */
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
}
