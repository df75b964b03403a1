/** What `plumb get` shows of each kind. Columns and pod status words follow kubectl's printers. */
import type { Kind, KubeObject, Node, ObjectsByKind, Pod } from '../../contracts/objects/index.ts';
import { findCondition } from '../../contracts/objects/index.ts';
import { age, short } from './table.ts';

interface Column<K extends Kind> {
  readonly heading: string;
  readonly wide?: boolean;
  cell(object: ObjectsByKind[K], seen: Seen): string;
}

/** From where the objects are looked at. */
interface Seen {
  readonly now: Date;
  /** Nodes that are not heard: what is known of their pods is how they were. */
  readonly unheard: ReadonlySet<string>;
}

const AGE = { heading: 'AGE', cell: (o: KubeObject, { now }: Seen) => age(o.metadata.creationTimestamp, now) };
const NAME = { heading: 'NAME', cell: (o: KubeObject) => o.metadata.name };
const NONE = '<none>';

/** The word in a pod's STATUS column. */
export function podStatusWord(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined)
    return pod.status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  const init = pod.status?.initContainerStatuses ?? [];
  for (const [index, c] of init.entries()) {
    if (c.state.terminated?.exitCode === 0) continue;
    const reason = c.state.terminated?.reason ?? c.state.waiting?.reason;
    return reason && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${index}/${init.length}`;
  }
  const statuses = pod.status?.containerStatuses ?? [];
  for (const c of statuses.toReversed()) {
    const reason = c.state.waiting?.reason ?? c.state.terminated?.reason;
    if (reason) return reason;
  }
  return pod.status?.reason ?? pod.status?.phase ?? 'Pending';
}

/** A pod that has ended stays ended, and one that is to go says so, whether its node is heard or not. */
function isPastKnowing(pod: Pod, unheard: ReadonlySet<string>): boolean {
  const over =
    pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed' || pod.metadata.deletionTimestamp !== undefined;
  return !over && pod.spec.nodeName !== undefined && unheard.has(pod.spec.nodeName);
}

/** What must be said of the nodes under these pods that are not heard, by their names. */
export function unheardNodes(nodes: readonly Node[], pods: readonly Pod[], now: Date): ReadonlyMap<string, string> {
  const used = new Set(pods.map((pod) => pod.spec.nodeName));
  return new Map(
    nodes
      .filter((node) => used.has(node.metadata.name) && nodeReady(node) === 'Unknown')
      .map((node) => {
        const { name } = node.metadata;
        const heard = findCondition(node.status?.conditions, 'Ready')?.lastHeartbeatTime;
        return [
          name,
          heard === undefined
            ? `node ${name} was not heard yet (Unknown): its pods are shown as they were left`
            : `node ${name} was last heard ${age(heard, now)} ago (Unknown): its pods are shown as they were then`,
        ];
      }),
  );
}

function nodeReady(node: Node): 'True' | 'False' | 'Unknown' {
  return findCondition(node.status?.conditions, 'Ready')?.status ?? 'Unknown';
}

function podReady(pod: Pod): string {
  return `${(pod.status?.containerStatuses ?? []).filter((c) => c.ready).length}/${pod.spec.containers.length}`;
}

function selector(labels: Readonly<Record<string, string>> | undefined): string {
  return (
    Object.entries(labels ?? {})
      .map(([k, v]) => `${k}=${v}`)
      .join(',') || NONE
  );
}

const COLUMNS: { readonly [K in Kind]: readonly Column<K>[] } = {
  Pod: [
    NAME,
    { heading: 'READY', cell: podReady },
    { heading: 'STATUS', cell: (p, { unheard }) => (isPastKnowing(p, unheard) ? 'Unknown' : podStatusWord(p)) },
    {
      heading: 'RESTARTS',
      cell: (p) => String((p.status?.containerStatuses ?? []).reduce((sum, c) => sum + c.restartCount, 0)),
    },
    AGE,
    { heading: 'IP', wide: true, cell: (p) => p.status?.podIP ?? NONE },
    { heading: 'NODE', wide: true, cell: (p) => p.spec.nodeName ?? NONE },
  ],
  Deployment: [
    NAME,
    { heading: 'READY', cell: (d) => `${d.status?.readyReplicas ?? 0}/${d.spec.replicas}` },
    { heading: 'UP-TO-DATE', cell: (d) => String(d.status?.updatedReplicas ?? 0) },
    { heading: 'AVAILABLE', cell: (d) => String(d.status?.availableReplicas ?? 0) },
    AGE,
    { heading: 'CONTAINERS', wide: true, cell: (d) => d.spec.template.spec.containers.map((c) => c.name).join(',') },
    { heading: 'IMAGES', wide: true, cell: (d) => d.spec.template.spec.containers.map((c) => c.image).join(',') },
    { heading: 'SELECTOR', wide: true, cell: (d) => selector(d.spec.selector.matchLabels) },
  ],
  ReplicaSet: [
    NAME,
    { heading: 'DESIRED', cell: (r) => String(r.spec.replicas) },
    { heading: 'CURRENT', cell: (r) => String(r.status?.replicas ?? 0) },
    { heading: 'READY', cell: (r) => String(r.status?.readyReplicas ?? 0) },
    AGE,
    { heading: 'IMAGES', wide: true, cell: (r) => r.spec.template.spec.containers.map((c) => c.image).join(',') },
  ],
  Service: [
    NAME,
    { heading: 'TYPE', cell: (s) => s.spec.type },
    { heading: 'CLUSTER-IP', cell: (s) => s.spec.clusterIP ?? '<pending>' },
    {
      heading: 'PORT(S)',
      cell: (s) =>
        s.spec.ports.map((p) => `${p.port}${p.nodePort === undefined ? '' : `:${p.nodePort}`}/${p.protocol}`).join(','),
    },
    AGE,
    { heading: 'SELECTOR', wide: true, cell: (s) => selector(s.spec.selector) },
  ],
  EndpointSlice: [
    NAME,
    { heading: 'ADDRESSTYPE', cell: (e) => e.addressType },
    { heading: 'PORTS', cell: (e) => e.ports.map((p) => String(p.port)).join(',') || NONE },
    {
      heading: 'ENDPOINTS',
      cell: (e) =>
        e.endpoints
          .filter((x) => x.conditions.ready)
          .flatMap((x) => x.addresses)
          .join(',') || NONE,
    },
    AGE,
  ],
  Node: [
    NAME,
    {
      heading: 'STATUS',
      cell: (n) => {
        const ready = nodeReady(n);
        return `${ready === 'True' ? 'Ready' : ready === 'False' ? 'NotReady' : 'Unknown'}${n.spec.unschedulable ? ',SchedulingDisabled' : ''}`;
      },
    },
    AGE,
    { heading: 'VERSION', cell: (n) => n.status?.nodeInfo?.agentVersion ?? NONE },
    {
      heading: 'INTERNAL-IP',
      wide: true,
      cell: (n) => n.status?.addresses?.find((a) => a.type === 'InternalIP')?.address ?? NONE,
    },
    { heading: 'OS-IMAGE', wide: true, cell: (n) => n.status?.nodeInfo?.osImage ?? NONE },
    { heading: 'KERNEL-VERSION', wide: true, cell: (n) => n.status?.nodeInfo?.kernelVersion ?? NONE },
    { heading: 'CONTAINER-RUNTIME', wide: true, cell: (n) => n.status?.nodeInfo?.containerRuntimeVersion ?? NONE },
  ],
  Machine: [
    NAME,
    { heading: 'ADDRESS', cell: (m) => `${m.spec.user}@${m.spec.address}:${m.spec.port}` },
    {
      heading: 'CONNECTED',
      cell: (m) => {
        const c = m.status?.conditions?.[0];
        return c ? (c.status === 'True' ? 'True' : (c.reason ?? c.status)) : 'Unknown';
      },
    },
    AGE,
  ],
  Namespace: [NAME, { heading: 'STATUS', cell: (n) => n.status?.phase ?? 'Active' }, AGE],
  ConfigMap: [NAME, { heading: 'DATA', cell: (c) => String(Object.keys({ ...c.data, ...c.binaryData }).length) }, AGE],
  Secret: [
    NAME,
    { heading: 'TYPE', cell: (s) => s.type },
    { heading: 'DATA', cell: (s) => String(Object.keys(s.data).length) },
    AGE,
  ],
  ServiceAccount: [NAME, AGE],
  Cluster: [
    NAME,
    { heading: 'POD-CIDR', cell: (c) => c.spec.network.podCIDR },
    { heading: 'SERVICE-CIDR', cell: (c) => c.spec.network.serviceCIDR },
    AGE,
  ],
  Source: [
    NAME,
    { heading: 'BRANCH', cell: (s) => s.spec.branch },
    { heading: 'OBSERVED', cell: (s) => short(s.status?.observedRevision) },
    { heading: 'APPLIED', cell: (s) => short(s.status?.appliedRevision) },
    { heading: 'OUTCOME', cell: (s) => s.status?.history[0]?.outcome ?? NONE },
    AGE,
    { heading: 'URL', wide: true, cell: (s) => s.spec.url },
  ],
  PriorityClass: [
    NAME,
    { heading: 'VALUE', cell: (c) => String(c.value) },
    { heading: 'GLOBAL-DEFAULT', cell: (c) => String(c.globalDefault) },
    AGE,
    { heading: 'PREEMPTIONPOLICY', cell: (c) => c.preemptionPolicy },
  ],
  PodDisruptionBudget: [
    NAME,
    { heading: 'MIN AVAILABLE', cell: (b) => String(b.spec.minAvailable ?? 'N/A') },
    { heading: 'MAX UNAVAILABLE', cell: (b) => String(b.spec.maxUnavailable ?? 'N/A') },
    { heading: 'ALLOWED DISRUPTIONS', cell: (b) => String(b.status?.disruptionsAllowed ?? 0) },
    AGE,
  ],
  PodGroup: [
    NAME,
    { heading: 'PHASE', cell: (g) => g.status?.phase ?? '' },
    { heading: 'MINMEMBER', cell: (g) => String(g.spec.minMember) },
    { heading: 'RUNNING', cell: (g) => String(g.status?.running ?? '') },
    { heading: 'SUCCEEDED', cell: (g) => String(g.status?.succeeded ?? '') },
    { heading: 'FAILED', cell: (g) => String(g.status?.failed ?? '') },
    AGE,
  ],
  KubeSchedulerConfiguration: [
    NAME,
    { heading: 'PROFILES', cell: (c) => c.profiles.map((p) => p.schedulerName).join(',') },
    AGE,
  ],
  DeschedulerPolicy: [
    NAME,
    { heading: 'PROFILES', cell: (d) => d.profiles.map((p) => p.name).join(',') || NONE },
    {
      heading: 'INTERVAL',
      cell: (d) => (d.deschedulingIntervalSeconds === undefined ? NONE : `${d.deschedulingIntervalSeconds}s`),
    },
    AGE,
  ],
  SchedulerPlugin: [
    NAME,
    { heading: 'POINTS', cell: (p) => [p.spec.filter && 'filter', p.spec.score && 'score'].filter(Boolean).join(',') },
    AGE,
    { heading: 'FILTER', wide: true, cell: (p) => p.spec.filter?.expression ?? NONE },
    { heading: 'SCORE', wide: true, cell: (p) => p.spec.score?.expression ?? NONE },
  ],
  Event: [
    { heading: 'LAST SEEN', cell: (e, { now }) => age(e.lastTimestamp, now) },
    { heading: 'TYPE', cell: (e) => e.type },
    { heading: 'REASON', cell: (e) => e.reason },
    { heading: 'OBJECT', cell: (e) => `${e.involvedObject.kind.toLowerCase()}/${e.involvedObject.name}` },
    { heading: 'COUNT', wide: true, cell: (e) => String(e.count) },
    { heading: 'MESSAGE', cell: (e) => e.message },
  ],
};

/** How objects are listed. */
export interface Listing {
  readonly wide: boolean;
  readonly namespace: boolean;
  readonly now: Date;
  /** Nodes that are not heard; none when absent. */
  readonly unheard?: ReadonlySet<string>;
}

/** Headings and rows for objects of one kind. */
export function rowsOf<K extends Kind>(
  kind: K,
  objects: readonly ObjectsByKind[K][],
  { wide, namespace, now, unheard = new Set() }: Listing,
): { headings: string[]; rows: string[][] } {
  const columns = COLUMNS[kind].filter((column) => wide || column.wide !== true);
  return {
    headings: [...(namespace ? ['NAMESPACE'] : []), ...columns.map((column) => column.heading)],
    rows: objects.map((object) => [
      ...(namespace ? [object.metadata.namespace ?? ''] : []),
      ...columns.map((column) => column.cell(object, { now, unheard })),
    ]),
  };
}
