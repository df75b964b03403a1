/** `GET /v1/logs`. */
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { joinSignals } from '../../../contracts/signals.ts';
import { logText } from '../../core/logs/cri-log.ts';
import type { NodeFolders } from '../../core/pod/layout.ts';
import { identityOf } from '../../core/pod/objects.ts';
import type { ObservedPod } from '../../core/pod/observed.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LogFiles } from '../../ports/log-files.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import { ApiError } from './answers.ts';
import { logPathOf, namedContainer } from './containers.ts';

export interface LogRequestDeps {
  readonly assignment: AssignmentStore;
  readonly logs: LogFiles;
  readonly folders: NodeFolders;
  readonly observed: (uid: string) => ObservedPod | undefined;
  readonly clock: Pick<Clock, 'now'>;
}

export async function streamLogs(
  response: ServerResponse,
  query: URLSearchParams,
  deps: LogRequestDeps,
  closing: AbortSignal,
): Promise<void> {
  const named = namedContainer(query, deps.assignment, deps.observed);
  const previous = query.get('previous') === 'true';
  const container = named.found.filter((one) => one.state !== 'created')[previous ? 1 : 0];
  const title = `container ${named.container} in pod ${named.pod.metadata.name}`;
  if (!container) {
    throw previous
      ? new ApiError(400, 'PreviousContainerNotFound', `previous terminated ${title} not found`)
      : new ApiError(400, 'ContainerNotStarted', `${title} is waiting to start`);
  }
  const tail = query.get('tail');
  if (tail !== null && !/^\d+$/.test(tail)) throw new ApiError(400, 'BadRequest', 'tail is no number');
  const since = sinceOf(query, deps.clock.now().getTime());
  const { uid } = identityOf(named.pod);
  const isRunning = (): boolean =>
    deps.observed(uid)?.containers.some((one) => one.id === container.id && one.state === 'running') ?? false;

  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.flushHeaders();
  using over = joinSignals(gone.signal, closing);
  const read = deps.logs.read(
    {
      path: logPathOf(named, container, deps.folders),
      tail: tail === null ? undefined : Number(tail),
      follow: query.get('follow') === 'true' ? { over: () => !isRunning() } : undefined,
    },
    over.signal,
  );
  const shown = logText({ timestamps: query.get('timestamps') === 'true', since });
  for await (const lines of read) {
    const flowing = response.write(shown(lines));
    if (!flowing) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}

/** Milliseconds, by the clock that the lines are stamped with; undefined where everything is asked for. */
function sinceOf(query: URLSearchParams, now: number): number | undefined {
  const [seconds, time] = [query.get('sinceSeconds'), query.get('sinceTime')];
  const since = seconds !== null ? now - Number(seconds) * 1000 : time !== null ? Date.parse(time) : undefined;
  if (Number.isNaN(since) || (seconds !== null && !/^\d+$/.test(seconds)))
    throw new ApiError(400, 'BadRequest', 'sinceSeconds is no number, or sinceTime no time');
  return since;
}
