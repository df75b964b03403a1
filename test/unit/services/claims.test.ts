/** Who has an address or a port, as a table and a view above it know it, is who a look at all Services finds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyOf, type StoredService } from '../../../contracts/objects/index.ts';
import { OverlayView } from '../../../reconciler/controllers/forecast/overlay-view.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { ALLOCATED, claimsOf, type Claim } from '../../../reconciler/core/services/claims.ts';
import { stored } from '../nodes/stored.ts';

const ADDRESSES = ['10.96.0.7', '10.96.0.8'];
const BALANCED = ['192.0.2.1', '192.0.2.2'];
const PORTS = [30080, 30081];

const service: fc.Arbitrary<StoredService> = fc
  .record({
    name: fc.constantFrom('one', 'two', 'three'),
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
    clusterIP: fc.constantFrom(undefined, 'None', ...ADDRESSES),
    nodePort: fc.constantFrom(undefined, ...PORTS),
    ip: fc.constantFrom(undefined, ...BALANCED),
    waits: fc.boolean(),
  })
  .map(({ name, type, clusterIP, nodePort, ip, waits }) =>
    stored<'Service'>(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace: 'default', name },
        spec: {
          type,
          ...(clusterIP !== undefined && { clusterIP }),
          ports: [{ port: 80, targetPort: 80, protocol: 'TCP', ...(nodePort !== undefined && { nodePort }) }],
          sessionAffinity: 'None',
          publishNotReadyAddresses: false,
        },
        status: {
          ...(ip !== undefined && { loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } }),
          conditions: waits
            ? [
                {
                  type: ALLOCATED,
                  status: 'False',
                  reason: 'x',
                  message: 'x',
                  lastTransitionTime: '2026-01-01T00:00:00Z',
                },
              ]
            : [],
        },
      },
      { uid: `service ${name}` },
    ),
  );
const change = fc.record({ object: service, gone: fc.boolean(), beneath: fc.boolean() });
const ALL: readonly Claim[] = [
  ...ADDRESSES.map((address): Claim => `address ${address}`),
  ...PORTS.map((port): Claim => `port ${port}`),
  ...BALANCED.map((address): Claim => `balancer ${address}`),
  'unmet',
];

describe('claims of Services', () => {
  it('are known in a table and in a view above it, whatever is put, changed and removed', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const table = new ObjectTable();
        const overlay = new OverlayView(table);
        for (const fromBeneath of [true, false])
          for (const { object, gone } of changes.filter(({ beneath }) => beneath === fromBeneath)) {
            const to = fromBeneath ? table : overlay;
            if (gone) to.remove(keyOf(object));
            else to.put(object);
          }
        for (const view of [table, overlay])
          for (const claim of ALL)
            assert.deepEqual(
              view.claiming('Service', claim).map(keyOf).sort(),
              view
                .list('Service')
                .filter((one) => claimsOf(one).includes(claim))
                .map(keyOf)
                .sort(),
            );
      }),
    );
  });

  it('are addresses, ports of the nodes where the type has such, balancers, and what is waited for', () => {
    const [one] = fc.sample(service, { numRuns: 1, seed: 1 });
    assert.ok(one);
    const of = (spec: object, status: object): readonly Claim[] =>
      claimsOf({ ...one, spec: { ...one.spec, clusterIP: '10.96.0.7', ...spec }, status });
    const ports = [{ port: 80, targetPort: 80, protocol: 'TCP', nodePort: 30080 }];
    const ingress = { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } };
    const cases: readonly (readonly [object, object, readonly Claim[]])[] = [
      [{ type: 'ClusterIP', ports }, {}, ['address 10.96.0.7']],
      [{ type: 'NodePort', ports }, ingress, ['address 10.96.0.7', 'port 30080']],
      [{ type: 'LoadBalancer', ports: [], clusterIP: 'None' }, ingress, ['balancer 192.0.2.1']],
      [
        { type: 'NodePort', ports: [], clusterIPs: ['10.96.0.7', 'fd00::7'] },
        {},
        ['address 10.96.0.7', 'address fd00::7'],
      ],
      [{ type: 'ExternalName', clusterIP: undefined, ports: [] }, { conditions: [{ type: ALLOCATED }] }, ['unmet']],
    ];
    for (const [spec, status, expected] of cases) assert.deepEqual(of(spec, status), expected);
  });
});
