import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { flowsLeft, type StaleFlow } from '../../../nodeagent/core/data-plane/flows.ts';
import type { Forwarding } from '../../../nodeagent/core/data-plane/plan.ts';

describe('stale flows', () => {
  const forwarding = (
    protocol: 'TCP' | 'UDP',
    endpoints: readonly string[],
    leaving: readonly string[] = [],
  ): Forwarding[] => [
    {
      origin: { of: 'service-port', namespace: 'default', service: 'dns', port: 'dns' },
      protocol,
      frontends: [
        { at: 'service-address', address: '198.19.128.53', port: 53 },
        { at: 'node-port', port: 30053 },
      ],
      targets: endpoints.map((address) => ({ address, port: 5353 })),
      localTargets: [],
      known: [...endpoints, ...leaving],
      ending: leaving,
    },
  ];
  const [A, B] = ['198.19.1.2', '198.19.1.3'];
  const both = (protocol: 'TCP' | 'UDP', endpoint: string): StaleFlow[] => [
    { protocol, address: '198.19.128.53', port: 53, endpoint },
    { protocol, port: 30053, endpoint },
  ];
  const cases: readonly (readonly [string, readonly Forwarding[], readonly Forwarding[], readonly StaleFlow[]])[] = [
    ['UDP: those of endpoints that are gone', forwarding('UDP', [A, B]), forwarding('UDP', [B]), both('UDP', A)],
    [
      'UDP: those of endpoints that get no new ones',
      forwarding('UDP', [A, B]),
      forwarding('UDP', [B], [A]),
      both('UDP', A),
    ],
    [
      'UDP: those of a Service that had no endpoint before',
      forwarding('UDP', []),
      forwarding('UDP', [B]),
      [{ protocol: 'UDP', address: '198.19.128.53', port: 53 }],
    ],
    ['UDP: none when endpoints only come', forwarding('UDP', [B]), forwarding('UDP', [B, A]), []],
    ['TCP: none while a pod terminates', forwarding('TCP', [A, B]), forwarding('TCP', [B], [A]), []],
    [
      'TCP: those of a pod that terminated and is gone',
      forwarding('TCP', [B], [A]),
      forwarding('TCP', [B]),
      both('TCP', A),
    ],
    ['TCP: none of a pod that left the Service alive', forwarding('TCP', [A, B]), forwarding('TCP', [B]), []],
  ];
  for (const [name, before, after, stale] of cases)
    it(name, () => {
      assert.deepEqual(flowsLeft(before, after).stale, stale);
    });
});
