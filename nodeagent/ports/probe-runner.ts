/** Asks a container how it is, once. */
import type { ProbeTarget } from '../core/probe/target.ts';

/** `unknown`: the probe could not be made; it counts for nothing. */
export interface ProbeAnswer {
  readonly outcome: 'success' | 'failure' | 'unknown';
  readonly message: string;
}

export interface ProbeRunner {
  /** Never rejects; a time-out is a failure. */
  run(target: ProbeTarget, timeoutSeconds: number, signal: AbortSignal): Promise<ProbeAnswer>;
}
