/** What a pod's node is asked for: logs and streams, passed through to its agent. */
import type { Duplex, Readable } from 'node:stream';
import { AGENT_API, EXEC_UPGRADE, NODE_PATHS } from '../../contracts/agent/index.ts';
import { objectKey, type EphemeralContainer, type StoredPod } from '../../contracts/objects/index.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import type { Author } from '../core/admission/request.ts';
import { withOthersConditions, type ConditionWritten } from '../core/nodes/pod-conditions.ts';
import type { PlacementExplanation } from '../core/scheduling/explain.ts';
import type { DeletionPropagation, Step } from '../core/step.ts';
import { kubeTime } from '../core/storage/object-form.ts';
import { withEphemeralContainers } from '../core/workloads/ephemeral-containers.ts';
import type { StoreView } from '../controllers/runtime/controller.ts';
import type { Clock } from '../ports/clock.ts';
import type { NodeConnection } from '../ports/node-transport.ts';
import { ApiError, notFound } from './answers.ts';
import { failingContainer } from './explain.ts';
import type { ExplainedPod } from './types.ts';

export interface PodAccess {
  readonly view: StoreView;
  /** The open connection to a node's agent, or undefined while there is none. */
  readonly connectionTo: (nodeName: string) => NodeConnection | undefined;
  /** Where the control plane runs that speaks to the node, when it is another one. One alone has no others. */
  readonly heldElsewhere?: (nodeName: string) => string | undefined;
  readonly clock: Clock;
}

export interface PlacementAccess {
  readonly view: StoreView;
  /** Why a pod is where it is, or nowhere; undefined for one that needs no place any more. */
  readonly explainPlacement: (pod: StoredPod) => PlacementExplanation | undefined;
}

/** Writes to pods past Git. */
export interface WriteAccess {
  readonly view: StoreView;
  readonly clock: Clock;
  /** `Writer.submit`. */
  readonly submit: (steps: readonly Step[], by: Author, signal: AbortSignal) => Promise<void>;
}

/** Nobody but the owner of the control plane can open its socket. */
const API_USER = 'user:owner';
const EXPLAIN_LOG_LINES = 8;
const EXPLAIN_LOG_MS = 3000;
const MAX_LOG_BYTES = 64 * 1024;

function reach(
  deps: PodAccess,
  namespace: string,
  name: string,
): { readonly pod: StoredPod; readonly connection: NodeConnection } {
  const pod = podAt(deps.view, namespace, name);
  const node = pod.spec.nodeName;
  if (node === undefined)
    throw new ApiError(
      409,
      'NotScheduled',
      `pod ${namespace}/${name} is on no node yet: see why with \`plumb explain pod/${name} -n ${namespace}\``,
    );
  const connection = deps.connectionTo(node);
  const elsewhere = connection ? undefined : deps.heldElsewhere?.(node);
  if (elsewhere !== undefined)
    throw new ApiError(
      503,
      'NodeHeldElsewhere',
      `another control plane speaks to node ${node}: ask there, at ${elsewhere}`,
    );
  if (!connection)
    throw new ApiError(
      503,
      'NodeUnreachable',
      `there is no connection to node ${node}: see why with \`plumb node ls\``,
    );
  return { pod, connection };
}

/** Source: Kubernetes, meta/v1 DeleteOptions. */
export interface PodDeletion {
  readonly propagation?: DeletionPropagation | undefined;
  /**
   * Instead of the pod's own grace period. 0: the pod is forgotten at once, without its node's word that it has ended; it
   * may still run there.
   */
  readonly graceSeconds?: number | undefined;
}

