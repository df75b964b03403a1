/**
 * A container runtime without a machine. Programs are the few shell lines that {@link MemoryProgram} understands; time
 * is the clock's. Behaves as the real one where the contract suite looks.
 */
import { PassThrough } from 'node:stream';
import { signalNumber } from '../../../contracts/objects/stop-signals.ts';
import { LABEL } from '../../core/pod/identity.ts';
import type {
  ContainerConfig,
  ContainerDetail,
  ContainerSummary,
  SandboxConfig,
  SandboxSummary,
} from '../../core/pod/runtime-types.ts';
import type { Clock } from '../../ports/clock.ts';
import { RuntimeError, type ContainerRuntime, type ContainerStreams } from '../../ports/container-runtime.ts';

/**
 * What a command line comes to: `exit N` ends at once; a `trap` ends with its code at that signal; anything else runs
 * until it is killed.
 */
type MemoryProgram = { readonly ends: number } | { readonly on: number | undefined; readonly exit: number };

interface Sandbox {
  readonly id: string;
  readonly config: SandboxConfig;
  readonly createdAt: number;
  readonly address: string;
  ready: boolean;
}
interface Container {
  readonly summary: Omit<ContainerSummary, 'state'>;
  readonly config: ContainerConfig;
  detail: ContainerDetail;
}

export interface MemoryRuntime extends ContainerRuntime {
  /** A container ends by itself. */
  crash(containerId: string, exitCode: number): void;
  /** A sandbox's holder dies. */
  loseSandbox(id: string): void;
}

/** Its default, and the one that containerd has of itself. */
const HANDLERS: ReadonlySet<string> = new Set(['', 'runc']);
const KILLED = 137;
const SIGTERM = 15;

