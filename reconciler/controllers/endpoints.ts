/** Endpoints of manifests: mirrored into EndpointSlices, which nodes read. */
import { objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import { sliceSteps } from '../core/services/endpoints.ts';
import { isMirrored, mirroredSlices } from '../core/services/mirroring.ts';
import type { Decision } from '../core/step.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const endpoints = view.get(objectKey('Endpoints', namespace, name));
  if (!endpoints || endpoints.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const mirrored = isMirrored(endpoints, view.get(objectKey('Service', namespace, name)));
  return {
    steps: sliceSteps(mirrored ? mirroredSlices(endpoints) : [], view.ownedBy('EndpointSlice', endpoints.metadata.uid)),
  };
}

export const endpointsController: Controller = {
  name: 'endpointslicemirroring-controller',
  kind: 'Endpoints',
  watches: {
    Service: ({ metadata }, view) => {
      const key = objectKey('Endpoints', metadata.namespace, metadata.name);
      return view.get(key) ? [key] : [];
    },
    EndpointSlice: ({ metadata }, view) =>
      (metadata.ownerReferences ?? [])
        .filter(({ kind }) => kind === 'Endpoints')
        .map(({ name }) => objectKey('Endpoints', metadata.namespace, name))
        .filter((key) => view.get(key) !== undefined),
  },
  decide,
};
