/** How sure a pod is of its room. Free of schemas: a node agent uses it. */
import { allContainers } from './pod-containers.ts';
import type { PodSpec } from './pod.ts';
import { readKey } from './own-key.ts';
import { isOfWholePod } from './pod-sums.ts';
import { parseQuantity } from './quantity-value.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';
type Amounts = Readonly<Record<string, string>>;

const COUNTED = ['cpu', 'memory'] as const;

/**
 * Of cpu and memory: `Guaranteed` where each container has limits for both, and the pod asks for just as much. What the
 * pod says as a whole counts alone. Sources: KEP-2837; Kubernetes pkg/apis/core/v1/helper/qos/qos.go, ComputePodQOS.
 */
export function qosClass(spec: Pick<PodSpec, 'containers' | 'initContainers' | 'resources'>): QosClass {
  const resources = (hasPodResources(spec) ? [spec] : allContainers(spec)).map(
    (one) => one.resources as { limits?: Amounts; requests?: Amounts },
  );
  const sum = (part: 'limits' | 'requests', name: string): number =>
    resources.reduce((total, one) => total + amount(one[part], name), 0);
  const asked = COUNTED.some((name) => sum('limits', name) > 0 || sum('requests', name) > 0);
  if (!asked) return 'BestEffort';
  const limited = resources.every(({ limits }) => COUNTED.every((name) => amount(limits, name) > 0));
  return limited && COUNTED.every((name) => sum('limits', name) === sum('requests', name)) ? 'Guaranteed' : 'Burstable';
}

/** Whether the pod says what it wants as a whole. */
export function hasPodResources({ resources }: Pick<PodSpec, 'resources'>): boolean {
  return [resources?.limits, resources?.requests].some((list) => Object.keys(list ?? {}).some(isOfWholePod));
}

function amount(list: Amounts | undefined, name: string): number {
  const quantity = readKey(list, name);
  return quantity === undefined ? 0 : parseQuantity(quantity);
}
