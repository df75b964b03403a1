/**
 * The protocol between the control plane and a node agent: HTTP/1.1 with JSON over the agent's Unix socket, reached
 * through the node's one SSH connection. Versioned by path (`/v1`).
 *
 * A node's *assignment* is a replicated subset of the object store: the Kubernetes objects that this node needs, by
 * object key.
 * - `Pod` bound to this node (deletionTimestamp set: stop it, with its grace period)
 * - `ConfigMap`, `Secret` that those pods refer to
 * - the `ProxyConfig` that is named as the node is, and the Secrets of its certificates and passwords, of any namespace
 * - every `Service` and `EndpointSlice` of the cluster, every `Node` (its routes; of the node's own also labels, taints
 *   and allocatable), the `Cluster` (its settings)
 * - every pool of addresses and who announces it to whom; the passwords of the routers that this node speaks to
 * - every `NetworkPolicy`, the labels of every `Namespace`, and who is in the groups that policies name (`PeerSlice`)
 * - `Source` with the applied revision (kept for recovery)
 * The agent keeps the assignment on its disk (Secrets in memory-backed storage only) and acts on it alone when nobody
 * calls.
 */
import { z } from 'zod';
import { NodeSystemInfo, ResourceList, type KubeObject, type ObjectKey } from '../objects/index.ts';
import { PodReport } from './inventory.ts';
import { STATIC_POD_LIMITS } from './places.ts';

export * from './alike.ts';
export * from './claimed-kinds.ts';
export * from './inventory.ts';
export * from './network.ts';
export * from './places.ts';
export * from './usage.ts';

/** Who speaks: an agent refuses a sender whose epoch is lower than one it has seen (HTTP 409 `StaleEpoch`). */
export interface Fence {
  /**
   * Counted in the control plane's store, one higher with each control plane that opens it; see core/nodes/epoch.ts.
   */
  readonly epoch: number;
}

/**
 * `POST /v1/assignment`: moves the assignment from version `from` to `to`. `from: null` replaces it whole. Answers 200
 * {@link AssignmentAck} once it is on disk, or 409 `VersionMismatch` with the agent's version: then send it whole. The
 * body may be compressed in a way that the agent names in its info. `remove` is done before `upsert`; of an object that
 * is there twice the last one counts.
 */
export interface AssignmentUpdate extends Fence {
  /** Name of the Node object that this agent is. */
  readonly node: string;
  readonly from: string | null;
  readonly to: string;
  readonly upsert: readonly KubeObject[];
  readonly remove: readonly ObjectKey[];
}
/** Envelope only: objects come from the control plane, which parsed them at its own boundary. */
export const AssignmentUpdate = z.object({
  epoch: z.int().min(0),
  node: z.string(),
  from: z.string().nullable(),
  to: z.string(),
  upsert: z.array(z.custom<KubeObject>((o) => typeof o === 'object' && o !== null && 'kind' in o && 'metadata' in o)),
  remove: z.array(z.custom<ObjectKey>((k) => typeof k === 'string')),
});
export const AssignmentAck = z.object({ version: z.string() });
export type AssignmentAck = z.infer<typeof AssignmentAck>;

const PressureReport = z.object({ pressure: z.boolean(), message: z.string() });

/** How far a gateway node's proxy follows its ProxyConfig. */
export const ProxyReport = z.object({
  /** `metadata.generation` of the ProxyConfig that is in force, but for what `problems` tell; null while none is. */
  generation: z.int().nullable(),
  /** What is not in force and why: of one port, or of all where no port is named (the proxy is not installed). */
  problems: z.array(z.object({ port: z.int().optional(), message: z.string().max(1000) })).max(100),
});
export type ProxyReport = z.infer<typeof ProxyReport>;

/** What routers hear of this node. */
export const BgpReport = z.object({
  /** One for each router that it speaks to: of a session that is not established, why not, as far as it is known. */
  sessions: z
    .array(z.object({ peer: z.string().max(600), established: z.boolean(), message: z.string().max(1000).optional() }))
    .max(100),
  /** What is not announced as it is asked for: to one router, or to all where none is named. */
  problems: z.array(z.object({ peer: z.string().max(600).optional(), message: z.string().max(1000) })).max(100),
});
export type BgpReport = z.infer<typeof BgpReport>;

/**
 * What the agent measures of its machine. `ready: false` carries Kubernetes' reason and message for the Ready
 * condition.
 */
export const NodeReport = z.object({
  internalIP: z.string(),
  /** Its address of IPv6 in a cluster that has both families; absent where it has none. */
  internalIPv6: z.string().max(64).optional(),
  /** Its own, where the cluster has WireGuard between nodes. Absent until it has one. */
  wireguardKey: z.string().max(64).optional(),
  hostname: z.string(),
  capacity: ResourceList,
  nodeInfo: NodeSystemInfo,
  ready: z.boolean(),
  reason: z.string(),
  message: z.string(),
  /** The assignment version whose rules, routes and proxy's endpoints are in force, and why not the newest. */
  networkVersion: z.string().nullable(),
  networkError: z.string().nullable(),
  /** Whether the node is short of each, and of what. Absent before the first look, and from agents that do not look. */
  memoryPressure: PressureReport.optional(),
  diskPressure: PressureReport.optional(),
  pidPressure: PressureReport.optional(),
  /** Volumes of its own that are to go, and of which nothing is left. Absent from agents that keep none. */
  goneVolumes: z.array(z.string().max(253)).max(1000).optional(),
  /**
   * Volumes of its own that are to grow: `bytes` of what they have now, or why one has not. Absent from agents that hold
   * none to a size.
   */
  growingVolumes: z
    .array(z.object({ name: z.string().max(253), bytes: z.number().optional(), message: z.string().optional() }))
    .max(1000)
    .optional(),
  /**
   * Bytes of its disk for volumes that are held to their sizes: for those of its own, whether they are made or not, and
   * for more. About: told anew where it differs by more than a few per cent. Absent from agents that hold none to a size.
   */
  volumeRoom: z.number().optional(),
  /** Volumes of a share that it tends: done, or why not. Absent from agents that tend none. */
  tendedVolumes: z
    .array(
      z.object({
        name: z.string().max(253),
        is: z.enum(['made', 'removed', 'failed']),
        message: z.string().optional(),
      }),
    )
    .max(1000)
    .optional(),
  /** The proxy of a node that has a ProxyConfig. Absent from others. */
  proxy: ProxyReport.optional(),
  /** Of a node that a BGPPeer is about. Absent from others. */
  bgp: BgpReport.optional(),
  /** Resident memory of the agent, bytes. */
  agentRss: z.int(),
});
export type NodeReport = z.infer<typeof NodeReport>;
export type TendedVolume = NonNullable<NodeReport['tendedVolumes']>[number];
export type GrowingVolume = NonNullable<NodeReport['growingVolumes']>[number];

