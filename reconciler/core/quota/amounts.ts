/** Amounts of what a ResourceQuota limits: cpu in thousandths of a core, all else in bytes or pieces. */
import { parseMilli, parseQuantity, type ResourceList } from '../../../contracts/objects/index.ts';

/** By resource of a quota: `pods`, `requests.cpu`, `count/deployments.apps`. */
export type Amounts = ReadonlyMap<string, number>;

const CPU: ReadonlySet<string> = new Set(['cpu', 'requests.cpu', 'limits.cpu']);
const BYTES = /(^|[./])(memory|ephemeral-storage|storage|hugepages-[^/]*)$/;
const BINARY = ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;

/** Rounded up to a whole unit. */
export function amountOf(resource: string, quantity: string): number {
  return CPU.has(resource) ? parseMilli(quantity) : Math.ceil(parseQuantity(quantity));
}

/** As Kubernetes writes it: in the largest unit that leaves a whole number. */
export function quantityOf(resource: string, amount: number): string {
  if (CPU.has(resource)) return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`;
  if (amount === 0 || !BYTES.test(resource)) return String(amount);
  for (const [index, unit] of BINARY.entries()) {
    const size = 1024 ** (BINARY.length - index);
    if (amount % size === 0) return `${amount / size}${unit}`;
  }
  return String(amount);
}

/** Whether the resource is counted in pieces. */
export function isCount(resource: string): boolean {
  return !CPU.has(resource) && !BYTES.test(resource);
}

export function amountsIn(list: ResourceList): Amounts {
  return new Map(Object.entries(list).map(([resource, quantity]) => [resource, amountOf(resource, quantity)]));
}

export function listOf(amounts: Amounts): ResourceList {
  return Object.fromEntries([...amounts].map(([resource, amount]) => [resource, quantityOf(resource, amount)]));
}

export function add(sum: Map<string, number>, amounts: Amounts): void {
  for (const [resource, amount] of amounts) sum.set(resource, (sum.get(resource) ?? 0) + amount);
}

/** Of each resource as much as the one that has more of it. */
export function larger(one: Amounts, other: Amounts): Amounts {
  const most = new Map(one);
  for (const [resource, amount] of other) most.set(resource, Math.max(amount, most.get(resource) ?? 0));
  return most;
}