/** Deletes a pod as Kubernetes does: gracefully, and held by its finalizers. ApiError where there is none. */
export async function deletePod(
  { view, submit }: WriteAccess,
  namespace: string,
  name: string,
  { propagation, graceSeconds }: PodDeletion,
  signal: AbortSignal,
): Promise<void> {
  const key = objectKey('Pod', namespace, name);
  const { uid } = podAt(view, namespace, name).metadata;
  const end = graceSeconds === 0 ? { gone: true as const } : graceSeconds !== undefined && { graceSeconds };
  await submit([{ do: 'delete', key, uid, ...(propagation && { propagation }), ...end }], API_USER, signal);
}

/**
 * Sets conditions that readiness gates may name. What is not said stays; of two at a time the later one counts. ApiError
 * 422 for a condition of the node's or the control plane's, and where a pod would have too many.
 */
export async function setConditions(
  { view, submit, clock }: WriteAccess,
  namespace: string,
  name: string,
  written: readonly ConditionWritten[],
  signal: AbortSignal,
): Promise<void> {
  const pod = podAt(view, namespace, name);
  const after = withOthersConditions(pod, written, kubeTime(clock.now()));
  if ('refused' in after) throw new ApiError(422, 'Invalid', after.refused);
  await submit([{ do: 'updateStatus', object: after }], API_USER, signal);
}

/** Puts containers into a running pod, past Git: its plan leaves them alone. ApiError 422 where the pod cannot have them. */
export async function addEphemeralContainers(
  { view, submit }: WriteAccess,
  namespace: string,
  name: string,
  wanted: readonly EphemeralContainer[],
  signal: AbortSignal,
): Promise<void> {
  const pod = podAt(view, namespace, name);
  const after = withEphemeralContainers(pod, wanted);
  if ('refused' in after) throw new ApiError(422, 'Invalid', after.refused);
  if (after !== pod) await submit([{ do: 'update', object: after }], API_USER, signal);
}

function podAt(view: StoreView, namespace: string, name: string): StoredPod {
  const pod = view.get(objectKey('Pod', namespace, name));
  if (!pod) throw notFound(`pods ${JSON.stringify(name)} not found in namespace ${namespace}`);
  return pod;
}

/** Why the pod is where it is. ApiError where there is no such pod, or nothing to say of it. */
export function podPlacement(deps: PlacementAccess, namespace: string, name: string): PlacementExplanation {
  const pod = podAt(deps.view, namespace, name);
  const explained = deps.explainPlacement(pod);
  if (!explained) throw notFound(`pod ${namespace}/${name} ended or is being deleted: it gets no place any more`);
  return explained;
}

/** Adds why the pod is where it is to its report. */
export function withPlacement(deps: PlacementAccess, explained: ExplainedPod): ExplainedPod {
  const pod = deps.view.get(objectKey('Pod', explained.namespace, explained.name));
  const placement = pod && deps.explainPlacement(pod);
  return placement ? { ...explained, placement } : explained;
}

function checkContainer(pod: StoredPod, container: string | undefined): void {
  const names = everyContainer(pod.spec).map((c) => c.name);
  if (container !== undefined && !names.includes(container))
    throw new ApiError(
      400,
      'BadRequest',
      `container ${container} is not in pod ${pod.metadata.name}: choose one of ${names.join(', ')}`,
    );
}

export interface LogRequest {
  readonly container?: string;
  readonly follow?: boolean;
  readonly tail?: number;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
}

/** The container's log as it comes. ApiError where the pod, its node or the log is not there. */
export async function podLog(
  deps: PodAccess,
  namespace: string,
  name: string,
  request: LogRequest,
  signal: AbortSignal,
): Promise<Readable> {
  const { pod, connection } = reach(deps, namespace, name);
  checkContainer(pod, request.container);
  const query = new URLSearchParams({
    namespace,
    pod: name,
    container: request.container ?? pod.spec.containers[0]?.name ?? '',
  });
  if (request.follow) query.set('follow', 'true');
  if (request.previous) query.set('previous', 'true');
  if (request.timestamps) query.set('timestamps', 'true');
  if (request.tail !== undefined) query.set('tail', String(request.tail));
  if (request.sinceSeconds !== undefined) query.set('sinceSeconds', String(request.sinceSeconds));
  if (request.sinceTime !== undefined) query.set('sinceTime', request.sinceTime);
  const answer = await connection.httpStream(NODE_PATHS.socket, `${AGENT_API}/logs?${query.toString()}`, signal);
  if (answer.status !== 200) throw await agentRefusal(deps, answer.status, answer.body, signal);
  return answer.body;
}

