/**
 * Pods started by nothing but calls of the Container Runtime Interface: the floor for all that Plumbline does around them.
 * No scheduler, no network rules, no reports.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { criRuntime } from '../nodeagent/adapters/cri/cri-runtime.ts';
import { GrpcClient } from '../nodeagent/adapters/cri/grpc.ts';
import { createRunCommand } from '../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../nodeagent/adapters/system/clock.ts';
import type { ContainerConfig, PodIdentity, SandboxConfig } from '../nodeagent/core/pod/runtime-types.ts';
import type { ContainerRuntime } from '../nodeagent/ports/container-runtime.ts';
import { podMaker } from '../test/contract/container-runtime/pods.ts';
import type { Fleet } from '../test/e2e/fleet.ts';

/** The runtime tells of an exit a moment before it shows it. */
const FIRST_LOOK_MS = 15;
const LAST_LOOK_MS = 500;

export interface RawPod {
  readonly sandbox: string;
  readonly container: string;
}

/** The runtime of one host. */
export class RawHost {
  readonly #runtime: ContainerRuntime;
  readonly #signal: AbortSignal;
  readonly #following: Promise<void>;
  /** Called at an event of a container. */
  readonly #told = new Map<string, () => void>();
  readonly #stop = new AbortController();

  private constructor(runtime: ContainerRuntime, signal: AbortSignal) {
    this.#runtime = runtime;
    this.#signal = signal;
    this.#following = this.#follow().catch(() => undefined);
  }

  /** Those of all hosts of the fleet; their calls fail after so many seconds. */
  static all(fleet: Fleet, seconds: number): Promise<readonly RawHost[]> {
    return Promise.all(
      fleet.lab.nodes.map(async ({ name }) => {
        const client = new GrpcClient(`/proc/${await fleet.initPid(name)}/root/run/containerd/containerd.sock`);
        const runtime = criRuntime({ client, folder: '/nowhere', run: createRunCommand(), clock: systemClock });
        return new RawHost(runtime, AbortSignal.timeout(seconds * 1000));
      }),
    );
  }

  /** RunPodSandbox, CreateContainer, StartContainer. */
  async start(image: string, command: readonly string[]): Promise<RawPod> {
    const uid = randomUUID();
    const pod = { namespace: 'bench', name: `raw-${uid.slice(0, 8)}`, uid };
    const config = sandboxOf(pod);
    const sandbox = await this.#runtime.runSandbox(config, this.#signal);
    const made = containerOf(pod, image, command);
    const container = await this.#runtime.createContainer(sandbox, made, config, this.#signal);
    await this.#runtime.startContainer(container, this.#signal);
    return { sandbox, container };
  }

  /** Resolves when the container has exited. */
  async ended({ container }: RawPod): Promise<void> {
    for (let looks = 0; ; looks += 1) {
      const event = new Promise<void>((resolve) => this.#told.set(container, resolve));
      if ((await this.#runtime.container(container, this.#signal)).state === 'exited') break;
      await Promise.race([event, delay(Math.min(FIRST_LOOK_MS * 2 ** looks, LAST_LOOK_MS))]);
    }
    this.#told.delete(container);
  }

  /** StopPodSandbox, RemovePodSandbox. */
  async remove({ sandbox }: RawPod): Promise<void> {
    await this.#runtime.stopSandbox(sandbox, this.#signal);
    await this.#runtime.removeSandbox(sandbox, this.#signal);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#runtime.close();
    await this.#following;
  }

  async #follow(): Promise<void> {
    for await (const id of this.#runtime.events(this.#stop.signal)) this.#told.get(id)?.();
  }
}

/** Runs `work` over the items, so many at a time. */
export async function inFlight<T>(count: number, items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: count }, async () => {
      for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
    }),
  );
}

const PODS = podMaker(() => ({ image: '', logFolder: '/var/log/plumbline/pods' }));
/** No agent takes them for its own. */
const UNLABELLED = { labels: {}, annotations: {} };

function sandboxOf(pod: PodIdentity): SandboxConfig {
  const { namespace, name, uid } = pod;
  return PODS.sandboxOf(pod, {
    ...UNLABELLED,
    logDirectory: `/var/log/plumbline/pods/${namespace}_${name}_${uid}`,
    cgroupParent: `/bench/pod${uid}`,
  });
}

function containerOf(pod: PodIdentity, image: string, command: readonly string[]): ContainerConfig {
  return PODS.containerOf(pod, '', { ...UNLABELLED, attempt: 0, image, command, logPath: 'main.log' });
}
