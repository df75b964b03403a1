/**
 * Which Services a changed object concerns. Kept up to date by keys, so a change costs what it touches and not the
 * whole cluster.
 */
import type { EndpointSlice } from '../../../contracts/objects/index.ts';
import { objectKey, parseKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { SERVICE_NAME_LABEL } from '../../../contracts/objects/well-known.ts';
import type { AssignmentView } from '../assignment.ts';

export type ServiceKey = ObjectKey<'Service'>;

export class ServiceIndex {
  private readonly ownerOfSlice = new Map<ObjectKey, ServiceKey>();
  private readonly slicesOf = new Map<ServiceKey, Set<ObjectKey<'EndpointSlice'>>>();
  /** Slices that have this pod, of the pods of this node only, and the reverse. */
  private readonly slicesOfPod = new Map<ObjectKey, Set<ObjectKey<'EndpointSlice'>>>();
  private readonly podsOfSlice = new Map<ObjectKey, readonly ObjectKey[]>();

  /** Forgets everything and reads the whole view; answers with every Service and every one that only has slices. */
  reset(view: AssignmentView): Set<ServiceKey> {
    this.ownerOfSlice.clear();
    this.slicesOf.clear();
    this.slicesOfPod.clear();
    this.podsOfSlice.clear();
    const ids = new Set<ServiceKey>();
    for (const service of view.list('Service')) ids.add(serviceKey(service.metadata.namespace, service.metadata.name));
    for (const slice of view.list('EndpointSlice')) {
      for (const id of this.placeSlice(
        objectKey('EndpointSlice', slice.metadata.namespace, slice.metadata.name),
        slice,
        view.node,
      ))
        ids.add(id);
    }
    return ids;
  }

  /** The Services that the changed objects concern. */
  update(view: AssignmentView, changed: Iterable<ObjectKey>): Set<ServiceKey> {
    const ids = new Set<ServiceKey>();
    for (const key of changed) {
      const { kind, namespace, name } = parseKey(key);
      if (kind === 'Service') ids.add(serviceKey(namespace, name));
      if (kind === 'Pod') {
        for (const slice of this.slicesOfPod.get(key) ?? []) {
          const id = this.ownerOfSlice.get(slice);
          if (id !== undefined) ids.add(id);
        }
      }
      if (kind !== 'EndpointSlice') continue;
      const sliceKey = objectKey('EndpointSlice', namespace, name);
      for (const id of this.placeSlice(sliceKey, view.get(sliceKey), view.node)) ids.add(id);
    }
    return ids;
  }

  /** The Service's slices as the view has them, ordered by name. */
  slices(view: AssignmentView, id: ServiceKey): EndpointSlice[] {
    return [...(this.slicesOf.get(id) ?? [])].sort().flatMap((key) => view.get(key) ?? []);
  }

  /** Notes whose slice this is now; answers with the Services it left and joined. */
  private placeSlice(key: ObjectKey<'EndpointSlice'>, slice: EndpointSlice | undefined, node: string): ServiceKey[] {
    this.placePods(key, slice, node);
    const before = this.ownerOfSlice.get(key);
    const name = slice?.metadata.labels?.[SERVICE_NAME_LABEL];
    const now = slice === undefined || name === undefined ? undefined : serviceKey(slice.metadata.namespace, name);
    if (before !== undefined && before !== now) {
      remove(this.slicesOf, before, key);
      this.ownerOfSlice.delete(key);
    }
    if (now !== undefined) {
      this.ownerOfSlice.set(key, now);
      add(this.slicesOf, now, key);
    }
    return [before, now].filter((id) => id !== undefined);
  }

  private placePods(key: ObjectKey<'EndpointSlice'>, slice: EndpointSlice | undefined, node: string): void {
    for (const pod of this.podsOfSlice.get(key) ?? []) remove(this.slicesOfPod, pod, key);
    const pods = (slice?.endpoints ?? []).flatMap(({ nodeName, targetRef }) =>
      nodeName === node && targetRef ? [objectKey('Pod', targetRef.namespace, targetRef.name)] : [],
    );
    for (const pod of pods) add(this.slicesOfPod, pod, key);
    if (pods.length > 0) this.podsOfSlice.set(key, pods);
    else this.podsOfSlice.delete(key);
  }
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key) ?? new Set();
  map.set(key, values.add(value));
}

function remove<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) map.delete(key);
}

export function serviceKey(namespace: string | undefined, name: string): ServiceKey {
  return objectKey('Service', namespace ?? 'default', name);
}
