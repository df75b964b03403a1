/** What `GET /v1/exec`, `/v1/attach` and `/v1/portforward` open, before they are upgraded. */
import { AGENT_API } from '../../../contracts/agent/places.ts';
import { presentSandbox, type ObservedPod } from '../../core/pod/observed.ts';
import type { ContainerRuntime, ContainerStreams } from '../../ports/container-runtime.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import { ApiError } from './answers.ts';
import { namedContainer, namedPod, type Named } from './containers.ts';

export interface StreamDeps {
  readonly assignment: AssignmentStore;
  readonly runtime: ContainerRuntime;
  readonly observed: (uid: string) => ObservedPod | undefined;
}

/** Throws {@link ApiError} or a RuntimeError. */
type OpenStreams = (query: URLSearchParams, deps: StreamDeps, closing: AbortSignal) => Promise<ContainerStreams>;

/** By path. */
export const STREAMS: ReadonlyMap<string, OpenStreams> = new Map([
  [`${AGENT_API}/exec`, openExec],
  [`${AGENT_API}/attach`, openAttach],
  [`${AGENT_API}/portforward`, openPort],
]);

async function openExec(query: URLSearchParams, deps: StreamDeps, closing: AbortSignal): Promise<ContainerStreams> {
  const id = runningId(namedContainer(query, deps.assignment, deps.observed));
  const command = query.getAll('command');
  if (command.length === 0) throw new ApiError(400, 'BadRequest', 'no command is given');
  return deps.runtime.exec(
    id,
    { command, tty: query.get('tty') === 'true', stdin: query.get('stdin') === 'true' },
    closing,
  );
}

/** A terminal where the container has one: what it prints through it is one stream, whoever looks. */
async function openAttach(query: URLSearchParams, deps: StreamDeps, closing: AbortSignal): Promise<ContainerStreams> {
  const named = namedContainer(query, deps.assignment, deps.observed);
  const id = runningId(named);
  const { tty, stdin } = named.spec;
  return deps.runtime.attach(id, { tty, stdin: stdin && query.get('stdin') === 'true' }, closing);
}

async function openPort(query: URLSearchParams, deps: StreamDeps, closing: AbortSignal): Promise<ContainerStreams> {
  const port = Number(query.get('port'));
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new ApiError(400, 'BadRequest', 'port is no number from 1 to 65535');
  const { pod, identity } = namedPod(query, deps.assignment);
  const sandbox = presentSandbox(deps.observed(identity.uid) ?? { sandboxes: [], address: '', containers: [] });
  if (!sandbox) throw new ApiError(400, 'PodNotRunning', `pod ${pod.metadata.name} is not running`);
  return deps.runtime.portForward(sandbox.id, port, closing);
}

function runningId({ pod, container, found }: Named): string {
  const running = found.find((one) => one.state === 'running');
  if (!running)
    throw new ApiError(400, 'ContainerNotRunning', `container ${container} in pod ${pod.metadata.name} is not running`);
  return running.id;
}
