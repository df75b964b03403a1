/** The node's report from what is known of machine, runtime and network. Reasons are Kubernetes' where it has them. */
import type { GrowingVolume, NodeReport } from '../../../contracts/agent/index.ts';
import type { AssignmentView, NetworkState } from '../assignment.ts';
import { objectKey } from '../../../contracts/objects/key.ts';

export type RuntimeView =
  | { readonly reachable: false; readonly message: string }
  | {
      readonly reachable: true;
      readonly health: {
        readonly runtimeReady: boolean;
        readonly networkReady: boolean;
        readonly message: string;
        readonly systemdCgroup: boolean;
        readonly recursiveReadOnly: boolean;
        readonly strictGroups: boolean;
      };
    };

/** What the machine tells of itself. */
export interface Machine {
  readonly hostname: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly machineID: string;
  readonly bootID: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  /** IPv4 addresses of its interfaces, loopback aside, in the machine's order. */
  readonly addresses: readonly { readonly device: string; readonly address: string }[];
  /** Device of the default route, or of the only route, or none. */
  readonly uplink: string | undefined;
}

/** Whether the disks are short, and of what. */
export interface DiskState {
  readonly pressure: boolean;
  readonly message: string;
}

export interface ReportInput {
  readonly machine: Machine;
  readonly runtime: RuntimeView;
  readonly runtimeVersion: string;
  readonly network: NetworkState;
  /** Undefined before the first look. */
  readonly disk: DiskState | undefined;
  readonly goneVolumes?: readonly string[];
  readonly growingVolumes?: readonly GrowingVolume[];
  readonly view: AssignmentView;
  readonly agentVersion: string;
  readonly agentRss: number;
}

/** Kubelet's default; a Machine may say otherwise. */
const MAX_PODS = 110;

export function nodeReport(input: ReportInput): NodeReport {
  const { machine } = input;
  return {
    internalIP: internalAddress(machine, input.view),
    hostname: machine.hostname,
    capacity: {
      cpu: String(machine.cpus),
      memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
      'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
      pods: String(MAX_PODS),
    },
    nodeInfo: {
      machineID: machine.machineID,
      bootID: machine.bootID,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      architecture: machine.architecture,
      containerRuntimeVersion: input.runtimeVersion,
      agentVersion: input.agentVersion,
    },
    ...readiness(input),
    networkVersion: input.network.version,
    networkError: input.network.error,
    ...(input.disk && { diskPressure: input.disk }),
    ...((input.goneVolumes?.length ?? 0) > 0 && { goneVolumes: input.goneVolumes?.slice(0, 1000) }),
    ...((input.growingVolumes?.length ?? 0) > 0 && { growingVolumes: input.growingVolumes?.slice(0, 1000) }),
    agentRss: input.agentRss,
  };
}

function readiness({ runtime, network }: ReportInput): Pick<NodeReport, 'ready' | 'reason' | 'message'> {
  if (!runtime.reachable) return { ready: false, reason: 'ContainerRuntimeNotReady', message: runtime.message };
  if (!runtime.health.runtimeReady)
    return { ready: false, reason: 'ContainerRuntimeNotReady', message: runtime.health.message };
  if (!runtime.health.networkReady) return { ready: false, reason: 'NetworkNotReady', message: runtime.health.message };
  if (network.error !== null && network.version === null)
    return { ready: false, reason: 'NetworkNotReady', message: network.error };
  return { ready: true, reason: 'AgentReady', message: 'the agent is posting ready status' };
}

/** The address that the cluster knows, while the machine still has it; else that of the uplink; else its first. */
function internalAddress(machine: Machine, view: AssignmentView): string {
  const known =
    view.node === ''
      ? undefined
      : view.get(objectKey('Node', undefined, view.node))?.status?.addresses?.find((one) => one.type === 'InternalIP')
          ?.address;
  if (known !== undefined && machine.addresses.some((one) => one.address === known)) return known;
  return (machine.addresses.find((one) => one.device === machine.uplink) ?? machine.addresses[0])?.address ?? '';
}
