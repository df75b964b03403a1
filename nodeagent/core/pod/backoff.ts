/**
 * Pauses before something is tried again. Kubernetes' numbers: 10 s, doubling to 300 s; forgotten after ten minutes of
 * running. Source: Kubernetes documentation, "Container restart policy".
 */
export const FIRST_PAUSE_MS = 10_000;
export const LONGEST_PAUSE_MS = 300_000;
export const FORGET_AFTER_MS = 600_000;

export function nextPause(before: number): number {
  return before === 0 ? FIRST_PAUSE_MS : Math.min(before * 2, LONGEST_PAUSE_MS);
}

export interface Ended {
  /** By the wall, as the runtime has both. */
  readonly startedAt: number;
  readonly finishedAt: number;
  /** When it ended, by the monotonic clock. */
  readonly endedAt: number;
  /** Pause that was set when this container was made: 0 for a pod's first, which is restarted at once. */
  readonly backoffMs: number;
}

/**
 * When a container that ended may be started again, by the monotonic clock, and the pause that its successor will have.
 */
export function restartAfter(ended: Ended): {
  readonly at: number;
  readonly pauseMs: number;
  readonly successorPauseMs: number;
} {
  const ranLong = ended.startedAt > 0 && ended.finishedAt - ended.startedAt >= FORGET_AFTER_MS;
  const pauseMs = ranLong ? 0 : ended.backoffMs;
  return { at: ended.endedAt + pauseMs, pauseMs, successorPauseMs: nextPause(pauseMs) };
}

/** `10s`, `1m20s`, `5m0s`: as Go prints a duration, which is how Kubernetes' messages show it. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
