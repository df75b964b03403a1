/**
 * How much an object is of each resource that a ResourceQuota can limit. Source of the names: Kubernetes, "Resource
 * Quotas"; of the amounts: pkg/quota/v1/evaluator/core (pods.go, services.go, persistent_volume_claims.go).
 */
import {
  ALL_KINDS,
  IDENTITIES,
  type Container,
  type Kind,
  type KubeObject,
  type PersistentVolumeClaim,
  type Pod,
  type PodSpec,
  type ResourceList,
  type Service,
  wantsNodePorts,
} from '../../../contracts/objects/index.ts';
import { allContainers } from '../../../contracts/objects/pod-containers.ts';
import { sumOfRequests } from '../../../contracts/objects/pod-requests.ts';
import { isFinished } from '../workloads/pod-state.ts';
import { amountOf, type Amounts } from './amounts.ts';

/** Of objects with a namespace; Events come and go by themselves. */
const COUNTED = ALL_KINDS.filter((kind) => IDENTITIES[kind].namespaced && kind !== 'Event');
const countOf = (kind: Kind): string => `count/${IDENTITIES[kind].resource}`;
/** Names from before `count/` was there: the plural alone. */
const SHORT: readonly Kind[] = [
  'ConfigMap',
  'ResourceQuota',
  'Secret',
  'Service',
  'PersistentVolumeClaim',
  'ReplicationController',
];

const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'] as const;
const POD_RESOURCES = ['pods', ...COMPUTE.flatMap((name) => [name, `requests.${name}`, `limits.${name}`])];
const HUGE_PAGES = /^(requests\.)?hugepages-[0-9A-Za-z]+$/;
/** Only what containers ask for can be limited of a resource that is never promised twice. */
const EXTENDED = /^requests\.(?![^/]*kubernetes\.io\/)[a-z0-9.-]+\/[A-Za-z0-9._-]+$/;
const OF_STORAGE_CLASS = '.storageclass.storage.k8s.io/';
const CLAIM_RESOURCES = ['persistentvolumeclaims', 'requests.storage'];

const KIND_OF: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...COUNTED.map((kind): [string, Kind] => [countOf(kind), kind]),
  ...SHORT.map((kind): [string, Kind] => [IDENTITIES[kind].resource, kind]),
  ...POD_RESOURCES.map((resource): [string, Kind] => [resource, 'Pod']),
  ...CLAIM_RESOURCES.map((resource): [string, Kind] => [resource, 'PersistentVolumeClaim']),
  ['services.nodeports', 'Service'],
  ['services.loadbalancers', 'Service'],
]);

/** Names of what can be limited, sorted; besides these, huge pages, extended resources, and claims by class. */
export const LIMITABLE: readonly string[] = [...KIND_OF.keys()].sort();
export const COUNTED_KINDS: readonly Kind[] = COUNTED;

/** The kind whose objects are some of the resource; undefined for one that is not counted. */
export function kindOfResource(resource: string): Kind | undefined {
  const known = KIND_OF.get(resource);
  if (known) return known;
  if (HUGE_PAGES.test(resource) || EXTENDED.test(resource)) return 'Pod';
  const at = resource.indexOf(OF_STORAGE_CLASS);
  return at > 0 && CLAIM_RESOURCES.includes(resource.slice(at + OF_STORAGE_CLASS.length))
    ? 'PersistentVolumeClaim'
    : undefined;
}

/**
 * What the object uses. A pod that has ended, or whose time to end is over, counts as an object alone. Of a pod only
 * what it says.
 */
export function usageOf(object: KubeObject, now: Date): Amounts {
  const count: [string, number] = [countOf(object.kind), 1];
  switch (object.kind) {
    case 'Pod':
      return new Map([count, ...(hasEnded(object, now) ? [] : podUsage(object.spec))]);
    case 'Service':
      return new Map([count, ...serviceUsage(object)]);
    case 'PersistentVolumeClaim':
      return new Map([count, ...claimUsage(object)]);
    default:
      return new Map(SHORT.includes(object.kind) ? [count, [IDENTITIES[object.kind].resource, 1]] : [count]);
  }
}

/** Source: QuotaV1Pod. */
function hasEnded(pod: Pod, now: Date): boolean {
  const endsInMs = chargedForMs(pod, now);
  return isFinished(pod) || (endsInMs !== undefined && endsInMs <= 0);
}

