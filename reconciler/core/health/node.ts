/**
 * Machine to Node, and what silence does to it. Source: Kubernetes documentation, "Nodes: Node heartbeats" and "Taint
 * based Evictions".
 */
import {
  podRangeOf,
  ARCH_LABEL,
  findCondition,
  HOSTNAME_LABEL,
  objectKey,
  OS_LABEL,
  readKey,
  withCondition,
  type ClusterSpec,
  type Machine,
  type Node,
  type StoredMachine,
  type StoredNode,
  type Taint,
} from '../../../contracts/objects/index.ts';
import { PRESSURE_TAINTS } from '../../../contracts/objects/taints.ts';
import type { Decision, Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

export const NOT_READY_TAINT = 'node.kubernetes.io/not-ready';
export const UNREACHABLE_TAINT = 'node.kubernetes.io/unreachable';
export const UNSCHEDULABLE_TAINT = 'node.kubernetes.io/unschedulable';
/** Kubernetes' names for what machines call themselves. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', x86_64: 'amd64', aarch64: 'arm64' };

export interface NodeInput {
  readonly machine: StoredMachine | undefined;
  readonly node: StoredNode | undefined;
  /** Of the node's pods; undefined while none is left. */
  readonly podCIDR: string | undefined;
  readonly settings: ClusterSpec;
  readonly now: Date;
  /** For how long the node was not heard while it could have been. */
  readonly silentMs: number;
  /** Since its agent gave a sign of life over its connection; undefined when its object alone tells. */
  readonly heardMsAgo?: number | undefined;
  /** Milliseconds until the node may be emptied; undefined while it may not. */
  readonly evictsInMs: number | undefined;
  /** No node is ready. */
  readonly blind: boolean;
}

interface WantedTaints {
  readonly taints: readonly Taint[];
  /** Milliseconds until a NoExecute taint that has to wait its turn. */
  readonly waitsMs?: number;
}

/**
 * Its Machine's taints and those that follow from its condition. The one that empties it waits its turn, and while no
 * node is ready none has it: what is left then is that nothing new comes to it.
 */
function wantedTaints(input: NodeInput, machine: Machine, node: StoredNode | undefined): WantedTaints {
  const { now, evictsInMs, blind } = input;
  const conditions = node?.status?.conditions;
  const ready = findCondition(conditions, 'Ready');
  const before = node?.spec.taints ?? [];
  const wanted: Taint[] = (machine.spec.taints ?? []).map(({ timeAdded: _given, ...taint }) => taint);
  let waitsMs: number | undefined;
  if (machine.spec.unschedulable) wanted.push({ key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule' });
  for (const [pressure, key] of Object.entries(PRESSURE_TAINTS))
    if (findCondition(conditions, pressure)?.status === 'True') wanted.push({ key, effect: 'NoSchedule' });
  if (ready === undefined) wanted.push({ key: NOT_READY_TAINT, effect: 'NoSchedule' });
  else if (ready.status !== 'True') {
    const key = ready.status === 'Unknown' ? UNREACHABLE_TAINT : NOT_READY_TAINT;
    wanted.push({ key, effect: 'NoSchedule' });
    const turnInMs =
      evictsInMs === undefined ? undefined : Math.max(evictsInMs, ready.status === 'Unknown' ? graceLeftMs(input) : 0);
    if (!blind && (isEmptied(before) || turnInMs === 0)) wanted.push({ key, effect: 'NoExecute' });
    else if (!blind) waitsMs = turnInMs;
  }
  const taints = wanted.map((taint) => {
    const same = before.find(
      (old) => old.key === taint.key && old.effect === taint.effect && old.value === taint.value,
    );
    return { ...taint, timeAdded: same?.timeAdded ?? now.toISOString() };
  });
  return { taints, ...(waitsMs !== undefined && { waitsMs }) };
}

function isEmptied(taints: readonly Taint[] = []): boolean {
  return taints.some(
    ({ key, effect }) => effect === 'NoExecute' && (key === UNREACHABLE_TAINT || key === NOT_READY_TAINT),
  );
}

/** Whether the decision on a node begins to empty it. */
export function beginsToEmpty(node: StoredNode | undefined, { steps }: Decision): boolean {
  return (
    !isEmptied(node?.spec.taints) &&
    steps.some((step) => step.do === 'update' && step.object.kind === 'Node' && isEmptied(step.object.spec.taints))
  );
}

function wantedNode(
  input: NodeInput,
  machine: StoredMachine,
  node: StoredNode | undefined,
  taints: readonly Taint[],
): Node {
  const { name } = machine.metadata;
  const architecture = node?.status?.nodeInfo?.architecture;
  const { podCIDR } = input;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      ...node?.metadata,
      name,
      labels: {
        ...machine.spec.labels,
        [HOSTNAME_LABEL]: name,
        [OS_LABEL]: 'linux',
        ...(architecture !== undefined && { [ARCH_LABEL]: readKey(ARCHITECTURES, architecture) ?? architecture }),
      },
    },
    spec: {
      ...(podCIDR !== undefined && { podCIDR, ...rangesOf(podCIDR, input.settings.network) }),
      ...(taints.length > 0 && { taints }),
      ...(machine.spec.unschedulable && { unschedulable: true }),
    },
  };
}

