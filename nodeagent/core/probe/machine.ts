/**
 * Probes of one running container: when each is due, and what its answers come to.
 * Source: Kubernetes documentation, "Configure Liveness, Readiness and Startup Probes". While a startup probe has not succeeded, the
 * other two wait; readiness begins as failed, liveness as passed.
 */
import type { Container, Probe } from '../../../contracts/objects/index.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

interface Streak {
  /** Milliseconds since 1970. */
  readonly dueAt: number;
  readonly last: 'success' | 'failure' | undefined;
  readonly count: number;
}

export interface ContainerProbes {
  readonly started: boolean;
  readonly ready: boolean;
  /** Set once; the container has to be killed. */
  readonly kill: { readonly message: string; readonly graceSeconds: number | undefined } | undefined;
  readonly streaks: Readonly<Partial<Record<ProbeKind, Streak>>>;
}

export function probesOf(container: Container): Readonly<Partial<Record<ProbeKind, Probe>>> {
  return {
    ...(container.startupProbe && { startup: container.startupProbe }),
    ...(container.livenessProbe && { liveness: container.livenessProbe }),
    ...(container.readinessProbe && { readiness: container.readinessProbe }),
  };
}

/**
 * The state of a container that is first seen at `now`. `known`: what was last reported of this very container, so that an agent that
 * starts anew takes nothing out of service. `jitter` in [0, 1) spreads the first probes of containers found running together.
 */
export function beginProbes(container: Container, startedAt: number, known: { readonly started: boolean; readonly ready: boolean } | undefined, now: number, jitter: number): ContainerProbes {
  const streaks: Partial<Record<ProbeKind, Streak>> = {};
  for (const [kind, probe] of Object.entries(probesOf(container)) as [ProbeKind, Probe][]) {
    const first = startedAt + probe.initialDelaySeconds * 1000;
    streaks[kind] = { dueAt: known ? Math.max(first, now + jitter * probe.periodSeconds * 1000) : first, last: undefined, count: 0 };
  }
  return {
    started: known?.started ?? container.startupProbe === undefined,
    ready: known?.ready ?? container.readinessProbe === undefined,
    kill: undefined,
    streaks,
  };
}

/** The probe to make next and when; undefined when none is left to make. */
export function nextProbe(container: Container, state: ContainerProbes): { readonly kind: ProbeKind; readonly probe: Probe; readonly at: number } | undefined {
  if (state.kill) return undefined;
  const probes = probesOf(container);
  const active: readonly ProbeKind[] = state.started ? ['liveness', 'readiness'] : ['startup'];
  let next: { readonly kind: ProbeKind; readonly probe: Probe; readonly at: number } | undefined;
  for (const kind of active) {
    const probe = probes[kind];
    const streak = state.streaks[kind];
    if (probe && streak && (!next || streak.dueAt < next.at)) next = { kind, probe, at: streak.dueAt };
  }
  return next;
}

export interface ProbeAnswered {
  readonly kind: ProbeKind;
  readonly outcome: 'success' | 'failure' | 'unknown';
  readonly message: string;
}

export function afterProbe(container: Container, state: ContainerProbes, answered: ProbeAnswered, now: number): ContainerProbes {
  const probe = probesOf(container)[answered.kind];
  const before = state.streaks[answered.kind];
  if (!probe || !before) return state;
  const dueAt = Math.max(now, before.dueAt + probe.periodSeconds * 1000);
  if (answered.outcome === 'unknown') return withStreak(state, answered.kind, { ...before, dueAt });
  const count = before.last === answered.outcome ? before.count + 1 : 1;
  const next = withStreak(state, answered.kind, { dueAt, last: answered.outcome, count });
  const passed = answered.outcome === 'success' && count >= probe.successThreshold;
  const failed = answered.outcome === 'failure' && count >= probe.failureThreshold;
  switch (answered.kind) {
    case 'startup':
      // The waiting probes begin at once, not at a beat that passed while they waited.
      if (passed) return { ...next, started: true, streaks: mapStreaks(next.streaks, (streak) => ({ ...streak, dueAt: Math.max(streak.dueAt, now) })) };
      return failed ? { ...next, kill: killOf('startup', probe) } : next;
    case 'liveness':
      return failed ? { ...next, kill: killOf('liveness', probe) } : next;
    case 'readiness':
      return passed ? { ...next, ready: true } : failed ? { ...next, ready: false } : next;
  }
}

function killOf(kind: 'startup' | 'liveness', probe: Probe): NonNullable<ContainerProbes['kill']> {
  return { message: `failed ${kind} probe, will be restarted`, graceSeconds: probe.terminationGracePeriodSeconds };
}

function withStreak(state: ContainerProbes, kind: ProbeKind, streak: Streak): ContainerProbes {
  return { ...state, streaks: { ...state.streaks, [kind]: streak } };
}

function mapStreaks(streaks: ContainerProbes['streaks'], change: (streak: Streak) => Streak): ContainerProbes['streaks'] {
  return Object.fromEntries(Object.entries(streaks).map(([kind, streak]) => [kind, change(streak)]));
}
