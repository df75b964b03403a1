/**
 * EndpointSlices of Endpoints that a manifest lists. Source: Kubernetes, pkg/controller/endpointslicemirroring; "EndpointSlice
 * mirroring" of its documentation.
 */
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

/** One slice for each set of ports, named after it; none of subsets without addresses. */
export function mirroredSlices(endpoints: Stored<Endpoints>): readonly EndpointSlice[] {
  const groups = new Map<string, Subset[]>();
  for (const subset of endpoints.subsets) {
    if (subset.addresses.length + subset.notReadyAddresses.length === 0) continue;
    const key = canonicalJson(portsOf(subset));
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
    addressType: 'IPv4',
    endpoints: subsets.flatMap(endpointsOf),
    ports: subsets[0] === undefined ? [] : portsOf(subsets[0]),
  }));
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
