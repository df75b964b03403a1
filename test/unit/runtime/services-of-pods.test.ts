/** The Services that a table knows to be a pod's are those that a look at all Services and slices finds. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  keyOf,
  labelsInclude,
  objectKey,
  SERVICE_NAME_LABEL,
  type EndpointSlice,
  type ObjectKey,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { createEndpointSliceController } from '../../../reconciler/controllers/endpointslice.ts';
import { OverlayView } from '../../../reconciler/controllers/forecast/overlay-view.ts';
import type { StoreView } from '../../../reconciler/controllers/runtime/controller.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { boundPod, stored } from '../nodes/stored.ts';

const labels = fc.dictionary(fc.constantFrom('app', 'tier', 'team'), fc.constantFrom('a', 'b'), { maxKeys: 3 });
const place = { namespace: fc.constantFrom('x', 'y'), name: fc.constantFrom('one', 'two', 'three') };
const pods = ['p1', 'p2', 'p3'];

const service = fc
  .record({ ...place, selector: fc.option(labels, { nil: undefined }) })
  .map(({ namespace, name, selector }) =>
    stored<'Service'>(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace, name },
        spec: {
          ...(selector && { selector }),
          type: 'ClusterIP',
          ports: [],
          sessionAffinity: 'None',
          publishNotReadyAddresses: false,
        },
      },
      { uid: `service ${namespace} ${name}` },
    ),
  );
const slice = fc
  .record({ ...place, of: fc.option(place.name, { nil: undefined }), pods: fc.subarray(pods) })
  .map(({ namespace, name, of, pods: listed }) => {
    const object: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace, name, ...(of !== undefined && { labels: { [SERVICE_NAME_LABEL]: of } }) },
      addressType: 'IPv4',
      ports: [],
      endpoints: listed.map((uid, i) => ({
        addresses: [`198.19.1.${i + 1}`],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', namespace, name: uid, uid },
      })),
    };
    return stored<'EndpointSlice'>(object, { uid: `slice ${namespace} ${name}` });
  });
const change = fc.record({ object: fc.oneof(service, slice), gone: fc.boolean(), beneath: fc.boolean() });
const pod = fc
  .record({ namespace: place.namespace, uid: fc.constantFrom(...pods), labels, hasAddress: fc.boolean() })
  .map(({ hasAddress, uid, ...metadata }) => ({
    ...boundPod(uid, 'n', {}, { ...metadata, uid }),
    status: { phase: 'Running', ...(hasAddress && { podIP: '198.19.1.1' }) },
  })) as fc.Arbitrary<unknown> as fc.Arbitrary<StoredPod>;

/** Services that want the pod, and those that still list it. */
function scanned({ metadata, status }: StoredPod, view: StoreView): ObjectKey[] {
  const { namespace, uid } = metadata;
  const wanting = view
    .list('Service', namespace)
    .filter(
      ({ spec: { selector = {} } }) => Object.keys(selector).length > 0 && labelsInclude(metadata.labels, selector),
    )
    .map((one) => one.metadata.name);
  const listing = view
    .list('EndpointSlice', namespace)
    .filter(({ endpoints }) => status?.podIP !== undefined && endpoints.some(({ targetRef }) => targetRef?.uid === uid))
    .flatMap((one) => one.metadata.labels?.[SERVICE_NAME_LABEL] ?? []);
  return [...new Set([...wanting, ...listing])].map((name) => objectKey('Service', namespace, name)).sort();
}

interface Changing {
  put(object: Stored): unknown;
  remove(key: ObjectKey): unknown;
}

it('whatever is put, changed and removed, in the table and in a view above it', () => {
  const watch = createEndpointSliceController().watches.Pod ?? assert.fail('pods are not watched');
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), pod, (changes, asked) => {
      const table = new ObjectTable();
      const apply = (to: Changing, fromBeneath: boolean): void => {
        for (const { object, gone, beneath } of changes) {
          if (beneath !== fromBeneath) continue;
          if (gone) to.remove(keyOf(object));
          else to.put(object);
        }
      };
      apply(table, true);
      const overlay = new OverlayView(table);
      apply(overlay, false);
      for (const view of [table, overlay])
        assert.deepEqual([...watch(asked, view, 'put')].sort(), scanned(asked, view));
    }),
  );
});
