/**
 * What an agent's word on its machine makes of the Node's status. Condition types and reasons as Kubernetes' kubelet
 * sets them.
 */
import {
  findCondition,
  parseMilli,
  parseQuantity,
  readKey,
  withCondition,
  type Condition,
  type Machine,
  type MachineSpec,
  type Node,
  type NodeStatus,
  type ResourceList,
  type Stored,
} from '../../../contracts/objects/index.ts';
import type { Pressure } from '../../../contracts/objects/taints.ts';
import type { NodeImage, NodeReport } from '../../../contracts/agent/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { reservedOf } from './reserve.ts';

/** Whether the control plane reaches the machine; on Machine and Node. */
export const CONNECTED = 'Connected';
/** Whether the agent has the newest assignment; on Node. */
export const ASSIGNMENT_SYNCED = 'AssignmentSynced';

/** What a node may be short of; with the reasons of the condition where it is, and where it is not. */
const PRESSURES: readonly {
  readonly type: Pressure;
  readonly told: (report: NodeReport) => NodeReport['diskPressure'];
  readonly reasons: readonly [string, string];
}[] = [
  {
    type: 'MemoryPressure',
    told: ({ memoryPressure }) => memoryPressure,
    reasons: ['AgentHasInsufficientMemory', 'AgentHasSufficientMemory'],
  },
  {
    type: 'DiskPressure',
    told: ({ diskPressure }) => diskPressure,
    reasons: ['AgentHasDiskPressure', 'AgentHasNoDiskPressure'],
  },
  {
    type: 'PIDPressure',
    told: ({ pidPressure }) => pidPressure,
    reasons: ['AgentHasInsufficientPID', 'AgentHasSufficientPID'],
  },
];

export interface NodeObservation {
  /** Its `internalIP` is empty where none is known that can be the node's. */
  readonly report: NodeReport;
  /** Absent while the agent has not told, or never does: what is known stays. */
  readonly images?: readonly NodeImage[] | undefined;
  readonly machine: Pick<MachineSpec, 'capacity' | 'reserved' | 'maxPods' | 'internalIP' | 'internalIPv6'>;
  /** When the agent gave its last sign of life, RFC 3339. */
  readonly heardAt: string;
}

/** The node's status after an observation. Conditions of others are kept. */
export function observedNodeStatus(
  before: NodeStatus | undefined,
  { report, images, machine, heardAt }: NodeObservation,
): NodeStatus {
  const capacity = { ...report.capacity, ...machine.capacity, pods: String(machine.maxPods) };
  const internalIP = machine.internalIP ?? report.internalIP;
  const second = machine.internalIPv6 ?? report.internalIPv6;
  let conditions: readonly Condition[] | undefined = before?.conditions;
  conditions = beating(
    conditions,
    { type: 'Ready', status: report.ready ? 'True' : 'False', reason: report.reason, message: report.message },
    heardAt,
  );
  conditions = beating(
    conditions,
    report.networkError === null
      ? {
          type: 'NetworkUnavailable',
          status: 'False',
          reason: 'RoutesCreated',
          message: 'routes and Service rules are in force',
        }
      : { type: 'NetworkUnavailable', status: 'True', reason: 'NetworkSyncFailed', message: report.networkError },
    heardAt,
  );
  for (const { type, told, reasons } of PRESSURES) {
    const seen = told(report);
    if (!seen) continue;
    const [short, well] = reasons;
    conditions = beating(
      conditions,
      {
        type,
        status: seen.pressure ? 'True' : 'False',
        reason: seen.pressure ? short : well,
        message: seen.message,
      },
      heardAt,
    );
  }
  const { proxy: _proxy, bgp: _bgp, ...kept } = before ?? {};
  return {
    ...kept,
    addresses: [
      ...(internalIP !== '' ? [{ type: 'InternalIP' as const, address: internalIP }] : []),
      ...(internalIP !== '' && second !== undefined ? [{ type: 'InternalIP' as const, address: second }] : []),
      { type: 'Hostname', address: report.hostname },
    ],
    capacity,
    allocatable: allocatable(capacity, withHugePages(capacity, reservedOf(capacity, machine.reserved))),
    conditions,
    nodeInfo: report.nodeInfo,
    ...(report.volumeRoom !== undefined && { volumeRoom: String(report.volumeRoom) }),
    ...(report.proxy && { proxy: report.proxy }),
    ...(report.bgp && { bgp: report.bgp }),
    ...(report.wireguardKey !== undefined && { wireguard: { publicKey: report.wireguardKey } }),
    ...(images && { images }),
  };
}

function beating(
  conditions: readonly Condition[] | undefined,
  next: Omit<Condition, 'lastTransitionTime'>,
  heardAt: string,
): Condition[] {
  return withCondition(conditions, { ...next, lastHeartbeatTime: heardAt }, heardAt);
}

/**
 * What huge pages hold is no longer to be had as memory. Source: Kubernetes pkg/kubelet/nodestatus/setters.go
 * (MachineInfo).
 */
function withHugePages(capacity: ResourceList, reserved: ResourceList): ResourceList {
  const held = Object.entries(capacity).reduce(
    (sum, [name, amount]) => sum + (name.startsWith('hugepages-') ? parseQuantity(amount) : 0),
    0,
  );
  return held === 0 ? reserved : { ...reserved, memory: String(parseQuantity(reserved['memory'] ?? '0') + held) };
}

/** Capacity without what is held back, never below zero. */
function allocatable(capacity: ResourceList, reserved: ResourceList): ResourceList {
  return Object.fromEntries(
    Object.entries(capacity).map(([name, amount]) => [name, without(name, amount, readKey(reserved, name))]),
  );
}

function without(name: string, amount: string, held: string | undefined): string {
  if (held === undefined) return amount;
  if (name === 'cpu') return `${Math.max(0, parseMilli(amount) - parseMilli(held))}m`;
  return String(Math.max(0, Math.floor(parseQuantity(amount) - parseQuantity(held))));
}

/** Whether writing `next` tells more than that time has passed since the last beat. */
export function differsBeyondHeartbeat(before: NodeStatus | undefined, next: NodeStatus): boolean {
  return canonicalJson(withoutBeats(before)) !== canonicalJson(withoutBeats(next));
}

function withoutBeats(status: NodeStatus | undefined): unknown {
  return { ...status, conditions: status?.conditions?.map(({ lastHeartbeatTime: _beat, ...rest }) => rest) };
}

/** The object with a condition set; undefined when it says so already. Serves Machines and Nodes. */
export function withStatusCondition<T extends Stored<Node> | Stored<Machine>>(
  object: T,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): T | undefined {
  const before = findCondition(object.status?.conditions, next.type);
  if (before && before.status === next.status && before.reason === next.reason && before.message === next.message)
    return undefined;
  return { ...object, status: { ...object.status, conditions: withCondition(object.status?.conditions, next, now) } };
}
