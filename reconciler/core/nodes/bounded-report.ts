/**
 * A node's word, cut to what is the node's own to say (docs/adr/0004): addresses from its own range, containers that
 * its pod has, texts and lists of bounded length, no time in the future. What an honest agent says passes unchanged.
 */
import type {
  Condition,
  ContainerState,
  ContainerStatus,
  Pod,
  PodStatus,
  ResourceList,
} from '../../../contracts/objects/index.ts';
import { LOCAL_NAME } from '../../../contracts/objects/local-volumes.ts';
import { TEXT_LIMITS, type NodeEventReport, type NodeImage, type NodeReport } from '../../../contracts/agent/index.ts';
import { WIREGUARD_KEY } from '../../../contracts/objects/nodes.ts';
import { signalNumber } from '../../../contracts/objects/stop-signals.ts';
import { qosClass } from '../../../contracts/objects/qos.ts';
import { canonicalAddress, cidrHas, isOfFamily } from '../../../contracts/ip.ts';
import { isAddress } from '../../../contracts/ipv4.ts';

const MOST_CONDITIONS = 16;
const MOST_IMAGES = 50;
const MOST_NAMES = 16;
const MOST_RESOURCES = 64;
/** Characters of a resource's name (Kubernetes: a qualified name) and of its amount. */
const RESOURCE_LENGTHS = { name: 253 + 1 + 63, amount: 64 } as const;
/** Source: Kubernetes, `terminationMessagePath`: at most 4096 bytes of each container. */
const TERMINATION_MESSAGE = 4096;
/** Clocks of nodes may be ahead by this much. */
const CLOCK_SKEW_MS = 5 * 60_000;
const MOST_COUNT = 1_000_000;

/** What the control plane itself knows of the node that speaks. */
export interface KnownNode {
  /** Undefined: none was cut for it yet. */
  readonly podCIDR: string | undefined;
  /** Where other nodes reach it. */
  readonly internalIP: string | undefined;
  /** The same of IPv6; absent where it has none, or the cluster has no IPv6. */
  readonly podRangeIPv6?: string | undefined;
  readonly internalIPv6?: string | undefined;
}

/** The status of a pod that is bound to the node. */
export function boundedPodStatus(status: PodStatus, spec: Pod['spec'], node: KnownNode, now: Date): PodStatus {
  const { reason, message, conditions, startTime } = status;
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = status;
  const podIP = ownAddress(status.podIP, spec, node);
  const containers = (
    told: readonly ContainerStatus[] | undefined,
    declared: readonly { readonly name: string }[] | undefined,
  ): ContainerStatus[] =>
    (declared ?? [])
      .flatMap(({ name }) => told?.find((one) => one.name === name) ?? [])
      .map((one) => boundedContainer(one, now));
  return {
    phase: status.phase,
    ...(reason !== undefined && { reason: cut(reason, TEXT_LIMITS.reason) }),
    ...(message !== undefined && { message: cut(message, TEXT_LIMITS.message) }),
    ...(conditions && { conditions: boundedConditions(conditions, now) }),
    ...(node.internalIP !== undefined &&
      status.hostIP !== undefined && { hostIP: node.internalIP, hostIPs: both(node.internalIP, node.internalIPv6) }),
    // The spec tells it as well as the node, or better.
    qosClass: qosClass(spec),
    ...(status.observedGeneration !== undefined && {
      observedGeneration: boundedCount(status.observedGeneration),
    }),
    ...(podIP !== undefined && { podIP, podIPs: both(podIP, secondAddress(status.podIPs, spec, node)) }),
    ...(startTime !== undefined && { startTime: boundedTime(startTime, now) }),
    ...(containerStatuses && { containerStatuses: containers(containerStatuses, spec.containers) }),
    ...(initContainerStatuses && { initContainerStatuses: containers(initContainerStatuses, spec.initContainers) }),
    ...(ephemeralContainerStatuses && {
      ephemeralContainerStatuses: containers(ephemeralContainerStatuses, spec.ephemeralContainers),
    }),
  };
}

/** A Service sends traffic to a pod's address: one outside the node's range is somebody else's. */
function ownAddress(
  podIP: string | undefined,
  spec: Pod['spec'],
  { podCIDR, internalIP }: KnownNode,
): string | undefined {
  if (podIP === undefined || !isAddress(podIP)) return undefined;
  if (spec.hostNetwork) return internalIP;
  return podCIDR !== undefined && cidrHas(podCIDR, podIP) ? podIP : undefined;
}

function secondAddress(
  podIPs: PodStatus['podIPs'],
  spec: Pod['spec'],
  { podRangeIPv6, internalIPv6 }: KnownNode,
): string | undefined {
  if (spec.hostNetwork) return internalIPv6;
  const told = podIPs?.slice(0, 2).find(({ ip }) => isOfFamily('IPv6', ip))?.ip;
  return told !== undefined && podRangeIPv6 !== undefined && cidrHas(podRangeIPv6, told)
    ? canonicalAddress(told)
    : undefined;
}

