/**
 * What a namespace's LimitRanges do to a pod: containers get what they do not say, and what asks for too much, or too
 * little, is told. Source: Kubernetes, plugin/pkg/admission/limitranger/admission.go.
 */
import {
  parseQuantity,
  readKey,
  type Container,
  type LimitRange,
  type LimitRangeItem,
  type PersistentVolumeClaim,
  type PodSpec,
  type PodTemplateSpec,
  type ResourceList,
} from '../../../contracts/objects/index.ts';
import { quantitiesOf, sumOfRequests } from '../../../contracts/objects/pod-sums.ts';
import { compareText } from '../workloads/owners.ts';
import { sumOfLimits } from './usage.ts';

/** Tells in the pod which values are not its author's. */
const LIMIT_RANGER_ANNOTATION = 'kubernetes.io/limit-ranger';

interface Resources {
  readonly limits?: ResourceList | undefined;
  readonly requests?: ResourceList | undefined;
}

/** In a fixed order, so that of two with a default for one resource always the same one counts. */
function inOrder(ranges: readonly LimitRange[]): readonly LimitRange[] {
  return ranges.toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
}

/**
 * The pod with the defaults of its namespace's LimitRanges in containers that do not say them, and an annotation that
 * names those; the same object where there is nothing to fill. Doing it again changes nothing.
 */
export function withLimitDefaults<T extends Pick<PodTemplateSpec, 'metadata' | 'spec'>>(
  pod: T,
  ranges: readonly LimitRange[],
): T {
  let filled = pod;
  for (const range of inOrder(ranges)) filled = withDefaultsOf(filled, range);
  return filled;
}

function withDefaultsOf<T extends Pick<PodTemplateSpec, 'metadata' | 'spec'>>(pod: T, { spec }: LimitRange): T {
  const items = spec.limits.filter(({ type }) => type === 'Container');
  const limits: ResourceList = Object.fromEntries(items.flatMap((item) => Object.entries(item.default ?? {})));
  const requests: ResourceList = Object.fromEntries(items.flatMap((item) => Object.entries(item.defaultRequest ?? {})));
  const said: string[] = [];
  const fill = (word: string) => (container: Container) => {
    const resources = { limits: container.resources.limits, requests: container.resources.requests };
    const missing = {
      limits: absentFrom(resources.limits, limits),
      requests: absentFrom(resources.requests, requests),
    };
    const names = { limits: Object.keys(missing.limits).sort(), requests: Object.keys(missing.requests).sort() };
    if (names.requests.length > 0) said.push(`${names.requests.join(', ')} request for ${word} ${container.name}`);
    if (names.limits.length > 0) said.push(`${names.limits.join(', ')} limit for ${word} ${container.name}`);
    if (names.limits.length + names.requests.length === 0) return container;
    return {
      ...container,
      resources: {
        ...container.resources,
        ...(Object.keys({ ...resources.limits, ...missing.limits }).length > 0 && {
          limits: { ...resources.limits, ...missing.limits },
        }),
        ...(Object.keys({ ...resources.requests, ...missing.requests }).length > 0 && {
          requests: { ...resources.requests, ...missing.requests },
        }),
      },
    };
  };
  const containers = pod.spec.containers.map(fill('container'));
  const initContainers = pod.spec.initContainers?.map(fill('init container'));
  if (said.length === 0) return pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: {
        ...pod.metadata.annotations,
        [LIMIT_RANGER_ANNOTATION]: `LimitRanger plugin set: ${said.join('; ')}`,
      },
    },
    spec: { ...pod.spec, containers, ...(initContainers && { initContainers }) },
  };
}

function absentFrom(own: ResourceList | undefined, defaults: ResourceList): ResourceList {
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => readKey(own, name) === undefined));
}

/** What LimitRanges forbid of a pod that has its defaults, in Kubernetes' words; empty where it keeps to them. */
export function limitViolations(spec: PodSpec, ranges: readonly LimitRange[]): readonly string[] {
  return inOrder(ranges).flatMap((range) =>
    range.spec.limits.flatMap((item) => {
      if (item.type === 'Pod') return violations(item, sumsOf(spec));
      if (item.type !== 'Container') return [];
      return [...(spec.initContainers ?? []), ...spec.containers].flatMap(({ name, resources }) =>
        violations(item, resources).map((why) => `${why} (container ${name})`),
      );
    }),
  );
}

/** As {@link limitViolations}, of a claim: what it asks for. There are no limits of storage, and no defaults. */
export function claimViolations(
  { resources: { requests } }: PersistentVolumeClaim['spec'],
  ranges: readonly LimitRange[],
): readonly string[] {
  const asked = { requests, limits: requests };
  return inOrder(ranges).flatMap((range) =>
    range.spec.limits.flatMap((item) =>
      item.type === 'PersistentVolumeClaim' ? violations({ type: item.type, min: item.min, max: item.max }, asked) : [],
    ),
  );
}

/** Of the whole pod: as the scheduler counts requests, and limits in the same way. */
function sumsOf(spec: PodSpec): Resources {
  const { overhead: _overhead, ...own } = spec;
  return { requests: quantitiesOf(sumOfRequests(own, {})), limits: quantitiesOf(sumOfLimits(own)) };
}

function violations(
  item: Pick<LimitRangeItem, 'type' | 'min' | 'max' | 'maxLimitRequestRatio'>,
  { requests, limits }: Resources,
): readonly string[] {
  const { type } = item;
  const found: string[] = [];
  for (const [name, least] of Object.entries(item.min ?? {})) {
    const [request, limit] = [readKey(requests, name), readKey(limits, name)];
    const rule = `minimum ${name} usage per ${type} is ${least}`;
    if (request === undefined) found.push(`${rule}.  No request is specified`);
    else if (isLess(request, least)) found.push(`${rule}, but request is ${request}`);
    else if (limit !== undefined && isLess(limit, least)) found.push(`${rule}, but limit is ${limit}`);
  }
  for (const [name, most] of Object.entries(item.max ?? {})) {
    const [request, limit] = [readKey(requests, name), readKey(limits, name)];
    const rule = `maximum ${name} usage per ${type} is ${most}`;
    if (limit === undefined) found.push(`${rule}.  No limit is specified`);
    else if (isLess(most, limit)) found.push(`${rule}, but limit is ${limit}`);
    else if (request !== undefined && isLess(most, request)) found.push(`${rule}, but request is ${request}`);
  }
  for (const [name, factor] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const [request, limit] = [amount(requests, name), amount(limits, name)];
    const rule = `${name} max limit to request ratio per ${type} is ${factor}`;
    if (request === 0) found.push(`${rule}, but no request is specified or request is 0`);
    else if (limit === 0) found.push(`${rule}, but no limit is specified or limit is 0`);
    else if (limit / request > parseQuantity(factor))
      found.push(`${rule}, but provided ratio is ${(limit / request).toFixed(6)}`);
  }
  return found;
}

function isLess(a: string, b: string): boolean {
  return parseQuantity(a) < parseQuantity(b);
}

function amount(list: ResourceList | undefined, name: string): number {
  return parseQuantity(readKey(list, name) ?? '0');
}
