/**
 * Whether a node takes in a pod that it is given. Pods that the scheduler placed fit; others name their node
 * themselves, or a machine lost some of what it had. Source: Kubernetes pkg/kubelet/lifecycle/predicate.go: what is
 * looked at, in which order, reasons and messages.
 */
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import { hostPortsOf, portsClash } from '../../../contracts/objects/host-ports.ts';
import { everyContainer } from '../../../contracts/objects/pod-containers.ts';
import { nodeRequired } from '../../../contracts/objects/node-selector.ts';
import { capacityOf, requestsOf, RESIZABLE } from '../../../contracts/objects/pod-requests.ts';
import { sysctlObjection } from '../../../contracts/objects/sysctls.ts';
import { untolerated, type Pressure } from '../../../contracts/objects/taints.ts';
import { EVICTED, isCritical } from '../node/eviction.ts';
import { isTakenUnder } from '../node/pressure.ts';
import type { NodeFacts } from './container-config.ts';
import type { ResizeVerdict } from './resize.ts';
import { appArmorOf, isStrict } from './security.ts';

/** Why not: the reason of the pod's status and event. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/**
 * `others`: pods that were taken in before and have not ended. Undefined: it may run. A node that is not known refuses
 * nothing that depends on the node.
 */
export function refusal(
  pod: Pod,
  node: Node | undefined,
  others: readonly Pod[],
  machine: Machine,
): Refusal | undefined {
  const forbidden = forbiddenSysctl(pod) ?? unconfinable(pod, machine);
  if (forbidden || !node) return forbidden;
  return (
    lacking(pod, node, others) ??
    failed(
      'NodeAffinity',
      nodeRequired(pod.spec, node.metadata.name, node.metadata.labels ?? {}),
      "node(s) didn't match Pod's node affinity/selector",
    ) ??
    failed('NodePorts', portsAreFree(pod, others), "node(s) didn't have free ports for the requested pod ports") ??
    failed(
      'TaintToleration',
      untolerated(node.spec.taints, pod.spec.tolerations ?? [], ['NoExecute']) === undefined,
      "node(s) had taints that the pod didn't tolerate",
    )
  );
}

/**
 * Whether a node that is short of something takes the pod in all the same. Source: Kubernetes
 * pkg/kubelet/eviction/eviction_manager.go (Admit).
 */
export function refusalUnder(pressures: readonly Pressure[], pod: Pod, priority: number): Refusal | undefined {
  return isTakenUnder(pressures, pod, isCritical(priority))
    ? undefined
    : { reason: EVICTED, message: `The node had condition: [${pressures.join(' ')}]. ` };
}

/** What the machine and its runtime can do. */
export type Machine = Pick<NodeFacts, 'appArmor' | 'strictGroups'>;

/**
 * A pod that asks to be confined is not run less confined. Source: Kubernetes pkg/security/apparmor/validate.go and
 * pkg/kubelet/lifecycle (appArmorAdmitHandler, SupplementalGroupsPolicyNotSupported).
 */
function unconfinable(pod: Pod, { appArmor, strictGroups }: Machine): Refusal | undefined {
  const profiles = everyContainer(pod.spec).map((container) => appArmorOf(pod, container));
  if (!appArmor && profiles.some((profile) => profile && profile.type !== 'Unconfined'))
    return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
  if (!strictGroups && isStrict(pod))
    return {
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
    };
  return undefined;
}

/** Source: Kubernetes pkg/kubelet/sysctl/allowlist.go. */
function forbiddenSysctl({ spec }: Pod): Refusal | undefined {
  for (const { name } of spec.securityContext?.sysctls ?? []) {
    const objection = sysctlObjection(name, spec);
    if (objection !== undefined) return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${objection}` };
  }
  return undefined;
}

function failed(reason: string, holds: boolean, why: string): Refusal | undefined {
  return holds ? undefined : { reason, message: `Predicate ${reason} failed: ${why}` };
}

/** The first of these that there is too little of is named; then any other. */
const FIRST: readonly string[] = ['pods', 'cpu', 'memory', 'ephemeral-storage'];

/**
 * Whether a pod that runs may have the cpu and memory that it asks for; `others`: as they are allocated. Source:
 * Kubernetes pkg/kubelet/allocation/allocation_manager.go (canResizePod).
 */
export function resizeVerdict(pod: Pod, node: Node | undefined, others: readonly Pod[]): ResizeVerdict {
  if (!node) return { is: 'fits' };
  const never = shortage(pod, node, [], RESIZABLE);
  if (never)
    return {
      is: 'Infeasible',
      message: `Node didn't have enough capacity: ${never.resource}, requested: ${never.requested}, capacity: ${never.capacity}`,
    };
  const now = shortage(pod, node, others, RESIZABLE);
  return now ? { is: 'Deferred', message: shortageText(now) } : { is: 'fits' };
}

function lacking(pod: Pod, node: Node, others: readonly Pod[]): Refusal | undefined {
  const short = shortage(pod, node, others);
  return short && { reason: `OutOf${short.resource}`, message: shortageText(short) };
}

interface Shortage {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

function shortageText({ resource, requested, used, capacity }: Shortage): string {
  return `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
}

/** What the node does not say it has is not looked at. */
function shortage(pod: Pod, node: Node, others: readonly Pod[], names?: readonly string[]): Shortage | undefined {
  const capacities = capacityOf(node.status?.allocatable);
  const asked = requestsOf(pod);
  const used = (resource: string): number =>
    others.reduce((sum, other) => sum + (requestsOf(other).get(resource) ?? 0), 0);
  const short = (resource: string): boolean => {
    const capacity = capacities.get(resource);
    const amount = asked.get(resource) ?? 0;
    return capacity !== undefined && amount > 0 && amount > capacity - used(resource);
  };
  const all = names ?? [...FIRST, ...[...asked.keys()].filter((name) => !FIRST.includes(name)).sort()];
  const resource = all.find(short);
  if (resource === undefined) return undefined;
  return {
    resource,
    requested: asked.get(resource) ?? 0,
    used: used(resource),
    capacity: capacities.get(resource) ?? 0,
  };
}

function portsAreFree(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return true;
  const taken = others.flatMap(hostPortsOf);
  return !wanted.some((port) => taken.some((other) => portsClash(port, other)));
}
