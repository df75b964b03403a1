/** Runs the probes of all running containers, each at its own beat: one that hangs holds up no other. */
import type { Container, PodStatus } from '../../contracts/objects/index.ts';
import type { ProbeVerdict } from '../core/pod/observed.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import {
  afterProbe,
  beginProbes,
  nextProbe,
  probesOf,
  runningFor,
  type ContainerProbes,
  type ProbeKind,
} from '../core/probe/machine.ts';
import { probeTarget } from '../core/probe/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { ProbeRunner } from '../ports/probe-runner.ts';
import type { PodEvent } from './status-hub.ts';

export interface ProbedContainer {
  readonly spec: Container;
  readonly id: string;
  /** Milliseconds since 1970, as the runtime has it. */
  readonly startedAt: number;
}

export interface Prober {
  /** What runs now. Containers that are no longer named are forgotten; new ones begin. */
  follow(pod: PodIdentity, address: string, running: readonly ProbedContainer[], previous: PodStatus | undefined): void;
  /** Stops probing; the verdicts stay as they are. */
  freeze(uid: string): void;
  verdicts(uid: string): ReadonlyMap<string, ProbeVerdict>;
  forget(uid: string): void;
  close(): Promise<void>;
}

export interface ProberDeps {
  readonly runner: ProbeRunner;
  readonly clock: Clock;
  /** A number in [0, 1), for spreading. */
  random(): number;
  /** A verdict changed. */
  onChange(uid: string): void;
  onEvent(pod: PodIdentity, event: PodEvent): void;
}

interface Watched {
  readonly container: ProbedContainer;
  state: ContainerProbes;
  readonly stop: AbortController;
}

interface Followed {
  readonly containers: Map<string, Watched>;
  /** When it was last told what runs; by the monotonic clock. */
  lookedAt: number;
}

const TITLE: Readonly<Record<ProbeKind, string>> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };

export function createProber(deps: ProberDeps): Prober {
  const pods = new Map<string, Followed>();
  const running = new Set<Promise<void>>();

  async function ask(pod: PodIdentity, address: string, watched: Watched, kind: ProbeKind): Promise<void> {
    const { container, stop } = watched;
    for (
      let next = nextProbe(container.spec, watched.state, kind);
      next;
      next = nextProbe(container.spec, watched.state, kind)
    ) {
      const wait = next.at - deps.clock.monotonic();
      if (wait > 0) {
        await deps.clock.sleep(wait, stop.signal);
        // Another kind of probe may have ended the container's time meanwhile.
        continue;
      }
      const target = probeTarget(next.probe, container.spec, container.id, address);
      const answer = target
        ? await deps.runner.run(target, next.probe.timeoutSeconds, stop.signal)
        : { outcome: 'failure' as const, message: 'the probe names a port that the container does not have' };
      stop.signal.throwIfAborted();
      if (answer.outcome === 'failure')
        deps.onEvent(pod, {
          type: 'Warning',
          reason: 'Unhealthy',
          message: `${TITLE[kind]} probe failed: ${answer.message}`,
        });
      const before = watched.state;
      watched.state = afterProbe(container.spec, before, { kind, ...answer }, deps.clock.monotonic());
      const { started, ready, kill } = watched.state;
      if (started !== before.started || ready !== before.ready || kill !== before.kill) deps.onChange(pod.uid);
    }
  }

  async function watch(pod: PodIdentity, address: string, watched: Watched): Promise<void> {
    await ask(pod, address, watched, 'startup');
    await Promise.allSettled([ask(pod, address, watched, 'liveness'), ask(pod, address, watched, 'readiness')]);
  }

  function begin(
    pod: PodIdentity,
    address: string,
    container: ProbedContainer,
    previous: PodStatus | undefined,
    lookedAt: number | undefined,
  ): Watched {
    const known = [...(previous?.initContainerStatuses ?? []), ...(previous?.containerStatuses ?? [])].find(
      (status) => status.containerID === `containerd://${container.id}` && status.state.running !== undefined,
    );
    const now = deps.clock.monotonic();
    const age = runningFor(
      container.startedAt,
      deps.clock.now().getTime(),
      lookedAt === undefined ? undefined : now - lookedAt,
    );
    const state = beginProbes(
      container.spec,
      age,
      known && { started: known.started ?? true, ready: known.ready },
      now,
      deps.random(),
    );
    const watched: Watched = { container, state, stop: new AbortController() };
    const done = watch(pod, address, watched)
      .catch(() => undefined)
      .finally(() => running.delete(done));
    running.add(done);
    return watched;
  }

  const containersOf = (uid: string): ReadonlyMap<string, Watched> =>
    pods.get(uid)?.containers ?? new Map<string, Watched>();
  const stopAll = (uid: string): void => {
    for (const one of containersOf(uid).values()) one.stop.abort();
  };

  return {
    follow(pod, address, shown, previous) {
      const before = pods.get(pod.uid);
      const containers = before?.containers ?? new Map<string, Watched>();
      pods.set(pod.uid, { containers, lookedAt: deps.clock.monotonic() });
      for (const [id, one] of containers) {
        if (shown.some((container) => container.id === id)) continue;
        one.stop.abort();
        containers.delete(id);
      }
      for (const container of shown) {
        const hasProbes = Object.keys(probesOf(container.spec)).length > 0;
        if (hasProbes && !containers.has(container.id))
          containers.set(container.id, begin(pod, address, container, previous, before?.lookedAt));
      }
    },
    freeze: stopAll,
    verdicts: (uid) =>
      new Map(
        [...containersOf(uid)].map(([id, watched]) => [
          id,
          { started: watched.state.started, ready: watched.state.ready, kill: verdictKill(watched) },
        ]),
      ),
    forget(uid) {
      stopAll(uid);
      pods.delete(uid);
    },
    async close() {
      for (const uid of pods.keys()) stopAll(uid);
      await Promise.all(running);
    },
  };
}

function verdictKill({ state, container }: Watched): ProbeVerdict['kill'] {
  return state.kill && { ...state.kill, message: `Container ${container.spec.name} ${state.kill.message}` };
}