/** What a pod has that is a two-way stream, in the agent's frames: see contracts/agent. */
export type PodStream = 'exec' | 'attach' | 'portforward';

/**
 * `exec`: a command in a container. `attach`: a container's main process. `portforward`: one connection to a port of the
 * pod. ApiError where the pod or its node is not there, or the query is not right.
 */
export async function podStream(
  deps: PodAccess,
  what: PodStream,
  namespace: string,
  name: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<Duplex> {
  const { pod, connection } = reach(deps, namespace, name);
  const asked = new URLSearchParams({ namespace, pod: name });
  if (what === 'portforward') {
    asked.set('port', portOf(query));
  } else {
    checkContainer(pod, query.get('container') ?? undefined);
    asked.set('container', query.get('container') ?? pod.spec.containers[0]?.name ?? '');
    for (const flag of ['tty', 'stdin']) if (query.get(flag) === 'true') asked.set(flag, 'true');
  }
  if (what === 'exec') {
    const command = query.getAll('command');
    if (command.length === 0) throw new ApiError(400, 'BadRequest', 'a command is missing');
    for (const word of command) asked.append('command', word);
  }
  return connection.httpUpgrade(NODE_PATHS.socket, `${AGENT_API}/${what}?${asked.toString()}`, EXEC_UPGRADE, signal);
}

/** `ports`, as Kubernetes names it; one, as each connection is a stream of its own. */
function portOf(query: URLSearchParams): string {
  const port = query.get('ports') ?? '';
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw new ApiError(400, 'BadRequest', `ports: ${JSON.stringify(port)} is no port from 1 to 65535`);
  return port;
}

/**
 * Adds the failing container's last lines to a pod's report; leaves it as it is where the node does not answer in time.
 */
export async function withLastLines(
  deps: PodAccess,
  explained: ExplainedPod,
  signal: AbortSignal,
): Promise<ExplainedPod> {
  const pod = deps.view.get(objectKey('Pod', explained.namespace, explained.name));
  const failing = pod && failingContainer(pod);
  if (!failing) return explained;
  using limit = deps.clock.deadline(EXPLAIN_LOG_MS, signal);
  try {
    const body = await podLog(
      deps,
      explained.namespace,
      explained.name,
      { container: failing.container, previous: failing.previous, tail: EXPLAIN_LOG_LINES },
      limit.signal,
    );
    const text = await readText(body, limit.signal);
    return {
      ...explained,
      log: { ...failing, lines: text.trimEnd().split('\n').filter(Boolean).slice(-EXPLAIN_LOG_LINES) },
    };
  } catch {
    return explained;
  }
}

async function readText(body: Readable, signal: AbortSignal): Promise<string> {
  const stop = (): void => void body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    let text = '';
    for await (const chunk of body) {
      text += (chunk as Buffer).toString('utf8');
      if (text.length > MAX_LOG_BYTES) break;
    }
    return text;
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

async function agentRefusal(
  { clock }: Pick<PodAccess, 'clock'>,
  status: number,
  body: Readable,
  signal: AbortSignal,
): Promise<ApiError> {
  using limit = clock.deadline(EXPLAIN_LOG_MS, signal);
  const text = await readText(body, limit.signal).catch(() => '');
  let message = text;
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    // Plain words.
  }
  return new ApiError(
    status === 404 ? 404 : 502,
    status === 404 ? 'NotFound' : 'AgentError',
    message || `the node's agent answered ${status}`,
  );
}
