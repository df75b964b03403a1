/** The node's report from what is known of machine, runtime and network. Reasons are Kubernetes' where it has them. */
import { cidrHas } from '../../../contracts/ip.ts';
import type {
  BgpReport,
  GrowingVolume,
  NodeReport,
  ProxyReport,
  TendedVolume,
} from '../../../contracts/agent/index.ts';
import type { AssignmentView, NetworkState } from '../assignment.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { familySettings, ownAddress } from '../data-plane/network.ts';
import { hugePageCapacity, type HugePagePool } from './huge-pages.ts';
import type { Pressures } from './pressure.ts';

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
        readonly userNamespaces: readonly string[];
      };
    };

/** What the machine tells of itself. */
export interface Machine {
  readonly hostname: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly hugePages: readonly HugePagePool[];
  readonly machineID: string;
  readonly bootID: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  /** IPv4 addresses of its interfaces, loopback aside, in the machine's order. */
  readonly addresses: readonly { readonly device: string; readonly address: string }[];
  /** Those of IPv6, but for such as are good on one link alone. */
  readonly addressesIPv6?: readonly { readonly device: string; readonly address: string }[];
  /** Device of the default route, or of the only route, or none. */
  readonly uplink: string | undefined;
}

export interface ReportInput {
  readonly machine: Machine;
  readonly runtime: RuntimeView;
  readonly runtimeVersion: string;
  readonly network: NetworkState;
  /** Those that were looked at. */
  readonly pressures: Pressures;
  readonly goneVolumes?: readonly string[];
  readonly growingVolumes?: readonly GrowingVolume[];
  readonly tendedVolumes?: readonly TendedVolume[];
  /** Undefined before the first look. */
  readonly volumeRoom?: number | undefined;
  /** Undefined where the node has no ProxyConfig. */
  readonly proxy?: ProxyReport | undefined;
  /** Undefined where the node speaks to no router. */
  readonly bgp?: BgpReport | undefined;
  /** Undefined where the cluster has no WireGuard between nodes, and before there is one. */
  readonly wireguardKey?: string | undefined;
  /** The machine goes down. */
  readonly goesDown?: boolean;
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
    ...secondAddress(machine, input.view),
    ...(input.wireguardKey !== undefined && { wireguardKey: input.wireguardKey }),
    hostname: machine.hostname,
    capacity: {
      cpu: String(machine.cpus),
      memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
      'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
      pods: String(MAX_PODS),
      ...hugePageCapacity(machine.hugePages),
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
    ...told(input.pressures),
    ...((input.goneVolumes?.length ?? 0) > 0 && { goneVolumes: input.goneVolumes?.slice(0, 1000) }),
    ...((input.growingVolumes?.length ?? 0) > 0 && { growingVolumes: input.growingVolumes?.slice(0, 1000) }),
    ...((input.tendedVolumes?.length ?? 0) > 0 && { tendedVolumes: input.tendedVolumes?.slice(0, 1000) }),
    ...(input.volumeRoom !== undefined && { volumeRoom: input.volumeRoom }),
    ...(input.proxy && { proxy: input.proxy }),
    ...(input.bgp && { bgp: input.bgp }),
    agentRss: input.agentRss,
  };
}

/** What was not looked at is not there. */
function told({
  MemoryPressure,
  DiskPressure,
  PIDPressure,
}: Pressures): Pick<NodeReport, 'memoryPressure' | 'diskPressure' | 'pidPressure'> {
  return {
    ...(MemoryPressure && { memoryPressure: MemoryPressure }),
    ...(DiskPressure && { diskPressure: DiskPressure }),
    ...(PIDPressure && { pidPressure: PIDPressure }),
  };
}

function readiness({ runtime, network, goesDown }: ReportInput): Pick<NodeReport, 'ready' | 'reason' | 'message'> {
  if (goesDown === true) return { ready: false, reason: 'NodeShutdown', message: 'the machine is shutting down' };
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

/** The same of IPv6, where the cluster has that: at the device of the first one, else the first that the machine has. */
function secondAddress(machine: Machine, view: AssignmentView): Pick<NodeReport, 'internalIPv6'> {
  const ranges = familySettings(view, 'IPv6');
  if (!ranges) return {};
  // Ends of pods' links have addresses of the cluster's.
  const own = (machine.addressesIPv6 ?? []).filter(
    ({ address }) => !cidrHas(ranges.podCIDR, address) && !cidrHas(ranges.serviceCIDR, address),
  );
  const known = ownAddress(view, 'IPv6');
  const first = internalAddress(machine, view);
  const device = machine.addresses.find(({ address }) => address === first)?.device;
  const found = own.find((one) => one.address === known) ?? own.find((one) => one.device === device) ?? own[0];
  return found ? { internalIPv6: found.address } : {};
}