/** Both ranges, where the cluster has both families. */
function rangesOf(podCIDR: string, network: ClusterSpec['network']): Pick<Node['spec'], 'podCIDRs'> {
  const second = podRangeOf({ spec: { podCIDR } }, network, 'IPv6');
  return second === undefined ? {} : { podCIDRs: [podCIDR, second] };
}

/** What is left of the time for which a node may be silent, in ms. */
export function graceLeftMs({ settings, silentMs }: Pick<NodeInput, 'settings' | 'silentMs'>): number {
  return Math.max(0, settings.nodes.monitorGracePeriodSeconds * 1000 - silentMs);
}

function silenceSteps(node: StoredNode, { now, heardMsAgo }: NodeInput): readonly Step[] {
  const before = findCondition(node.status?.conditions, 'Ready');
  const told =
    before === undefined
      ? { reason: 'NodeStatusNeverUpdated', message: 'The node agent never posted node status.' }
      : { reason: 'NodeStatusUnknown', message: 'The node agent stopped posting node status.' };
  const heardAt =
    heardMsAgo === undefined ? before?.lastHeartbeatTime : new Date(now.getTime() - heardMsAgo).toISOString();
  const heartbeat = heardAt === undefined ? {} : { lastHeartbeatTime: heardAt };
  const conditions = withCondition(
    node.status?.conditions,
    { type: 'Ready', status: 'Unknown', ...told, ...heartbeat },
    now.toISOString(),
  );
  return [
    { do: 'updateStatus', object: { ...node, status: { ...node.status, conditions } } },
    {
      do: 'event',
      regarding: node,
      type: 'Warning',
      reason: 'NodeNotReady',
      message: `Node ${node.metadata.name} status is now: NodeNotReady. ${told.message}`,
    },
  ];
}

/**
 * Keeps a Node beside its Machine. Status stays with whoever hears the agent, except that a silent node's Ready
 * condition becomes Unknown here. One write per pass: the condition first, the taints that follow from it in the next,
 * which is asked for at once.
 */
export function planNode(input: NodeInput): Decision {
  const { machine, node } = input;
  if (!machine) {
    return {
      steps: node
        ? [{ do: 'delete', key: objectKey('Node', undefined, node.metadata.name), uid: node.metadata.uid }]
        : [],
    };
  }
  const { taints, waitsMs } = wantedTaints(input, machine, node);
  const wanted = wantedNode(input, machine, node, taints);
  if (!node) {
    const full: Step[] =
      wanted.spec.podCIDR !== undefined
        ? []
        : [
            {
              do: 'event',
              regarding: machine,
              type: 'Warning',
              reason: 'CIDRNotAvailable',
              message: `no pod range is left in ${input.settings.network.podCIDR}; widen spec.network.podCIDR`,
            },
          ];
    return { steps: [{ do: 'create', object: wanted }, ...full] };
  }
  const isKnownSilent = findCondition(node.status?.conditions, 'Ready')?.status === 'Unknown';
  const leftMs = graceLeftMs(input);
  if (!isKnownSilent && leftMs === 0) return { steps: silenceSteps(node, input), requeueAfterMs: 0 };
  const { status: _status, ...present } = node;
  const steps: Step[] = [];
  if (canonicalJson(present) !== canonicalJson(wanted))
    steps.push({
      do: 'update',
      object: { ...node, metadata: { ...node.metadata, labels: wanted.metadata.labels }, spec: wanted.spec },
    });
  const waits = [...(isKnownSilent ? [] : [leftMs]), ...(waitsMs === undefined ? [] : [waitsMs])];
  return waits.length === 0 ? { steps } : { steps, requeueAfterMs: Math.min(...waits) };
}
