/**
 * The address of a Service of type LoadBalancer. Pools, wishes and sharing are MetalLB's. Source: metallb/metallb,
 * internal/allocator, and its documentation "Usage".
 */
import {
  isBuggyAddress,
  loadBalancerAddresses,
  poolHas,
  readKey,
  selectorMatches,
  type IPAddressPool,
  type Service,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { addressBlock, formatAddress, isAddress } from '../../../contracts/ipv4.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { byAge, compareText } from '../workloads/owners.ts';
import { hash32 } from '../workloads/stable-hash.ts';
import type { Problem } from './allocation.ts';
import type { Holders } from './claims.ts';

/** Classes of Services that are given addresses here, besides none. */
const CLASSES: readonly string[] = ['plumbline.dev/load-balancer', 'metallb', 'metallb.io/metallb'];

type Labels = Readonly<Record<string, string>> | undefined;

export interface Balancers {
  readonly pools: readonly IPAddressPool[];
  /** Of the Service's namespace. */
  readonly namespaceLabels: Labels;
}

export interface Balancing {
  /** What `status.loadBalancer.ingress` should have. */
  readonly address: string | undefined;
  readonly problems: readonly Problem[];
}

/**
 * The Service's address, given all others. It keeps the one that it has while a pool has it for the Service and no older
 * Service that does not share it has it too; another is looked for from a place that its name says, so that it is the
 * same again where nobody remembers.
 */
export function balance(service: StoredService, holders: Holders, balancers: Balancers): Balancing {
  const { spec } = service;
  if (spec.type !== 'LoadBalancer') return { address: undefined, problems: [] };
  const failed = (message: string): Balancing => ({
    address: undefined,
    problems: [{ reason: 'AllocationFailed', message }],
  });
  if (spec.loadBalancerClass !== undefined && !CLASSES.includes(spec.loadBalancerClass))
    return failed(
      `nobody here gives addresses to Services of loadBalancerClass ${spec.loadBalancerClass}; remove the field`,
    );
  const wish = wishOf(service);
  if ('wrong' in wish) return failed(wish.wrong);
  const pools = balancers.pools.filter((pool) => serves(pool, service, balancers.namespaceLabels));
  const [before] = loadBalancerAddresses(service);
  if (wish.address !== undefined) {
    const pool = pools.find((one) => poolHas(one, wish.address ?? ''));
    if (!pool) return failed(`no IPAddressPool has the address ${wish.address} for this Service`);
    if (wish.pool !== undefined && pool.metadata.name !== wish.pool)
      return failed(`the address ${wish.address} is of the IPAddressPool ${pool.metadata.name}, not of ${wish.pool}`);
    const clash = conflict(service, holders.of(`balancer ${wish.address}`));
    if (clash && (before !== wish.address || byAge(clash, service) < 0))
      return failed(`the address ${wish.address} is that of Service ${nameOf(clash)}, which does not share it`);
    return { address: wish.address, problems: [] };
  }
  const named = wish.pool === undefined ? pools : pools.filter(({ metadata }) => metadata.name === wish.pool);
  if (before !== undefined && named.some((pool) => poolHas(pool, before))) {
    const clash = conflict(service, holders.of(`balancer ${before}`));
    if (!clash || byAge(clash, service) > 0) return { address: before, problems: [] };
  }
  if (named.length === 0)
    return failed(
      wish.pool === undefined
        ? 'there is no IPAddressPool with addresses for this Service; write one (metallb.io/v1beta1)'
        : `there is no IPAddressPool ${wish.pool} with addresses for this Service`,
    );
  const open = wish.pool === undefined ? named.filter(({ spec: { autoAssign } }) => autoAssign) : named;
  for (const pool of [...open].sort(byPriority)) {
    const address = firstFree(pool, service, holders);
    if (address !== undefined) return { address, problems: [] };
  }
  return failed(
    `no address is free in the IPAddressPools ${open.map(({ metadata }) => metadata.name).join(', ') || '(none assigns by itself)'}`,
  );
}

type Wish = { readonly address: string | undefined; readonly pool: string | undefined } | { readonly wrong: string };

function annotation({ metadata }: Service, name: string): string | undefined {
  return (
    readKey(metadata.annotations, `metallb.io/${name}`) ?? readKey(metadata.annotations, `metallb.universe.tf/${name}`)
  );
}

function wishOf(service: Service): Wish {
  const asked = annotation(service, 'loadBalancerIPs');
  const { loadBalancerIP } = service.spec;
  if (asked !== undefined && loadBalancerIP !== undefined && asked !== loadBalancerIP)
    return {
      wrong:
        'spec.loadBalancerIP and the annotation metallb.io/loadBalancerIPs ask for different addresses; remove one',
    };
  const list = (asked ?? loadBalancerIP ?? '').split(',').map((text) => text.trim());
  const addresses = list.filter((text) => isAddress(text));
  if (addresses.length > 1 || (asked !== undefined && addresses.length === 0))
    return {
      wrong: `the annotation metallb.io/loadBalancerIPs must have one IPv4 address, found "${asked?.slice(0, 100) ?? ''}"`,
    };
  return { address: addresses[0], pool: annotation(service, 'address-pool') };
}

/** Source: MetalLB, isPoolCompatibleWithService. */
function serves(
  { spec: { serviceAllocation: to } }: IPAddressPool,
  { metadata }: Service,
  namespaceLabels: Labels,
): boolean {
  if (to === undefined) return true;
  const namespaces = to.namespaces ?? [];
  const selectors = to.namespaceSelectors ?? [];
  const inNamespace =
    (namespaces.length === 0 && selectors.length === 0) ||
    namespaces.includes(metadata.namespace ?? '') ||
    selectors.some((selector) => selectorMatches(selector, namespaceLabels));
  const services = to.serviceSelectors ?? [];
  return (
    inNamespace && (services.length === 0 || services.some((selector) => selectorMatches(selector, metadata.labels)))
  );
}

/** Pools for some Services come first: of them those with the least priority, 0 last. */
function byPriority(a: IPAddressPool, b: IPAddressPool): number {
  const rank = ({ spec: { serviceAllocation } }: IPAddressPool): number =>
    serviceAllocation === undefined ? Infinity : serviceAllocation.priority || Number.MAX_SAFE_INTEGER;
  const [left, right] = [rank(a), rank(b)];
  return left === right ? compareText(a.metadata.name, b.metadata.name) : left - right;
}

/** The oldest of those that have an address and do not share it with the Service. */
function conflict(service: StoredService, holders: readonly StoredService[]): StoredService | undefined {
  return holders.filter((other) => !sharesWith(service, other)).sort(byAge)[0];
}

/**
 * Two share an address when both name one key, no port is both's, and, where connections stay on the node that they come
 * to, both select the same pods: one node holds the address for them. Source: MetalLB, sharingOK and BackendKey.
 */
function sharesWith(a: Service, b: Service): boolean {
  const key = annotation(a, 'allow-shared-ip');
  if (!key || key !== annotation(b, 'allow-shared-ip') || backends(a) !== backends(b)) return false;
  const ports = new Set(a.spec.ports.map(({ port, protocol }) => `${protocol}/${port}`));
  return b.spec.ports.every(({ port, protocol }) => !ports.has(`${protocol}/${port}`));
}

function backends({ spec, metadata }: Service): string {
  return spec.externalTrafficPolicy === 'Local' ? canonicalJson([metadata.namespace ?? '', spec.selector ?? {}]) : '';
}

/** Addresses that are looked at for one Service: of a larger pool not all, when so many in a row are taken. */
const MOST_TRIES = 65_536;

function firstFree(pool: IPAddressPool, service: StoredService, holders: Holders): string | undefined {
  const blocks = pool.spec.addresses.flatMap((text) => addressBlock(text) ?? []);
  const size = blocks.reduce((sum, block) => sum + block.size, 0);
  const start = hash32(nameOf(service)) % Math.max(1, size);
  for (let i = 0; i < Math.min(size, MOST_TRIES); i += 1) {
    const address = nth(blocks, (start + i) % size);
    if (pool.spec.avoidBuggyIPs && isBuggyAddress(address)) continue;
    const text = formatAddress(address);
    const taken = holders.of(`balancer ${text}`);
    // What others share is asked for by name or by key alone: an address that is free is as good.
    if (taken.length === 0 || (annotation(service, 'allow-shared-ip') && !conflict(service, taken))) return text;
  }
  return undefined;
}

function nth(blocks: readonly { readonly first: number; readonly size: number }[], index: number): number {
  let left = index;
  for (const { first, size } of blocks) {
    if (left < size) return first + left;
    left -= size;
  }
  throw new RangeError('there is no such address in the pool');
}

function nameOf({ metadata }: Service): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
