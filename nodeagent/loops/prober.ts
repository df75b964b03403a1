/** Runs the probes of all running containers, each at its own beat. */
import type { Container, PodStatus } from '../../contracts/objects/index.ts';
import type { ProbeVerdict } from '../core/pod/plan.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import { afterProbe, beginProbes, nextProbe, probesOf, type ContainerProbes, type ProbeKind } from '../core/probe/machine.ts';
import { probeTarget } from '../core/probe/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { ProbeRunner } from '../ports/probe-runner.ts';
import type { PodEvent } from './status-hub.ts';

export interface ProbedContainer {
  readonly spec: Container;
  readonly id: string;
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
  readonly done: Promise<void>;
}

const TITLE: Readonly<Record<ProbeKind, string>> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };

export function createProber(deps: ProberDeps): Prober {
  const pods = new Map<string, Map<string, Watched>>();
  const ended = new Set<Promise<void>>();

  async function watch(pod: PodIdentity, address: string, watched: Watched): Promise<void> {
    const { container, stop } = watched;
    for (let next = nextProbe(container.spec, watched.state); next; next = nextProbe(container.spec, watched.state)) {
      const wait = next.at - deps.clock.now().getTime();
      if (wait > 0) await deps.clock.sleep(wait, stop.signal);
      stop.signal.throwIfAborted();
      const target = probeTarget(next.probe, container.spec, container.id, address);
      const answer = target
        ? await deps.runner.run(target, next.probe.timeoutSeconds, stop.signal)
        : { outcome: 'failure' as const, message: 'the probe names a port that the container does not have' };
      stop.signal.throwIfAborted();
      if (answer.outcome === 'failure') deps.onEvent(pod, { type: 'Warning', reason: 'Unhealthy', message: `${TITLE[next.kind]} probe failed: ${answer.message}` });
      const before = watched.state;
      watched.state = afterProbe(container.spec, before, { kind: next.kind, ...answer }, deps.clock.now().getTime());
      const { started, ready, kill } = watched.state;
      if (started !== before.started || ready !== before.ready || kill !== before.kill) deps.onChange(pod.uid);
    }
  }

  function begin(pod: PodIdentity, address: string, container: ProbedContainer, previous: PodStatus | undefined): Watched {
    const known = previous?.containerStatuses?.find((status) => status.containerID === `containerd://${container.id}` && status.state.running !== undefined);
    const stop = new AbortController();
    const state = beginProbes(container.spec, container.startedAt, known && { started: known.started ?? true, ready: known.ready }, deps.clock.now().getTime(), deps.random());
    const watched: Watched = { container, state, stop, done: Promise.resolve() };
    const done = watch(pod, address, watched).catch(() => undefined).finally(() => ended.delete(done));
    ended.add(done);
    return watched;
  }

  return {
    follow(pod, address, running, previous) {
      const watched = pods.get(pod.uid) ?? new Map<string, Watched>();
      pods.set(pod.uid, watched);
      for (const [id, one] of watched) {
        if (running.some((container) => container.id === id)) continue;
        one.stop.abort();
        watched.delete(id);
      }
      for (const container of running) {
        const hasProbes = Object.keys(probesOf(container.spec)).length > 0;
        if (hasProbes && !watched.has(container.id)) watched.set(container.id, begin(pod, address, container, previous));
      }
    },
    freeze(uid) {
      for (const one of pods.get(uid)?.values() ?? []) one.stop.abort();
    },
    verdicts: (uid) => new Map([...(pods.get(uid) ?? [])].map(([id, { state }]) => [id, { started: state.started, ready: state.ready, kill: verdictKill(state, pods.get(uid)?.get(id)) }])),
    forget(uid) {
      for (const one of pods.get(uid)?.values() ?? []) one.stop.abort();
      pods.delete(uid);
    },
    async close() {
      for (const uid of pods.keys()) for (const one of pods.get(uid)?.values() ?? []) one.stop.abort();
      await Promise.all(ended);
    },
  };
}

function verdictKill(state: ContainerProbes, watched: Watched | undefined): ProbeVerdict['kill'] {
  return state.kill && watched && { ...state.kill, message: `Container ${watched.container.spec.name} ${state.kill.message}` };
}
