/** `plumb logs`: what a container printed. */
import { pipeline } from 'node:stream/promises';
import type { Pod } from '../../contracts/objects/index.ts';
import type { ObjectList } from '../../reconciler/api/types.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { containerOutput } from '../print/terminal.ts';
import { objectPath, parseTarget } from './get.ts';

export interface LogsOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
}

/**
 * A pod's name as it was written, or a pod of what owns some, such as a Deployment: a running one that stays, where there is one.
 */
export async function podName(client: ControlPlaneClient, word: string, namespace: string): Promise<string> {
  if (!word.includes('/')) return word;
  const { kind, name } = parseTarget(word);
  if (name === undefined) throw new CliFailure(2, `${word}: a name is missing after the slash`);
  if (kind === 'Pod') return name;
  const { items } = await client.get<ObjectList>(
    `${objectPath('Pod', namespace)}?owner=${encodeURIComponent(`${kind}/${name}`)}`,
  );
  const best = bestPod(items as readonly Pod[]);
  if (!best)
    throw new CliFailure(
      1,
      `${kind} ${namespace}/${name} has no pods`,
      `see why with: plumb explain ${word} -n ${namespace}`,
    );
  return best.metadata.name;
}

/** A running one that stays, where there is one. */
export function bestPod(pods: readonly Pod[]): Pod | undefined {
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return staying.find(({ status }) => status?.phase === 'Running') ?? staying[0] ?? pods[0];
}

export async function logs(word: string, options: LogsOptions): Promise<void> {
  const client = controlPlane(options.home);
  const query = new URLSearchParams();
  if (options.container !== undefined) query.set('container', options.container);
  if (options.follow) query.set('follow', 'true');
  if (options.previous) query.set('previous', 'true');
  if (options.timestamps) query.set('timestamps', 'true');
  if (options.tail !== undefined) query.set('tailLines', String(options.tail));
  const name = await podName(client, word, options.namespace);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    await pipeline(
      await client.stream(`${objectPath('Pod', options.namespace, name)}/log?${query.toString()}`, stop.signal),
      containerOutput(process.stdout, false),
    );
  } catch (error) {
    if (stop.signal.aborted) return;
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    // How Node.js says that an answer ended before its end: "aborted".
    throw new CliFailure(
      1,
      `the log of pod ${options.namespace}/${name} broke off: the agent of its node restarted, or the connection to the node or the control plane was lost`,
      'the container runs on; ask again',
    );
  }
}
