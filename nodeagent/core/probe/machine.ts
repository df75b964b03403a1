/**
 * Probes of one running container: when each is due, and what its answers come to. Source: Kubernetes documentation,
 * "Configure Liveness, Readiness and Startup Probes". While a startup probe has not succeeded, the other two wait;
 * readiness begins as failed, liveness as passed. Each kind has a beat of its own, whatever the others do. Times
 * (`now`, `at`, `dueAt`) are milliseconds of a clock that never steps.
 */
import type { Container, Probe } from '../../../contracts/objects/index.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

interface Streak {
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
 * How long a container has run, in milliseconds, from the wall's word for its start. The wall's clock may have been set
 * since: a start in the future is now, and one before the last look that did not show the container (`unseenFor`
 * milliseconds ago; undefined when nobody looked before) is not believed.
 */
export function runningFor(startedAt: number, wallNow: number, unseenFor: number | undefined): number {
  return Math.max(0, Math.min(wallNow - startedAt, unseenFor ?? Number.POSITIVE_INFINITY));
}

/**
 * The state of a container that is first seen at `now`, when it has run for `age` milliseconds. `known`: what was last
 * reported of this very container, so that an agent that starts anew takes nothing out of service. `jitter` in [0, 1)
 * spreads the first probes of containers found running together.
 */
export function beginProbes(
  container: Container,
  age: number,
  known: { readonly started: boolean; readonly ready: boolean } | undefined,
  now: number,
  jitter: number,
): ContainerProbes {
  const streaks: Partial<Record<ProbeKind, Streak>> = {};
  for (const [kind, probe] of Object.entries(probesOf(container)) as [ProbeKind, Probe][]) {
    const first = now - age + probe.initialDelaySeconds * 1000;
    streaks[kind] = {
      dueAt: known ? Math.max(first, now + jitter * probe.periodSeconds * 1000) : first,
      last: undefined,
      count: 0,
    };
  }
  return {
    started: known?.started ?? container.startupProbe === undefined,
    ready: known?.ready ?? container.readinessProbe === undefined,
    kill: undefined,
    streaks,
  };
}

/**
 * When to make a probe of this kind next; undefined while it waits for the startup probe, and when there is none to
 * make any more.
 */
export function nextProbe(
  container: Container,
  state: ContainerProbes,
  kind: ProbeKind,
): { readonly probe: Probe; readonly at: number } | undefined {
  const probe = probesOf(container)[kind];
  const streak = state.streaks[kind];
  if (state.kill || state.started === (kind === 'startup') || !probe || !streak) return undefined;
  return { probe, at: streak.dueAt };
}

export interface ProbeAnswered {
  readonly kind: ProbeKind;
  readonly outcome: 'success' | 'failure' | 'unknown';
  readonly message: string;
}

export function afterProbe(
  container: Container,
  state: ContainerProbes,
  answered: ProbeAnswered,
  now: number,
): ContainerProbes {
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
      if (passed)
        return {
          ...next,
          started: true,
          streaks: mapStreaks(next.streaks, (streak) => ({ ...streak, dueAt: Math.max(streak.dueAt, now) })),
        };
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

function mapStreaks(
  streaks: ContainerProbes['streaks'],
  change: (streak: Streak) => Streak,
): ContainerProbes['streaks'] {
  return Object.fromEntries(Object.entries(streaks).map(([kind, streak]) => [kind, change(streak)]));
}