export function memoryRuntime(clock: Clock): MemoryRuntime {
  const sandboxes = new Map<string, Sandbox>();
  const containers = new Map<string, Container>();
  const listeners = new Set<(id: string) => void>();
  let serial = 0;
  const nextId = (): string => (serial += 1).toString(16).padStart(64, '0');
  const now = (): number => clock.now().getTime();

  function needed(id: string): Container {
    const found = containers.get(id);
    if (!found) throw new RuntimeError('NotFound', `container "${id}": not found`);
    return found;
  }
  function end(container: Container, exitCode: number): void {
    if (container.detail.state !== 'running') return;
    container.detail = {
      ...container.detail,
      state: 'exited',
      finishedAt: now(),
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
    };
    for (const listener of listeners) listener(container.detail.id);
  }
  function inSandbox(id: string): readonly Container[] {
    return [...containers.values()].filter((container) => container.summary.sandboxId === id);
  }
  const isOf = (labels: Readonly<Record<string, string>>, podUid: string | undefined): boolean =>
    labels[LABEL.managed] === 'true' && (podUid === undefined || labels[LABEL.podUid] === podUid);

  return {
    version: async () => ({ name: 'memory', version: '1' }),
    health: async () => ({
      runtimeReady: true,
      networkReady: true,
      message: '',
      sandboxImage: 'pause',
      systemdCgroup: false,
      recursiveReadOnly: false,
      strictGroups: false,
      userNamespaces: [],
      networkPlugins: '/nowhere',
    }),

    async listSandboxes(podUid) {
      return [...sandboxes.values()]
        .filter((one) => isOf(one.config.labels, podUid))
        .map((one): SandboxSummary => ({
          id: one.id,
          pod: one.config.pod,
          attempt: one.config.attempt,
          ready: one.ready,
          createdAt: one.createdAt,
          annotations: one.config.annotations,
        }));
    },
    everySandbox: async () => new Set(sandboxes.keys()),
    async listContainers(podUid, signal) {
      signal.throwIfAborted();
      return [...containers.values()]
        .filter((one) => isOf(one.summary.labels, podUid))
        .map((one) => ({ ...one.summary, state: one.detail.state }));
    },
    async sandboxAddresses(id) {
      const sandbox = sandboxes.get(id);
      if (!sandbox) throw new RuntimeError('NotFound', `sandbox "${id}": not found`);
      return sandbox.config.hostNetwork || !sandbox.ready ? [] : [sandbox.address];
    },
    async sandboxNetwork(id) {
      const sandbox = sandboxes.get(id);
      if (!sandbox) throw new RuntimeError('NotFound', `sandbox "${id}": not found`);
      return sandbox.config.hostNetwork ? undefined : `/run/netns/${id}`;
    },
    container: async (id) => needed(id).detail,

    async runSandbox(config) {
      const twin = [...sandboxes.values()].find(
        (one) => one.config.pod.uid === config.pod.uid && one.config.attempt === config.attempt,
      );
      if (twin)
        throw new RuntimeError(
          'Other',
          `the name of sandbox ${config.pod.name} attempt ${config.attempt} is reserved for "${twin.id}"`,
        );
      if (!HANDLERS.has(config.runtimeHandler))
        throw new RuntimeError('Other', `no runtime for "${config.runtimeHandler}" is configured`);
      const id = nextId();
      const address = config.address ?? `198.18.0.${Number.parseInt(id, 16) % 250}`;
      if (config.address !== undefined && [...sandboxes.values()].some((one) => one.ready && one.address === address))
        throw new RuntimeError('Other', `the address ${address} is not available`);
      sandboxes.set(id, { id, config, createdAt: now(), address, ready: true });
      return id;
    },
    async stopSandbox(id) {
      const sandbox = sandboxes.get(id);
      for (const container of inSandbox(id)) end(container, KILLED);
      if (sandbox) sandbox.ready = false;
    },
    async removeSandbox(id) {
      for (const container of inSandbox(id)) containers.delete(container.detail.id);
      sandboxes.delete(id);
    },
    async createContainer(sandboxId, config) {
      if (!sandboxes.get(sandboxId)?.ready) throw new RuntimeError('NotFound', `sandbox "${sandboxId}": not found`);
      const id = nextId();
      containers.set(id, {
        config,
        summary: {
          id,
          sandboxId,
          podUid: config.labels[LABEL.podUid] ?? '',
          name: config.name,
          attempt: config.attempt,
          createdAt: now(),
          image: config.image,
          imageRef: config.image,
          labels: config.labels,
          annotations: config.annotations,
        },
        detail: {
          id,
          state: 'created',
          startedAt: 0,
          finishedAt: 0,
          exitCode: 0,
          reason: '',
          message: '',
          logPath: '',
        },
      });
      return id;
    },
    async startContainer(id) {
      const container = needed(id);
      if (container.detail.state !== 'created')
        throw new RuntimeError('Other', `container ${id} is not in created state`);
      container.detail = { ...container.detail, state: 'running', startedAt: now() };
      const program = programOf(container.config);
      if ('ends' in program) end(container, program.ends);
    },
    async stopContainer(id, graceSeconds, _signal, stopSignal = SIGTERM) {
      const container = containers.get(id);
      if (container?.detail.state !== 'running') return;
      const program = programOf(container.config);
      end(container, 'on' in program && graceSeconds > 0 && program.on === stopSignal ? program.exit : KILLED);
    },
    async updateContainer(id) {
      if (needed(id).detail.state !== 'running') throw new RuntimeError('Other', `container ${id} is not running`);
    },
    async removeContainer(id) {
      containers.delete(id);
    },

    async execSync(id, command, timeoutSeconds, signal) {
      if (needed(id).detail.state !== 'running') throw new RuntimeError('Other', `container ${id} is not running`);
      const program = programOf({ command, args: [] });
      if ('ends' in program) return { exitCode: program.ends, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
      await clock.sleep(timeoutSeconds * 1000, signal);
      throw new RuntimeError('Timeout', `the command did not end within ${timeoutSeconds} s`);
    },
    async exec(id, { command, tty, stdin }) {
      if (needed(id).detail.state !== 'running') throw new RuntimeError('Other', `container ${id} is not running`);
      const program = programOf({ command, args: [] });
      return endedStreams({ stdin, stderr: !tty }, { exitCode: 'ends' in program ? program.ends : 0 });
    },
    async attach(id, { tty, stdin }) {
      if (needed(id).detail.state !== 'running') throw new RuntimeError('Other', `container ${id} is not running`);
      return endedStreams({ stdin, stderr: !tty }, { exitCode: 0 });
    },
    async portForward(sandboxId, port) {
      if (!sandboxes.get(sandboxId)?.ready) throw new RuntimeError('NotFound', `sandbox "${sandboxId}": not found`);
      return endedStreams({ stdin: true, stderr: false }, { exitCode: 1, message: `nobody listens on port ${port}` });
    },
    async reopenLog(id) {
      needed(id);
    },
    async *events(signal) {
      const heard: string[] = [];
      let ring = (): void => undefined;
      const listener = (id: string): void => {
        heard.push(id);
        ring();
      };
      listeners.add(listener);
      signal.addEventListener('abort', () => ring(), { once: true });
      try {
        while (!signal.aborted) {
          const id = heard.shift();
          if (id !== undefined) yield id;
          else
            await new Promise<void>((resolve) => {
              ring = resolve;
            });
        }
      } finally {
        listeners.delete(listener);
      }
    },
    close: async () => undefined,

    crash: (id, exitCode) => end(needed(id), exitCode),
    loseSandbox(id) {
      const sandbox = sandboxes.get(id);
      if (!sandbox) return;
      sandbox.ready = false;
      for (const listener of listeners) listener(id);
    },
  };
}

function programOf(config: Pick<ContainerConfig, 'command' | 'args'>): MemoryProgram {
  const line = [...config.command, ...config.args].at(-1) ?? '';
  const ends = /^exit (\d+)$/.exec(line)?.[1];
  if (ends !== undefined) return { ends: Number(ends) };
  const trap = /^trap "exit (\d+)" ([A-Z0-9]+)/.exec(line);
  return trap ? { on: signalNumber(`SIG${trap[2] ?? ''}`), exit: Number(trap[1]) } : { on: undefined, exit: 0 };
}

function endedStreams(
  has: { readonly stdin: boolean; readonly stderr: boolean },
  exit: { readonly exitCode: number; readonly message?: string },
): ContainerStreams {
  const over = (): PassThrough => new PassThrough().end();
  return {
    stdin: has.stdin ? new PassThrough() : undefined,
    stdout: over(),
    stderr: has.stderr ? over() : undefined,
    resize: () => undefined,
    exit: Promise.resolve(exit),
    close: () => undefined,
  };
}
