/** The machine's container runtime: pod sandboxes, containers, and what runs in them. */
import type { Readable, Writable } from 'node:stream';
import type {
  ContainerConfig,
  ContainerDetail,
  ContainerResources,
  ContainerSummary,
  SandboxConfig,
  SandboxSummary,
} from '../core/pod/runtime-types.ts';

export interface RuntimeHealth {
  readonly runtimeReady: boolean;
  readonly networkReady: boolean;
  /** Why not, in the runtime's words. */
  readonly message: string;
  /** Image of the process that holds a sandbox's namespaces. */
  readonly sandboxImage: string;
  /** Whether cgroup parents are systemd slice names instead of paths. */
  readonly systemdCgroup: boolean;
  /** Whether it can make what is mounted below a mount read-only too. */
  readonly recursiveReadOnly: boolean;
  /** Whether it can leave out groups that only the image knows. */
  readonly strictGroups: boolean;
  /** Its handlers that can give a pod users of its own; the default one has no name. */
  readonly userNamespaces: readonly string[];
  /** Folder of the network plugins that it runs. */
  readonly networkPlugins: string;
}

export interface ExecOutcome {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** The streams of a command in a container, of its main process, or of a connection to a port of a pod. */
export interface ContainerStreams {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** Absent with a terminal and of a port: there is one stream of output. */
  readonly stderr: Readable | undefined;
  /** Of a terminal; nothing where there is none. */
  resize(width: number, height: number): void;
  /**
   * How it ended; of what has no exit code 0, and another one with a message where it failed. Rejects when the
   * connection to the runtime broke before.
   */
  readonly exit: Promise<{ readonly exitCode: number; readonly message?: string }>;
  /** Ends all of them, also while there is output that nobody took. Idempotent. */
  close(): void;
}

/** How likely a process is to go when memory runs out cannot be changed. */
export type UpdatedResources = Omit<ContainerResources, 'oomScoreAdj'>;

export type RuntimeFailure = 'NotFound' | 'AlreadyExists' | 'Timeout' | 'Unavailable' | 'Cancelled' | 'Other';

/** Every failed call of {@link ContainerRuntime} and of the image store. The message is the runtime's own. */
export class RuntimeError extends Error {
  readonly failure: RuntimeFailure;
  constructor(failure: RuntimeFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.failure = failure;
    this.name = 'RuntimeError';
  }
}

/** Lists and filters see what carries our labels; nothing else on the machine exists for this port. */
export interface ContainerRuntime {
  version(signal: AbortSignal): Promise<{ readonly name: string; readonly version: string }>;
  health(signal: AbortSignal): Promise<RuntimeHealth>;

  /** Of one pod, or of all. */
  listSandboxes(podUid: string | undefined, signal: AbortSignal): Promise<readonly SandboxSummary[]>;
  /**
   * Ids of all sandboxes, whoever made them: what is no sandbox of anybody is the one thing that our labels do not tell.
   * One that is being made is not among them.
   */
  everySandbox(signal: AbortSignal): Promise<ReadonlySet<string>>;
  listContainers(podUid: string | undefined, signal: AbortSignal): Promise<readonly ContainerSummary[]>;
  /** Addresses of a sandbox, at most one of each family, that of IPv4 first; none in the host's network. NotFound. */
  sandboxAddresses(id: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Path of the network namespace that a sandbox has for itself; undefined in the host's network. NotFound. */
  sandboxNetwork(id: string, signal: AbortSignal): Promise<string | undefined>;
  /** NotFound. */
  container(id: string, signal: AbortSignal): Promise<ContainerDetail>;

  /**
   * Creates and starts; answers the id. Where the address that is asked for cannot be had, nothing stays, and the
   * error's message names the address.
   */
  runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string>;
  /** Ends all that runs in it and gives its address back. Idempotent. */
  stopSandbox(id: string, signal: AbortSignal): Promise<void>;
  /** Idempotent. */
  removeSandbox(id: string, signal: AbortSignal): Promise<void>;
  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
    signal: AbortSignal,
  ): Promise<string>;
  startContainer(id: string, signal: AbortSignal): Promise<void>;
  /**
   * SIGKILL after `graceSeconds`, and before, where there are any, `stopSignal`: the signal of that number, or of the
   * image, or SIGTERM. Returns when it has ended. Idempotent.
   */
  stopContainer(id: string, graceSeconds: number, signal: AbortSignal, stopSignal?: number): Promise<void>;
  /**
   * Other cpu and memory for one that runs. Idempotent; refuses a limit of memory that is less than what it uses, which
   * would end it. NotFound.
   */
  updateContainer(id: string, resources: UpdatedResources, signal: AbortSignal): Promise<void>;
  /** Idempotent. */
  removeContainer(id: string, signal: AbortSignal): Promise<void>;

  /**
   * Runs a command until it has ended and closed its output, of which the first 10 KiB are kept. Timeout
   * `timeoutSeconds` after it began: it and what it started are ended then, as they are when the signal aborts.
   */
  execSync(id: string, command: readonly string[], timeoutSeconds: number, signal: AbortSignal): Promise<ExecOutcome>;
  exec(
    id: string,
    options: { readonly command: readonly string[]; readonly tty: boolean; readonly stdin: boolean },
    signal: AbortSignal,
  ): Promise<ContainerStreams>;
  /** The streams of a running container's main process, from now on. `tty` is what the container was made with. */
  attach(
    id: string,
    options: { readonly tty: boolean; readonly stdin: boolean },
    signal: AbortSignal,
  ): Promise<ContainerStreams>;
  /** A TCP connection to a port of the sandbox's loopback address; `exit` says when nobody listens there. */
  portForward(sandboxId: string, port: number, signal: AbortSignal): Promise<ContainerStreams>;
  /** Makes a running container write to the file at its log path anew, after that was renamed. */
  reopenLog(id: string, signal: AbortSignal): Promise<void>;

  /** Ids of containers and sandboxes to which something happened. Only hints; ends with the connection. */
  events(signal: AbortSignal): AsyncIterable<string>;
  close(): Promise<void>;
}
