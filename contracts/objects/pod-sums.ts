/**
 * Sums over a pod's containers. Free of schemas: a node agent uses it, and the schema of pods. Sources: Kubernetes,
 * KEP-753, "Resources calculation for scheduling and pod admission"; KEP-2837; PodRequests in
 * k8s.io/component-helpers/resource.
 */
import type { ResourceList } from './quantity.ts';
import { parseMilli, parseQuantity } from './quantity-value.ts';
import { isSidecar } from './sidecar.ts';

/** Amounts by resource name: cpu in thousandths of a core, everything else in bytes or pieces, whole numbers. */
export type Amounts = ReadonlyMap<string, number>;

export interface PodResources {
  readonly limits?: ResourceList | undefined;
  readonly requests?: ResourceList | undefined;
}
interface Asking {
  readonly resources: PodResources;
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never' | undefined;
}
/** What is looked at of a pod's spec. */
export interface AskingSpec {
  readonly containers: readonly Asking[];
  readonly initContainers?: readonly Asking[] | undefined;
  readonly overhead?: ResourceList | undefined;
  readonly resources?: PodResources | undefined;
}

/** Whether a pod as a whole may say how much of it it wants. */
export function isOfWholePod(resource: string): boolean {
  return resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-');
}

/** As they are written. */
export function quantitiesOf(amounts: Amounts): ResourceList {
  return Object.fromEntries(
    [...amounts].map(([name, amount]) => [name, name === 'cpu' ? `${amount}m` : String(amount)]),
  );
}

function amountOf(resource: string, quantity: string): number {
  return resource === 'cpu' ? parseMilli(quantity) : Math.ceil(parseQuantity(quantity));
}

/**
 * The sum of what a spec asks for, where containers that do not say what they need ask for `silent`. What the pod says as
 * a whole counts instead of what its containers say.
 */
export function sumOfRequests(spec: AskingSpec, silent: ResourceList): Map<string, number> {
  const { overhead = {}, resources } = spec;
  const sum = sumOfContainers(spec, silent);
  for (const [name, quantity] of Object.entries(resources?.requests ?? {}))
    if (isOfWholePod(name)) sum.set(name, amountOf(name, quantity));
  return add(sum, overhead);
}

/** The same of the containers alone. */
export function sumOfContainers(
  { containers, initContainers = [] }: Pick<AskingSpec, 'containers' | 'initContainers'>,
  silent: ResourceList,
): Map<string, number> {
  const sum = new Map<string, number>();
  for (const { resources } of containers) add(sum, { ...silent, ...resources.requests });
  const besideInit = new Map<string, number>();
  let starting: ReadonlyMap<string, number> = new Map();
  for (const container of initContainers) {
    const requests = { ...silent, ...container.resources.requests };
    if (isSidecar(container)) {
      add(sum, requests);
      add(besideInit, requests);
    } else starting = larger(starting, add(new Map(besideInit), requests));
  }
  return larger(sum, starting);
}

function add(sum: Map<string, number>, list: ResourceList): Map<string, number> {
  for (const [resource, quantity] of Object.entries(list))
    sum.set(resource, (sum.get(resource) ?? 0) + amountOf(resource, quantity));
  return sum;
}

function larger(one: Amounts, other: Amounts): Map<string, number> {
  return new Map(
    [...one.keys(), ...other.keys()].map((resource) => [
      resource,
      Math.max(one.get(resource) ?? 0, other.get(resource) ?? 0),
    ]),
  );
}