/** How long a pod that is being deleted is still charged for, if its node does not end it; undefined for any other. */
export function chargedForMs({ metadata }: Pod, now: Date): number | undefined {
  const { deletionTimestamp: ends, deletionGracePeriodSeconds: grace } = metadata;
  return ends === undefined || grace === undefined ? undefined : Date.parse(ends) + grace * 1000 - now.getTime();
}

/** Specs are never changed, so each is summed once for as long as it lives. */
const known = new WeakMap<PodSpec, readonly [string, number][]>();

function podUsage(spec: PodSpec): readonly [string, number][] {
  let usage = known.get(spec);
  if (!usage) known.set(spec, (usage = [['pods', 1], ...computed(sumOfRequests(spec, {}), sumOfLimits(spec))]));
  return usage;
}

/** Source: podComputeUsageHelper. */
function computed(requests: Amounts, limits: Amounts): [string, number][] {
  const usage: [string, number][] = [];
  for (const [name, amount] of requests) {
    if (isCompute(name) || name.startsWith('hugepages-')) usage.push([name, amount]);
    usage.push([`requests.${name}`, amount]);
  }
  for (const [name, amount] of limits) if (isCompute(name)) usage.push([`limits.${name}`, amount]);
  return usage;
}

function isCompute(name: string): boolean {
  return COMPUTE.some((one) => one === name);
}

/**
 * As the scheduler counts requests, of limits. What the pod takes besides its containers counts where they have a limit.
 * Source: Kubernetes, PodLimits in pkg/api/v1/resource/helpers.go.
 */
export function sumOfLimits({ overhead = {}, ...spec }: PodSpec): Amounts {
  const asRequests = <C extends Container>(container: C): C => ({
    ...container,
    resources: { ...container.resources, requests: container.resources.limits },
  });
  const limited: PodSpec = {
    ...spec,
    containers: spec.containers.map(asRequests),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(asRequests) }),
    ...(spec.resources && { resources: { requests: spec.resources.limits } }),
  };
  const sum = sumOfRequests(limited, {});
  for (const [name, quantity] of Object.entries(overhead)) {
    const before = sum.get(name);
    if (before !== undefined) sum.set(name, before + amountOf(name, quantity));
  }
  return sum;
}

/** What of these resources neither the pod as a whole nor each container says, as Kubernetes tells it; undefined where all say all. */
export function unsaid(spec: PodSpec, resources: readonly string[]): string | undefined {
  const demanded = resources.filter((name) => DEMANDED.has(name)).sort();
  const lacking = demanded.flatMap((resource) => {
    const names = (says(spec, resource) ? [] : allContainers(spec))
      .filter((container) => !says(container, resource))
      .map(({ name }) => name);
    return names.length > 0 ? [`${resource} for: ${[...new Set(names)].sort().join(',')}`] : [];
  });
  return lacking.length > 0 ? `must specify ${lacking.join('; ')}` : undefined;
}
/** A quota on one of these demands that containers say it. Source: validationSet in pods.go. */
const DEMANDED: ReadonlySet<string> = new Set(
  ['cpu', 'memory'].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
);

function says({ resources = {} }: Pick<PodSpec, 'resources'>, resource: string): boolean {
  const [part, name] = resource.startsWith('limits.')
    ? [resources.limits, resource.slice('limits.'.length)]
    : [resources.requests, resource.replace(/^requests\./, '')];
  return Object.hasOwn((part ?? {}) satisfies ResourceList, name);
}

function serviceUsage({ spec }: Service): [string, number][] {
  return [
    ['services', 1],
    ['services.nodeports', nodePortsOf(spec)],
    ['services.loadbalancers', spec.type === 'LoadBalancer' ? 1 : 0],
  ];
}

/** Of a load balancer without ports of its own only those that it names. Source: pkg/quota/v1/evaluator/core, Usage. */
function nodePortsOf(spec: Service['spec']): number {
  return wantsNodePorts(spec)
    ? spec.ports.length
    : spec.ports.filter(({ nodePort }) => spec.type === 'LoadBalancer' && nodePort !== undefined).length;
}

function claimUsage({ spec }: PersistentVolumeClaim): [string, number][] {
  const own: [string, number][] = [
    ['persistentvolumeclaims', 1],
    ['requests.storage', amountOf('requests.storage', spec.resources.requests.storage)],
  ];
  const { storageClassName = '' } = spec;
  return storageClassName === ''
    ? own
    : [
        ...own,
        ...own.map(([name, amount]): [string, number] => [`${storageClassName}${OF_STORAGE_CLASS}${name}`, amount]),
      ];
}
