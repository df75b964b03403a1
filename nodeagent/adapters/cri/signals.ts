/**
 * A stop signal of the pod's own. containerd's CRI has no field for one before 2.2: the agent sends it itself, through
 * the task service.
 */
import type { Clock } from '../../ports/clock.ts';
import { RuntimeError } from '../../ports/container-runtime.ts';
import type { GrpcClient } from './grpc.ts';
import { TASKS } from './task-messages.ts';

const QUICK_MS = 30_000;

export interface Signals {
  /**
   * Sends the signal to the container's main process and waits for its end, `graceMs` at most. False where it could not
   * be sent: the runtime then ends the container in its own way. Throws where `signal` aborts.
   */
  end(containerId: string, number: number, graceMs: number, signal: AbortSignal): Promise<boolean>;
}

export function taskSignals({ client, clock }: { readonly client: GrpcClient; readonly clock: Clock }): Signals {
  return {
    async end(containerId, number, graceMs, signal) {
      try {
        await client.unary(TASKS.kill, { containerId, execId: '', signal: number }, { signal, timeoutMs: QUICK_MS });
      } catch (cause) {
        if (signal.aborted) throw cause;
        return false;
      }
      using grace = clock.deadline(graceMs, signal);
      await client.unary(TASKS.wait, { containerId, execId: '' }, { signal: grace.signal }).catch((cause: unknown) => {
        if (signal.aborted) throw new RuntimeError('Cancelled', 'the end was given up', { cause });
        const isGone = cause instanceof RuntimeError && cause.failure === 'NotFound';
        // Who asks again begins anew: what is left of the grace is the caller's to know.
        if (!isGone && !grace.signal.aborted) throw cause;
      });
      return true;
    },
  };
}
