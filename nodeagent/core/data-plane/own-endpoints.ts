/**
 * Endpoints that are pods of this node, as the node itself sees them: its rules follow its pods at once, with or
 * without a control plane.
 */
import type { Family } from '../../../contracts/ip.ts';
import type { Endpoint, EndpointSlice } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import type { AssignmentView } from '../assignment.ts';
import { addressOf, type LocalPods } from '../local-pods.ts';

/**
 * The slice with each endpoint of this node brought up to date: the address that the pod has now, and whether it is
 * ready. One whose pod is gone, ended, has no address, or was never given to this node is left out; one whose pod was
 * not looked at yet stays as it is. `alwaysReady`: the Service publishes addresses that are not ready.
 */
export function withOwnPods(
  slice: EndpointSlice,
  alwaysReady: boolean,
  view: AssignmentView,
  pods: LocalPods,
): EndpointSlice {
  if (!slice.endpoints.some((endpoint) => isOwn(endpoint, view))) return slice;
  return {
    ...slice,
    endpoints: slice.endpoints.flatMap((endpoint) =>
      isOwn(endpoint, view) ? ownEndpoint(endpoint, slice.addressType, alwaysReady, view, pods) : [endpoint],
    ),
  };
}

function isOwn(endpoint: Endpoint, view: AssignmentView): boolean {
  return endpoint.nodeName === view.node && endpoint.targetRef !== undefined;
}

function ownEndpoint(
  endpoint: Endpoint,
  family: Family,
  alwaysReady: boolean,
  view: AssignmentView,
  pods: LocalPods,
): Endpoint[] {
  const { targetRef } = endpoint;
  if (targetRef === undefined) return [endpoint];
  const assigned = view.get(objectKey('Pod', targetRef.namespace, targetRef.name));
  const pod = assigned?.metadata.uid === targetRef.uid ? assigned : undefined;
  const local = pods.get(targetRef.uid);
  if (local === undefined) return pod === undefined ? [] : [endpoint];
  const address = addressOf(local, family);
  if (local.over || address === undefined) return [];
  const terminating = endpoint.conditions.terminating || pod?.metadata.deletionTimestamp !== undefined;
  const serving = alwaysReady || local.ready;
  // As the EndpointSlice controller counts it (discovery.k8s.io/v1, EndpointConditions).
  return [
    {
      ...endpoint,
      addresses: [address],
      conditions: { ready: alwaysReady || (serving && !terminating), serving, terminating },
    },
  ];
}