function both(first: string, second: string | undefined): { readonly ip: string }[] {
  return [{ ip: first }, ...(second === undefined ? [] : [{ ip: second }])];
}

function boundedConditions(conditions: readonly Condition[], now: Date): Condition[] {
  const byType = new Map(conditions.slice(0, MOST_CONDITIONS).map((condition) => [condition.type, condition]));
  return [...byType.values()].map(
    ({ type, status, reason, message, lastTransitionTime, lastProbeTime, observedGeneration }) => ({
      type: cut(type, TEXT_LIMITS.reason),
      status,
      ...(reason !== undefined && { reason: cut(reason, TEXT_LIMITS.reason) }),
      ...(message !== undefined && { message: cut(message, TEXT_LIMITS.message) }),
      ...(lastTransitionTime !== undefined && { lastTransitionTime: boundedTime(lastTransitionTime, now) }),
      ...(observedGeneration !== undefined && { observedGeneration: boundedCount(observedGeneration) }),
      ...(lastProbeTime !== undefined && {
        lastProbeTime: lastProbeTime === null ? null : boundedTime(lastProbeTime, now),
      }),
    }),
  );
}

function boundedCount(count: number): number {
  return Math.min(Math.max(0, count), Number.MAX_SAFE_INTEGER);
}

function boundedContainer(status: ContainerStatus, now: Date): ContainerStatus {
  return {
    name: status.name,
    state: boundedState(status.state, now),
    lastState: boundedState(status.lastState, now),
    ready: status.ready,
    ...(status.started !== undefined && { started: status.started }),
    restartCount: Math.max(0, status.restartCount),
    image: cut(status.image, TEXT_LIMITS.image),
    imageID: cut(status.imageID, TEXT_LIMITS.image),
    ...(status.containerID !== undefined && { containerID: cut(status.containerID, TEXT_LIMITS.id) }),
    ...(status.stopSignal !== undefined &&
      signalNumber(status.stopSignal) !== undefined && { stopSignal: status.stopSignal }),
    ...(status.allocatedResources && { allocatedResources: boundedResources(status.allocatedResources) }),
    ...(status.resources && {
      resources: {
        ...(status.resources.limits && { limits: boundedResources(status.resources.limits) }),
        ...(status.resources.requests && { requests: boundedResources(status.resources.requests) }),
      },
    }),
  };
}

function boundedState({ waiting, running, terminated }: ContainerState, now: Date): ContainerState {
  return {
    ...(waiting && {
      waiting: {
        reason: cut(waiting.reason, TEXT_LIMITS.reason),
        ...(waiting.message !== undefined && { message: cut(waiting.message, TEXT_LIMITS.message) }),
      },
    }),
    ...(running && { running: { startedAt: boundedTime(running.startedAt, now) } }),
    ...(terminated && {
      terminated: {
        exitCode: terminated.exitCode,
        ...(terminated.signal !== undefined && { signal: terminated.signal }),
        reason: cut(terminated.reason, TEXT_LIMITS.reason),
        ...(terminated.message !== undefined && { message: cut(terminated.message, TERMINATION_MESSAGE) }),
        startedAt: boundedTime(terminated.startedAt, now),
        finishedAt: boundedTime(terminated.finishedAt, now),
        containerID: cut(terminated.containerID, TEXT_LIMITS.id),
      },
    }),
  };
}

/** That a report may tell of at once. */
const MOST_PROXY_PROBLEMS = 100;
const MOST_SESSIONS = 100;
const MOST_VOLUMES = 100;

