/** EndpointSlices: the addresses behind each Service. */
import {
  clusterFamilies,
  keyOf,
  labelsInclude,
  objectKey,
  parseKey,
  SERVICE_NAME_LABEL,
  ZONE_LABEL,
  type ObjectKey,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { endpointSlices, sliceSteps } from '../core/services/endpoints.ts';
import type { Decision } from '../core/step.ts';
import { waitsForDependents } from '../core/workloads/collection.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import { clusterSettings } from './cluster-settings.ts';
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
      endpointSlices(
        service,
        matching(service.spec.selector ?? {}, namespace, view),
        present,
        (node) => zoneOf(node, view),
        clusterFamilies(clusterSettings(view).network),
      ),
      present,
    ),
  };
}

/** Services whose selector wants the pod, and those that still list it although it was relabelled. */
function servicesOf(pod: StoredPod, view: StoreView): readonly ObjectKey[] {
  const { namespace, uid } = pod.metadata;
  const names = new Set(view.selecting('Service', pod).map(({ metadata }) => metadata.name));
  if (pod.status?.podIP !== undefined) {
    for (const { metadata } of view.pointingAt('EndpointSlice', uid)) {
      const name = metadata.labels?.[SERVICE_NAME_LABEL];
      if (name !== undefined && metadata.namespace === namespace) names.add(name);
    }
  }
  return [...names].map((name) => objectKey('Service', namespace, name));
}

function zoneOf(node: string, view: StoreView): string | undefined {
  return view.get(objectKey('Node', undefined, node))?.metadata.labels?.[ZONE_LABEL];
}

export function createEndpointSliceController(): Controller {
  /** Zones as they were last seen: most of what is told of nodes is about something else. */
  const zones = new Map<string, string>();
  /** Families of the cluster, as they were last seen. */
  let families = 'IPv4';

  const zoneChanged = (node: string, view: StoreView): boolean => {
    const zone = zoneOf(node, view);
    if (zone === zones.get(node)) return false;
    if (zone === undefined) zones.delete(node);
    else zones.set(node, zone);
    return true;
  };

  return {
    name: 'endpointslice-controller',
    kind: 'Service',
    watches: {
      Pod: (pod, view) => servicesOf(pod, view),
      EndpointSlice: (slice) => {
        const serviceName = slice.metadata.labels?.[SERVICE_NAME_LABEL];
        return serviceName === undefined ? [] : [objectKey('Service', slice.metadata.namespace, serviceName)];
      },
      Cluster: ({ spec }, view) => {
        const now = clusterFamilies(spec.network).join();
        if (now === families) return [];
        families = now;
        return view.list('Service').map(keyOf);
      },
      Node: ({ metadata }, view) =>
        zoneChanged(metadata.name, view)
          ? view
              .list('Service')
              .filter(({ spec }) => spec.trafficDistribution !== undefined)
              .map(keyOf)
          : [],
    },
    decide,
  };
}
