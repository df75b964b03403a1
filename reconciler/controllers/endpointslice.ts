/** EndpointSlices: the addresses behind each Service. */
import {
  labelsInclude,
  objectKey,
  parseKey,
  SERVICE_NAME_LABEL,
  type ObjectKey,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { endpointSlices, sliceSteps } from '../core/services/endpoints.ts';
import type { Decision } from '../core/step.ts';
import { waitsForDependents } from '../core/workloads/collection.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function matching(
  selector: Readonly<Record<string, string>>,
  namespace: string,
  view: StoreView,
): readonly StoredPod[] {
  const [first] = Object.entries(selector);
  if (!first) return [];
  return view
    .labelled('Pod', first[0], first[1], namespace)
    .filter((pod) => labelsInclude(pod.metadata.labels, selector));
}

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const service = view.get(objectKey('Service', namespace, name));
  // A Service that waits for its slices to go would wait for ever for those made anew.
  if (!service || waitsForDependents(service)) return { steps: [] };
  const present = view
    .labelled('EndpointSlice', SERVICE_NAME_LABEL, name, namespace)
    .filter((slice) => controllerOf(slice.metadata)?.uid === service.metadata.uid);
  return {
    steps: sliceSteps(
      endpointSlices(service, matching(service.spec.selector ?? {}, namespace, view), present),
      present,
    ),
  };
}

/** Services whose selector wants the pod, and those that still list it although it was relabelled. */
function servicesOf(pod: StoredPod, view: StoreView): readonly ObjectKey[] {
  const { namespace, uid } = pod.metadata;
  const keys = new Set<ObjectKey>();
  for (const service of view.list('Service', namespace)) {
    const { selector } = service.spec;
    if (selector && Object.keys(selector).length > 0 && labelsInclude(pod.metadata.labels, selector))
      keys.add(objectKey('Service', namespace, service.metadata.name));
  }
  if (pod.status?.podIP === undefined) return [...keys];
  for (const slice of view.list('EndpointSlice', namespace)) {
    const serviceName = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (serviceName === undefined) continue;
    const serviceKey = objectKey('Service', namespace, serviceName);
    if (!keys.has(serviceKey) && slice.endpoints.some((endpoint) => endpoint.targetRef?.uid === uid))
      keys.add(serviceKey);
  }
  return [...keys];
}

export const endpointSliceController: Controller = {
  name: 'endpointslice-controller',
  kind: 'Service',
  watches: {
    Pod: (pod, view) => servicesOf(pod, view),
    EndpointSlice: (slice) => {
      const serviceName = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      return serviceName === undefined ? [] : [objectKey('Service', slice.metadata.namespace, serviceName)];
    },
  },
  decide,
};