/** The node's own report; its word on its address and its key is weighed apart: {@link hostAddress}, known-node.ts. */
export function boundedNodeReport(report: NodeReport): NodeReport {
  return {
    internalIP: isAddress(report.internalIP) ? report.internalIP : '',
    ...(report.internalIPv6 !== undefined &&
      isOfFamily('IPv6', report.internalIPv6) && { internalIPv6: canonicalAddress(report.internalIPv6) }),
    ...(report.wireguardKey !== undefined &&
      WIREGUARD_KEY.test(report.wireguardKey) && { wireguardKey: report.wireguardKey }),
    hostname: cut(report.hostname, 253),
    capacity: boundedResources(report.capacity),
    nodeInfo: {
      machineID: cut(report.nodeInfo.machineID, TEXT_LIMITS.id),
      bootID: cut(report.nodeInfo.bootID, TEXT_LIMITS.id),
      kernelVersion: cut(report.nodeInfo.kernelVersion, TEXT_LIMITS.id),
      osImage: cut(report.nodeInfo.osImage, TEXT_LIMITS.id),
      // Becomes a label.
      architecture:
        /^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$/.test(report.nodeInfo.architecture) &&
        !/[-_]$/.test(report.nodeInfo.architecture)
          ? report.nodeInfo.architecture
          : 'unknown',
      containerRuntimeVersion: cut(report.nodeInfo.containerRuntimeVersion, TEXT_LIMITS.id),
      agentVersion: cut(report.nodeInfo.agentVersion, TEXT_LIMITS.id),
    },
    ready: report.ready,
    reason: cut(report.reason, TEXT_LIMITS.reason),
    message: cut(report.message, TEXT_LIMITS.message),
    networkVersion: report.networkVersion === null ? null : cut(report.networkVersion, TEXT_LIMITS.id),
    networkError: report.networkError === null ? null : cut(report.networkError, TEXT_LIMITS.message),
    ...boundedPressures(report),
    ...(report.goneVolumes && {
      goneVolumes: report.goneVolumes.filter((name) => LOCAL_NAME.test(name)).slice(0, MOST_VOLUMES),
    }),
    ...(report.growingVolumes && {
      growingVolumes: report.growingVolumes
        .filter(({ name }) => LOCAL_NAME.test(name))
        .slice(0, MOST_VOLUMES)
        .map(({ name, bytes, message }) => ({
          name,
          ...(bytes !== undefined && { bytes }),
          ...(message !== undefined && { message: cut(message, TEXT_LIMITS.message) }),
        })),
    }),
    ...(report.volumeRoom !== undefined && { volumeRoom: Math.floor(boundedCount(report.volumeRoom)) }),
    ...(report.tendedVolumes && {
      tendedVolumes: report.tendedVolumes
        .filter(({ name }) => LOCAL_NAME.test(name))
        .slice(0, MOST_VOLUMES)
        .map(({ name, is, message }) => ({
          name,
          is,
          ...(message !== undefined && { message: cut(message, TEXT_LIMITS.message) }),
        })),
    }),
    ...(report.proxy && {
      proxy: {
        generation: report.proxy.generation,
        problems: report.proxy.problems.slice(0, MOST_PROXY_PROBLEMS).map(({ port, message }) => ({
          ...(port !== undefined && { port }),
          message: cut(message, TEXT_LIMITS.message),
        })),
      },
    }),
    ...(report.bgp && {
      bgp: {
        sessions: report.bgp.sessions.slice(0, MOST_SESSIONS).map(({ peer, established, message }) => ({
          peer: cut(peer, TEXT_LIMITS.message),
          established,
          ...(message !== undefined && { message: cut(message, TEXT_LIMITS.message) }),
        })),
        problems: report.bgp.problems.slice(0, MOST_PROXY_PROBLEMS).map(({ peer, message }) => ({
          ...(peer !== undefined && { peer: cut(peer, TEXT_LIMITS.message) }),
          message: cut(message, TEXT_LIMITS.message),
        })),
      },
    }),
    agentRss: report.agentRss,
  };
}

function boundedPressures({ memoryPressure, diskPressure, pidPressure }: NodeReport): Partial<NodeReport> {
  const bounded = ({ pressure, message }: NonNullable<NodeReport['diskPressure']>) => ({
    pressure,
    message: cut(message, TEXT_LIMITS.message),
  });
  return {
    ...(memoryPressure && { memoryPressure: bounded(memoryPressure) }),
    ...(diskPressure && { diskPressure: bounded(diskPressure) }),
    ...(pidPressure && { pidPressure: bounded(pidPressure) }),
  };
}

function boundedResources(capacity: ResourceList): ResourceList {
  const short = Object.entries(capacity).filter(
    ([name, amount]) => name.length <= RESOURCE_LENGTHS.name && amount.length <= RESOURCE_LENGTHS.amount,
  );
  return Object.fromEntries(short.slice(0, MOST_RESOURCES));
}

export function boundedImages(images: readonly NodeImage[]): readonly NodeImage[] {
  return images.slice(0, MOST_IMAGES).map(({ names, sizeBytes }) => ({
    names: names.slice(0, MOST_NAMES).map((name) => cut(name, TEXT_LIMITS.image)),
    sizeBytes: Math.min(Math.max(0, sizeBytes), Number.MAX_SAFE_INTEGER),
  }));
}

export function boundedEvent<T extends NodeEventReport>(event: T, now: Date): T {
  return {
    ...event,
    reason: cut(event.reason, TEXT_LIMITS.reason),
    message: cut(event.message, TEXT_LIMITS.message),
    at: boundedTime(event.at, now),
    count: Math.min(Math.max(1, event.count), MOST_COUNT),
  };
}

/** A time that a node told: now where it is none, or too far in the future. */
export function boundedTime(text: string, now: Date): string {
  const at = text.length <= 40 ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) || at > now.getTime() + CLOCK_SKEW_MS ? now.toISOString() : text;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
