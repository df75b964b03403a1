/** Services and their endpoints as names have them: by name, and by address. Kept by keys: a change costs what it touches. */
import type { EndpointSlice, Service } from '../../../contracts/objects/index.ts';
import { parseKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { clusterIPsOf } from '../../../contracts/objects/service-families.ts';
import type { AssignmentView } from '../assignment.ts';
import { withOwnPods } from '../data-plane/own-endpoints.ts';
import { ServiceIndex, serviceKey, type ServiceKey } from '../data-plane/service-index.ts';
import type { LocalPods } from '../local-pods.ts';

/** One address behind a Service. */
export interface NamedEndpoint {
  readonly address: string;
  /** What stands before the Service's name: the pod's host name, or its address with dashes. */
  readonly name: string;
  readonly ports: EndpointSlice['ports'];
}

export interface ClusterNames {
  service(namespace: string, name: string): Service | undefined;
  /** Those that are ready, ordered by address, without doubles. */
  endpoints(namespace: string, name: string): readonly NamedEndpoint[];
  hasNamespace(namespace: string): boolean;
  /** Names of the Service, or of the endpoints, at an address; ordered. */
  namesAt(address: string): readonly string[];
}

export class AssignedNames implements ClusterNames {
  readonly #index = new ServiceIndex();
  readonly #pods: LocalPods;
  #view: AssignmentView;
  /** Services that have this address for themselves or behind them, and the reverse. */
  readonly #servicesAt = new Map<string, Set<ServiceKey>>();
  readonly #addressesOf = new Map<ServiceKey, readonly string[]>();
  /** Of Services that were asked for since they changed: of a large one it takes a millisecond to find them out. */
  readonly #endpointsOf = new Map<ServiceKey, readonly NamedEndpoint[]>();
  /** How many Services a namespace has. */
  readonly #namespaces = new Map<string, number>();

  constructor(view: AssignmentView, pods: LocalPods) {
    this.#view = view;
    this.#pods = pods;
    for (const key of this.#index.reset(view)) this.#place(key);
  }

  /**
   * Takes over the view; `changed` are the keys in which it may differ from the one before. Answers whether a name may be
   * another one.
   */
  update(view: AssignmentView, changed: readonly ObjectKey[]): boolean {
    this.#view = view;
    const touched = this.#index.update(view, changed);
    for (const key of touched) {
      this.#endpointsOf.delete(key);
      this.#place(key);
    }
    return touched.size > 0;
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#view.get(serviceKey(namespace, name));
  }

  endpoints(namespace: string, name: string): readonly NamedEndpoint[] {
    const key = serviceKey(namespace, name);
    const known = this.#endpointsOf.get(key);
    if (known) return known;
    const service = this.#view.get(key);
    const found = this.#find(key, service?.spec.publishNotReadyAddresses ?? false);
    // Names that nobody has are not kept.
    if (service) this.#endpointsOf.set(key, found);
    return found;
  }

  #find(key: ServiceKey, always: boolean): readonly NamedEndpoint[] {
    const found = new Map<string, NamedEndpoint>();
    for (const slice of this.#index.slices(this.#view, key)) {
      for (const { addresses, conditions, hostname } of withOwnPods(slice, always, this.#view, this.#pods).endpoints) {
        const [address] = addresses;
        if (address === undefined || !conditions.ready) continue;
        const ports = [...(found.get(address)?.ports ?? []), ...slice.ports];
        found.set(address, { address, name: hostname ?? address.replace(/[.:]/g, '-'), ports });
      }
    }
    return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  namesAt(address: string): readonly string[] {
    return [...(this.#servicesAt.get(address) ?? [])].sort().flatMap((key) => {
      const { namespace, name } = parseKey(key);
      const service = `${name}.${namespace}.svc`;
      const spec = this.#view.get(key)?.spec;
      if (spec && clusterIPsOf(spec).includes(address)) return [service];
      const at = this.endpoints(namespace ?? '', name).find((endpoint) => endpoint.address === address);
      return at ? [`${at.name}.${service}`] : [];
    });
  }

  #place(key: ServiceKey): void {
    const service = this.#view.get(key);
    const slices = service ? this.#index.slices(this.#view, key) : [];
    const behind = slices.flatMap((slice) => slice.endpoints.flatMap(({ addresses }) => addresses.slice(0, 1)));
    const now = [...new Set([...(service ? clusterIPsOf(service.spec) : []), ...behind])];
    const before = this.#addressesOf.get(key);
    for (const address of before ?? []) {
      const services = this.#servicesAt.get(address);
      services?.delete(key);
      if (services?.size === 0) this.#servicesAt.delete(address);
    }
    for (const address of now) this.#servicesAt.set(address, (this.#servicesAt.get(address) ?? new Set()).add(key));
    this.#count(key, Number(service !== undefined) - Number(before !== undefined));
    if (service) this.#addressesOf.set(key, now);
    else this.#addressesOf.delete(key);
  }

  #count(key: ServiceKey, by: number): void {
    const namespace = parseKey(key).namespace ?? '';
    const count = (this.#namespaces.get(namespace) ?? 0) + by;
    if (count > 0) this.#namespaces.set(namespace, count);
    else this.#namespaces.delete(namespace);
  }
}
