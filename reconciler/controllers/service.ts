/** Services: gives each its ClusterIP and node ports, and settles it when two passes gave out the same one. */
import {
  findCondition,
  keyOf,
  objectKey,
  parseKey,
  withCondition,
  type Condition,
  type ObjectKey,
  type StoredService,
} from '../../contracts/objects/index.ts';
import { ALLOCATED_ANNOTATION, allocate, allocatedText, wishesOf, type Problem } from '../core/services/allocation.ts';
import type { Decision, Step } from '../core/step.ts';
import { canonicalJson } from '../core/storage/canonical-json.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/** False while an address or port that the Service needs cannot be given. */
const CONDITION = 'AddressesAllocated';

function conditionsAfter(
  service: StoredService,
  problems: readonly Problem[],
  now: Date,
): readonly Condition[] | undefined {
  const before = service.status?.conditions;
  const first = problems[0];
  if (!first) return before?.filter((c) => c.type !== CONDITION);
  const message = problems.map((problem) => problem.message).join('; ');
  return withCondition(before, { type: CONDITION, status: 'False', reason: first.reason, message }, now.toISOString());
}

function statusSteps(service: StoredService, problems: readonly Problem[], now: Date): readonly Step[] {
  const conditions = conditionsAfter(service, problems, now) ?? [];
  if (canonicalJson(conditions) === canonicalJson(service.status?.conditions ?? [])) return [];
  const status = conditions.length > 0 ? { conditions } : {};
  const told = findCondition(service.status?.conditions, CONDITION)?.message;
  return [
    { do: 'updateStatus', object: { ...service, status } },
    ...problems
      .filter((p) => !told?.includes(p.message))
      .map((p): Step => ({ do: 'event', regarding: service, type: 'Warning', reason: p.reason, message: p.message })),
  ];
}

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const service = view.get(objectKey('Service', namespace, name));
  if (!service) return { steps: [] };
  const others = view.list('Service').filter((other) => other.metadata.uid !== service.metadata.uid);
  const wishes = wishesOf(service);
  const { spec, problems, moved } = allocate(service, others, clusterSettings(view).network, wishes);
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
  if (!changed) return { steps: statusSteps(service, problems, now) };
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

/** Services that share an address or port with this one, or wait for one that this one may have given back. */
function concerned(service: StoredService, view: StoreView): readonly ObjectKey[] {
  const ports = new Set(service.spec.ports.flatMap((port) => port.nodePort ?? []));
  const { clusterIP } = service.spec;
  return view
    .list('Service')
    .filter(
      (other) =>
        other.metadata.uid !== service.metadata.uid &&
        (findCondition(other.status?.conditions, CONDITION) !== undefined ||
          (clusterIP !== undefined && clusterIP !== 'None' && other.spec.clusterIP === clusterIP) ||
          (ports.size > 0 && other.spec.ports.some((port) => port.nodePort !== undefined && ports.has(port.nodePort)))),
    )
    .map(keyOf);
}

export const serviceController: Controller = {
  name: 'service-controller',
  kind: 'Service',
  watches: {
    Service: (service, view) => concerned(service, view),
    Cluster: (_cluster, view) => view.list('Service').map(keyOf),
  },
  decide,
};
