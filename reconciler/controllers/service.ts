/** Services: gives each its ClusterIP, node ports and the address of its load balancer, and settles it when two passes gave out the same one. */
import {
  familyNetwork,
  findCondition,
  keyOf,
  loadBalancerAddresses,
  objectKey,
  parseKey,
  withCondition,
  type Condition,
  type ObjectKey,
  type ServiceStatus,
  type StoredService,
} from '../../contracts/objects/index.ts';
import {
  ALLOCATED_ANNOTATION,
  allocate,
  allocatedText,
  type Ranges,
  wishesOf,
  type Problem,
} from '../core/services/allocation.ts';
import { ALLOCATED, claimsOf, type Holders } from '../core/services/claims.ts';
import { balance } from '../core/services/load-balancers.ts';
import type { Decision, Step } from '../core/step.ts';
import { canonicalJson } from '../core/storage/canonical-json.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function conditionsAfter(
  service: StoredService,
  problems: readonly Problem[],
  now: Date,
): readonly Condition[] | undefined {
  const before = service.status?.conditions;
  const first = problems[0];
  if (!first) return before?.filter((c) => c.type !== ALLOCATED);
  const message = problems.map((problem) => problem.message).join('; ');
  return withCondition(before, { type: ALLOCATED, status: 'False', reason: first.reason, message }, now.toISOString());
}

function statusSteps(
  service: StoredService,
  problems: readonly Problem[],
  address: string | undefined,
  now: Date,
): readonly Step[] {
  const conditions = conditionsAfter(service, problems, now) ?? [];
  const { conditions: _conditions, loadBalancer: _loadBalancer, ...rest } = service.status ?? {};
  const status: ServiceStatus = {
    ...rest,
    ...(conditions.length > 0 && { conditions }),
    ...(address !== undefined && { loadBalancer: { ingress: [{ ip: address, ipMode: 'VIP' }] } }),
  };
  if (canonicalJson(status) === canonicalJson(service.status ?? {})) return [];
  const told = findCondition(service.status?.conditions, ALLOCATED)?.message;
  const [before] = loadBalancerAddresses(service);
  return [
    { do: 'updateStatus', object: { ...service, status } },
    ...problems
      .filter((p) => !told?.includes(p.message))
      .map((p): Step => ({ do: 'event', regarding: service, type: 'Warning', reason: p.reason, message: p.message })),
    // As MetalLB tells it.
    ...(address === undefined || address === before
      ? []
      : [
          {
            do: 'event' as const,
            regarding: service,
            type: 'Normal' as const,
            reason: 'IPAllocated',
            message: `Assigned IP ["${address}"]`,
          },
        ]),
  ];
}

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const service = view.get(objectKey('Service', namespace, name));
  if (!service) return { steps: [] };
  const holders = othersThan(service, view);
  const wishes = wishesOf(service);
  const { spec, problems, moved } = allocate(service, holders, rangesOf(view), wishes);
  const { [ALLOCATED_ANNOTATION]: _before, ...annotations } = service.metadata.annotations ?? {};
  const text = allocatedText(spec, wishes);
  const wanted: StoredService = {
    ...service,
    metadata: { ...service.metadata, annotations: { ...annotations, ...(text && { [ALLOCATED_ANNOTATION]: text }) } },
    spec,
  };
  const changed =
    canonicalJson(spec) !== canonicalJson(service.spec) ||
    (service.metadata.annotations?.[ALLOCATED_ANNOTATION] ?? '') !== text;
  if (!changed) {
    const pools = service.spec.type === 'LoadBalancer' ? view.list('IPAddressPool') : [];
    const namespaceLabels = view.get(objectKey('Namespace', undefined, namespace ?? 'default'))?.metadata.labels;
    const { address, problems: failed } = balance(service, holders, { pools, namespaceLabels });
    return { steps: statusSteps(service, [...problems, ...failed], address, now) };
  }
  return {
    steps: [
      { do: 'update', object: wanted },
      ...moved.map((value): Step => ({
        do: 'event',
        regarding: service,
        type: 'Warning',
        reason: 'Reallocated',
        message: `${value} belongs to an older Service; took another`,
      })),
    ],
  };
}

/** A listener of a Gateway at a port that a Service is given would hear nothing. */
function rangesOf(view: StoreView): Ranges {
  const { network, gateway } = clusterSettings(view);
  const listeners = view.list('Gateway').flatMap(({ spec }) => spec.listeners.map(({ port }) => port));
  return {
    ...network,
    serviceCIDRIPv6: familyNetwork(network, 'IPv6')?.serviceCIDR,
    heldPorts: new Set([gateway.ingress.httpPort, gateway.ingress.httpsPort, ...listeners]),
  };
}

/** Services that share an address or port with this one, or wait for one that this one may have given back. */
function concerned(service: StoredService, view: StoreView): readonly ObjectKey[] {
  const others = othersThan(service, view);
  const claims = new Set([...claimsOf(service), 'unmet' as const]);
  return [...new Set([...claims].flatMap((claim) => others.of(claim).map(keyOf)))];
}

function othersThan({ metadata: { uid } }: StoredService, view: StoreView): Holders {
  return { of: (claim) => view.claiming('Service', claim).filter((other) => other.metadata.uid !== uid) };
}

function balanced(view: StoreView, namespace?: string): readonly ObjectKey[] {
  return view
    .list('Service', namespace)
    .filter(({ spec }) => spec.type === 'LoadBalancer')
    .map(keyOf);
}

export const serviceController: Controller = {
  name: 'service-controller',
  kind: 'Service',
  watches: {
    Service: (service, view) => concerned(service, view),
    Cluster: (_cluster, view) => view.list('Service').map(keyOf),
    IPAddressPool: (_pool, view) => balanced(view),
    Namespace: ({ metadata }, view) => balanced(view, metadata.name),
  },
  decide,
};
