/**
 * Endpoints of Services with a selector, as people and programs read them: made from the slices when somebody asks, and kept
 * nowhere. Source: Kubernetes pkg/controller/endpoint.
 */
import {
  objectKey,
  SERVICE_NAME_LABEL,
  type Endpoint,
  type Endpoints,
  type EndpointsSubset,
  type EndpointSlice,
  type Stored,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { groupBy } from '../group-by.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import type { HealthView } from '../health/health.ts';
import { compareText } from '../workloads/owners.ts';
import type { TraceView } from './trace.ts';

/** Of one object; kube-controller-manager stops there, too. */
const MOST_ADDRESSES = 1000;
const MANAGED_BY = { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' };

type View = TraceView & Pick<HealthView, 'get'>;

/** Of all Services with a selector, or of one namespace, which have none by a manifest. */
export function listedEndpoints(view: View, namespace: string | undefined): readonly Stored<Endpoints>[] {
  return view.list('Service', namespace).flatMap((service) => endpointsOf(view, service) ?? []);
}

/** Of the Service of this name; undefined where it has no selector. */
export function namedEndpoints(view: View, namespace: string | undefined, name: string): Stored<Endpoints> | undefined {
  const service = view.get(objectKey('Service', namespace, name));
  return service && endpointsOf(view, service);
}

function endpointsOf(view: View, service: StoredService): Stored<Endpoints> | undefined {
  const { name, namespace, labels, uid, resourceVersion, generation, creationTimestamp } = service.metadata;
  const { selector, type } = service.spec;
  if (type === 'ExternalName' || selector === undefined || Object.keys(selector).length === 0) return undefined;
  if (view.get(objectKey('Endpoints', namespace, name))) return undefined;
  const slices = view.labelled('EndpointSlice', SERVICE_NAME_LABEL, name, namespace);
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels: { ...labels, ...MANAGED_BY },
      uid,
      resourceVersion,
      generation,
      creationTimestamp,
    },
    subsets: subsetsOf(slices),
  };
}

/** One for each set of ports that has an address; who ends is in none. */
function subsetsOf(slices: readonly EndpointSlice[]): readonly EndpointsSubset[] {
  let room = MOST_ADDRESSES;
  return [...groupBy(slices, ({ ports }) => canonicalJson(ports)).values()].flatMap((same) => {
    const living = same.flatMap(({ endpoints }) => endpoints).filter(({ conditions }) => isListed(conditions));
    const told = living.sort((a, b) => compareText(a.addresses[0] ?? '', b.addresses[0] ?? '')).slice(0, room);
    room -= told.length;
    if (told.length === 0) return [];
    const ports = (same[0]?.ports ?? []).map(({ name, port, protocol }) => ({
      ...(name !== '' && { name }),
      port,
      protocol,
    }));
    const addressesOf = (ready: boolean): EndpointsSubset['addresses'] =>
      told.filter(({ conditions }) => conditions.ready === ready).map(addressOf);
    return [{ addresses: addressesOf(true), notReadyAddresses: addressesOf(false), ports }];
  });
}

function isListed({ ready, terminating }: Endpoint['conditions']): boolean {
  return ready || !terminating;
}

function addressOf({ addresses, hostname, nodeName, targetRef }: Endpoint): EndpointsSubset['addresses'][number] {
  return {
    ip: addresses[0] ?? '',
    ...(hostname !== undefined && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}
