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
import type { NodeImage, NodeReport } from '../../../contracts/agent/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { reservedOf } from './reserve.ts';

/** Whether the control plane reaches the machine; on Machine and Node. */
export const CONNECTED = 'Connected';
/** Whether the agent has the newest assignment; on Node. */
export const ASSIGNMENT_SYNCED = 'AssignmentSynced';

/** Whether the machine is short of disk; on Node. */
export const DISK_PRESSURE = 'DiskPressure';

export interface NodeObservation {
  /** Its `internalIP` is empty where none is known that can be the node's. */
  readonly report: NodeReport;
  /** Absent while the agent has not told, or never does: what is known stays. */
  readonly images?: readonly NodeImage[] | undefined;
  readonly machine: Pick<MachineSpec, 'capacity' | 'reserved' | 'maxPods' | 'internalIP'>;
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
  if (report.diskPressure) {
    const { pressure, message } = report.diskPressure;
    conditions = beating(
      conditions,
      {
        type: DISK_PRESSURE,
        status: pressure ? 'True' : 'False',
        reason: pressure ? 'AgentHasDiskPressure' : 'AgentHasNoDiskPressure',
        message,
      },
      heardAt,
    );
  }
  return {
    ...before,
    addresses: [
      ...(internalIP !== '' ? [{ type: 'InternalIP' as const, address: internalIP }] : []),
      { type: 'Hostname', address: report.hostname },
    ],
    capacity,
    allocatable: allocatable(capacity, reservedOf(capacity, machine.reserved)),
    conditions,
    nodeInfo: report.nodeInfo,
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
