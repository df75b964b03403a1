/**
 * `plumb node drain NAME --wait`: follows a drain that was pushed until nothing is left to leave, and says what keeps
 * it.
 */
import { DRAIN_TAINT, findCondition, type Node } from '../../contracts/objects/index.ts';
import { DRAINED } from '../../reconciler/core/health/drain.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { print, progress } from '../print/terminal.ts';

const LOOK_EVERY_MS = 1000;

export interface DrainWaitOptions {
  readonly home?: string;
  /** Seconds; 0 waits for ever. */
  readonly timeout: number;
}

export async function waitDrained(name: string, options: DrainWaitOptions): Promise<void> {
  const client = controlPlane(options.home);
  const deadline = options.timeout === 0 ? Infinity : performance.now() + options.timeout * 1000;
  let shown = '';
  for (;;) {
    const { done, message } = await look(client, name);
    if (done) return print(`node ${name} is drained\n`);
    if (message !== shown) progress(`waiting: ${message}`);
    shown = message;
    if (performance.now() >= deadline)
      throw new CliFailure(
        1,
        `node ${name} is not drained after ${options.timeout} s: ${message}`,
        'the drain goes on; `plumb node uncordon` and a push end it',
      );
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function look(
  client: ControlPlaneClient,
  name: string,
): Promise<{ readonly done: boolean; readonly message: string }> {
  const node = await client.get<Node>(`/api/v1/nodes/${encodeURIComponent(name)}`);
  if (!node.spec.taints?.some((taint) => taint.key === DRAIN_TAINT)) {
    return { done: false, message: `node ${name} is not being drained yet: push the change of its file` };
  }
  const drained = findCondition(node.status?.conditions, DRAINED);
  return { done: drained?.status === 'True', message: drained?.message ?? 'its pods have not been looked at yet' };
}
