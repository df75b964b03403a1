/**
 * EndpointSlices of Endpoints that a manifest lists. Source: Kubernetes, pkg/controller/endpointslicemirroring; "EndpointSlice
 * mirroring" of its documentation.
 */
import { FAMILIES, familyOf, type Family } from '../../../contracts/ip.ts';
import {
  SERVICE_NAME_LABEL,
  type Endpoint,
  type Endpoints,
  type EndpointSlice,
  type Service,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { controllerRef } from '../workloads/owners.ts';
import { nameHash } from '../workloads/stable-hash.ts';

const MANAGED_BY = { 'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io' };
/** Labels and annotations that are about the Endpoints themselves. */
const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';
/** Of one subset. Kubernetes: --mirroring-max-endpoints-per-subset. */
const MOST_ADDRESSES = 1000;
const HASH_LENGTH = 5;

type Subset = Endpoints['subsets'][number];

/** Whether the Service's endpoints are those that a manifest lists. */
export function isMirrored(endpoints: Endpoints, service: Service | undefined): boolean {
  const { labels, annotations } = endpoints.metadata;
  return (
    service !== undefined &&
    service.spec.type !== 'ExternalName' &&
    Object.keys(service.spec.selector ?? {}).length === 0 &&
    labels?.[SKIP_LABEL] !== 'true' &&
    annotations?.[LEADER_ANNOTATION] === undefined
  );
}

/** One slice for each set of ports and family of addresses, named after both; none of subsets without addresses. */
export function mirroredSlices(endpoints: Stored<Endpoints>): readonly EndpointSlice[] {
  const groups = new Map<string, Subset[]>();
  for (const subset of endpoints.subsets.flatMap(byFamily)) {
    if (subset.addresses.length + subset.notReadyAddresses.length === 0) continue;
    const ofIPv6 = familyOfSubset(subset) === 'IPv6';
    const key = `${canonicalJson(portsOf(subset))}${ofIPv6 ? ' IPv6' : ''}`;
    const same = groups.get(key) ?? [];
    groups.set(key, same);
    same.push(subset);
  }
  const { name, namespace, labels } = endpoints.metadata;
  return [...groups].map(([key, subsets]): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${nameHash(`${namespace ?? ''}/${name} ${key}`, HASH_LENGTH)}`,
      ...(namespace !== undefined && { namespace }),
      labels: { ...labels, ...MANAGED_BY, [SERVICE_NAME_LABEL]: name },
      ownerReferences: [controllerRef(endpoints)],
    },
    addressType: subsets[0] === undefined ? 'IPv4' : familyOfSubset(subsets[0]),
    endpoints: subsets.flatMap(endpointsOf),
    ports: subsets[0] === undefined ? [] : portsOf(subsets[0]),
  }));
}

/** The subset with the addresses of one family alone, once for each. */
function byFamily({ addresses, notReadyAddresses, ports }: Subset): readonly Subset[] {
  return FAMILIES.map((family): Subset => {
    const own = ({ ip }: Subset['addresses'][number]): boolean => familyOf(ip) === family;
    return { addresses: addresses.filter(own), notReadyAddresses: notReadyAddresses.filter(own), ports };
  });
}

/** Of one whose addresses are all of one family. */
function familyOfSubset({ addresses, notReadyAddresses }: Subset): Family {
  return familyOf([...addresses, ...notReadyAddresses][0]?.ip ?? '') ?? 'IPv4';
}

function portsOf({ ports }: Subset): EndpointSlice['ports'] {
  return ports.map(({ name = '', port, protocol }) => ({ name, port, protocol }));
}

function endpointsOf({ addresses, notReadyAddresses }: Subset): readonly Endpoint[] {
  const entry =
    (ready: boolean) =>
    ({ ip, hostname, nodeName }: Subset['addresses'][number]): Endpoint => ({
      addresses: [ip],
      conditions: { ready, serving: ready, terminating: false },
      ...(nodeName !== undefined && { nodeName }),
      ...(hostname !== undefined && { hostname }),
    });
  return [...addresses.map(entry(true)), ...notReadyAddresses.map(entry(false))].slice(0, MOST_ADDRESSES);
}