/** An image that the node has, by digests and tags. */
export const NodeImage = z.object({ names: z.array(z.string()), sizeBytes: z.number() });
export type NodeImage = z.infer<typeof NodeImage>;

/** A file of the node's folder of static pods, as it is. */
export const StaticPodFile = z.object({
  name: z.string().max(255),
  text: z.string().max(STATIC_POD_LIMITS.bytes),
});
export type StaticPodFile = z.infer<typeof StaticPodFile>;

/** Something that happened to a pod, for an Event (Pulled, Created, Started, BackOff, Unhealthy, Killing, ...). */
export const PodEventReport = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  type: z.enum(['Normal', 'Warning']),
  reason: z.string(),
  message: z.string(),
  at: z.string(),
  count: z.int().default(1),
});
export type PodEventReport = z.infer<typeof PodEventReport>;

/** Something that happened to the node's machine, for an Event of the Node (PacketFilterRepaired). */
export const NodeEventReport = PodEventReport.pick({ type: true, reason: true, message: true, at: true, count: true });
export type NodeEventReport = z.infer<typeof NodeEventReport>;

/**
 * `GET /v1/status`: a stream of one JSON object a line. Begins with one `node`, the node's `images`, then all pods,
 * then `synced`; then each change as it happens and a `heartbeat` every {@link HEARTBEAT_SECONDS}. A reader leaves out
 * lines of a type that it does not know. `images` is apart from `node`, which changes with every assignment, and comes
 * later where the runtime has not listed them yet. `static-pods` has all of the node's own files, each time; without one
 * it has not looked yet.
 */
export const StatusLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('node'), node: NodeReport }),
  z.object({ type: z.literal('images'), images: z.array(NodeImage) }),
  z.object({
    type: z.literal('static-pods'),
    files: z
      .array(StaticPodFile)
      .max(STATIC_POD_LIMITS.files)
      .refine((files) => files.reduce((sum, { text }) => sum + text.length, 0) <= STATIC_POD_LIMITS.bytes, {
        error: `the files have more than ${STATIC_POD_LIMITS.bytes} bytes together`,
      }),
  }),
  z.object({ type: z.literal('pod'), pod: PodReport }),
  z.object({ type: z.literal('event'), event: PodEventReport }),
  z.object({ type: z.literal('node-event'), event: NodeEventReport }),
  z.object({ type: z.literal('synced') }),
  z.object({ type: z.literal('heartbeat'), at: z.string() }),
]);
export type StatusLine = z.infer<typeof StatusLine>;

/**
 * `GET /v1/logs?namespace=&pod=&container=&follow=&tail=&previous=&timestamps=&sinceSeconds=&sinceTime=`: plain text,
 * streamed while `follow=true`.
 */
export interface LogQuery {
  readonly namespace: string;
  readonly pod: string;
  readonly container?: string;
  readonly follow?: boolean;
  /** Last lines only; all when absent. */
  readonly tail?: number;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  /**
   * What was printed since: so many seconds ago by the node's clock, or RFC 3339. Of the last lines, where both are
   * asked.
   */
  readonly sinceSeconds?: number;
  readonly sinceTime?: string;
}

/**
 * `GET /v1/exec?namespace=&pod=&container=&command=&command=&tty=&stdin=` with `Connection: Upgrade`, `Upgrade:
 * plumb-exec`. After 101, frames in both directions: 1 byte channel, 4 bytes length (big-endian), payload. Channels as
 * in Kubernetes' remotecommand: 0 stdin (empty payload: end of input), 1 stdout, 2 stderr, 3 result (JSON {@link
 * ExecResult}, last frame), 4 terminal size (JSON {width,height}).
 *
 * In the same frames:
 * - `GET /v1/attach?namespace=&pod=&container=&stdin=`: the streams of a running container's main process, from now on;
 *   as a terminal where the container has one, with input where it has that. The result says nothing of its end.
 * - `GET /v1/portforward?namespace=&pod=&port=`: one TCP connection to a port of the pod's loopback address; 0 is what it
 *   is sent, 1 what it answers. The result has a message when nobody listens.
 *
 * Of all three together 100 at once are answered 101, and more of them 503 `TooManyStreams`; so are logs that are followed,
 * beside them.
 */
export const ExecResult = z.object({ exitCode: z.int(), message: z.string().optional() });
export type ExecResult = z.infer<typeof ExecResult>;

/** Body of every answer that is not 2xx. */
export const AgentError = z.object({
  code: z.string(),
  message: z.string(),
  version: z.string().nullable().optional(),
});
export type AgentError = z.infer<typeof AgentError>;
