/** `plumb logs`: what containers printed. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Pod } from '../../contracts/objects/index.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import type { ObjectList } from '../../reconciler/api/types.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure, describeFailure } from '../failure.ts';
import { LogLines } from '../print/log-lines.ts';
import { containerOutput, progress } from '../print/terminal.ts';
import { objectPath, parseTarget } from './get.ts';

export interface LogsOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly container?: string;
  readonly allContainers?: boolean;
  /** Of pods; instead of one that is named. */
  readonly selector?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tail?: number | 'all';
  /** Seconds. */
  readonly since?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly timestamps?: boolean;
  readonly prefix?: boolean;
  /** How many may be followed at once. */
  readonly maxLogRequests: number;
}

/** Of each pod that a selector chooses, unless it is said. Source: kubectl's `logs`, as all that is not said here. */
const TAIL_OF_SELECTED = 10;

/**
 * A pod's name as it was written, or a pod of what owns some, such as a Deployment: a running one that stays, where
 * there is one.
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

export async function logs(word: string | undefined, options: LogsOptions): Promise<void> {
  checkUsage(word, options);
  const client = controlPlane(options.home);
  const sources = await sourcesOf(client, word, options);
  const { follow = false, maxLogRequests } = options;
  if (follow && sources.length > maxLogRequests)
    throw new CliFailure(
      1,
      `${sources.length} logs would be followed, and at most ${maxLogRequests} are`,
      'raise it with --max-log-requests, or choose fewer',
    );
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const output = containerOutput(process.stdout, false);
  // One alone is shown byte by byte, as it comes.
  const inLines = sources.length > 1 || options.prefix === true;
  const show = async (source: LogSource): Promise<void> => {
    const title = options.prefix ? `[pod/${source.pod}/${source.container}] ` : '';
    const lines = inLines ? new LogLines(title) : undefined;
    await showLog(await openLog(client, source, options, stop.signal), lines, output, stop.signal).catch(
      (error: unknown) => {
        throw brokenOff(error, source);
      },
    );
  };
  const failures: unknown[] = [];
  if (follow) {
    await Promise.all(sources.map((source) => show(source).catch((error: unknown) => failures.push(error))));
  } else {
    for (const source of sources) await show(source).catch((error: unknown) => failures.push(error));
  }
  output.end();
  await finished(output);
  if (stop.signal.aborted || failures.length === 0) return;
  for (const error of failures.slice(0, -1)) progress(describeFailure(error));
  throw failures.at(-1);
}

/** One container of one pod. */
interface LogSource {
  readonly namespace: string;
  readonly pod: string;
  /** The pod's first where it is absent. */
  readonly container?: string;
}

function checkUsage(
  word: string | undefined,
  { selector, allContainers: all, container, since, sinceTime }: LogsOptions,
): void {
  const wrong =
    (word === undefined) === (selector === undefined)
      ? 'name a pod, or choose some with --selector'
      : all && container !== undefined
        ? 'only one of --container and --all-containers can be given'
        : since !== undefined && sinceTime !== undefined
          ? 'only one of --since and --since-time can be given'
          : undefined;
  if (wrong !== undefined) throw new CliFailure(2, wrong);
}

async function sourcesOf(
  client: ControlPlaneClient,
  word: string | undefined,
  { namespace, selector, container, allContainers: all, prefix }: LogsOptions,
): Promise<readonly LogSource[]> {
  if (word !== undefined && !all && !prefix) {
    const pod = await podName(client, word, namespace);
    return [{ namespace, pod, ...(container !== undefined && { container }) }];
  }
  const pods =
    word === undefined
      ? ((
          await client.get<ObjectList>(
            `${objectPath('Pod', namespace)}?labelSelector=${encodeURIComponent(selector ?? '')}`,
          )
        ).items as readonly Pod[])
      : [await client.get<Pod>(objectPath('Pod', namespace, await podName(client, word, namespace)))];
  if (pods.length === 0) progress(`No resources found in ${namespace} namespace.`);
  return pods.flatMap(({ metadata, spec }): readonly LogSource[] => {
    const first = container ?? spec.containers[0]?.name ?? '';
    const names = all ? everyContainer(spec).map(({ name }) => name) : [first];
    return names.map((name) => ({ namespace, pod: metadata.name, container: name }));
  });
}

function openLog(
  client: ControlPlaneClient,
  { namespace, pod, container }: LogSource,
  options: LogsOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const query = queryOf(options);
  if (container !== undefined) query.set('container', container);
  return client.stream(`${objectPath('Pod', namespace, pod)}/log?${query.toString()}`, signal);
}

async function showLog(
  log: IncomingMessage,
  lines: LogLines | undefined,
  output: Writable,
  signal: AbortSignal,
): Promise<void> {
  const write = async (bytes: Buffer): Promise<void> => {
    if (bytes.length > 0 && !output.write(bytes)) await once(output, 'drain', { signal });
  };
  for await (const chunk of log as AsyncIterable<Buffer>) await write(lines ? lines.take(chunk) : chunk);
  if (lines) await write(lines.end());
}

function brokenOff(error: unknown, { namespace, pod }: LogSource): unknown {
  // How Node.js says that an answer ended before its end: "aborted".
  if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') return error;
  return new CliFailure(
    1,
    `the log of pod ${namespace}/${pod} broke off: the agent of its node restarted, or the connection to the node or the control plane was lost`,
    'the container runs on; ask again',
  );
}

function queryOf({ follow, previous, timestamps, tail, selector, since, sinceTime }: LogsOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (follow) query.set('follow', 'true');
  if (previous) query.set('previous', 'true');
  if (timestamps) query.set('timestamps', 'true');
  const lines = tail ?? (selector === undefined ? 'all' : TAIL_OF_SELECTED);
  if (lines !== 'all') query.set('tailLines', String(lines));
  if (since !== undefined) query.set('sinceSeconds', String(since));
  if (sinceTime !== undefined) query.set('sinceTime', sinceTime);
  return query;
}
