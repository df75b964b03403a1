/** Takes Plumbline off a machine. */
import { RetryableError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { NodeConnection } from '../../ports/node-transport.ts';
import { AgentClient } from './agent-client.ts';
import { REMOVE, script } from './node-scripts.ts';

export interface RemoveOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Stop the node's pods first, for at most this long; 0 leaves their containers to whoever finds them. Milliseconds.
   */
  readonly stopPodsForMs: number;
}

/** Idempotent. Throws RetryableError `RemoveIncomplete` with what could not be removed. */
export async function removeAgent(connection: NodeConnection, options: RemoveOptions): Promise<void> {
  if (options.stopPodsForMs > 0)
    await stopPods(new AgentClient(connection, options.clock), connection.target.name, options);
  const result = await connection.run(script(REMOVE), { signal: options.signal });
  if (result.code !== 0)
    throw new RetryableError(
      'RemoveIncomplete',
      `machine ${connection.target.name}: ${result.stderr.trim().slice(0, 500) || `the removal ended with code ${result.code}`}`,
    );
}

/** Gives the agent nothing to do and waits until nothing is left. An agent that does not answer has nothing to stop. */
async function stopPods(
  client: AgentClient,
  node: string,
  { clock, signal, stopPodsForMs }: RemoveOptions,
): Promise<void> {
  try {
    const { epoch } = await client.info(signal);
    await client.assign({ epoch, node, from: null, to: 'removed', upsert: [], remove: [] }, signal);
    for (const end = clock.monotonic() + stopPodsForMs; clock.monotonic() < end; await clock.sleep(200, signal)) {
      if ((await client.inventory(signal)).pods.every((pod) => pod.gone)) return;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RetryableError)) throw error;
  }
}
