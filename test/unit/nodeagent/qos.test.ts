/** Source of the rows: Kubernetes pkg/apis/core/v1/helper/qos/qos_test.go. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { qosClass } from '../../../contracts/objects/qos.ts';
import { pod } from './pods.ts';

const one = (resources: Record<string, unknown>, name = 'main') => ({ name, image: 'app:1', resources });
const BOTH = { cpu: '100m', memory: '100Mi' };

describe('qosClass', () => {
  for (const [title, spec, wanted] of [
    ['nothing is said', { containers: [one({})] }, 'BestEffort'],
    [
      'what is said counts for no class',
      { containers: [one({ requests: { 'ephemeral-storage': '1Gi' } })] },
      'BestEffort',
    ],
    ['limits alone, which requests follow', { containers: [one({ limits: BOTH })] }, 'Guaranteed'],
    [
      'the same in other words',
      { containers: [one({ limits: BOTH, requests: { cpu: '0.1', memory: '104857600' } })] },
      'Guaranteed',
    ],
    ['less than the limits', { containers: [one({ limits: BOTH, requests: { cpu: '50m' } })] }, 'Burstable'],
    ['a limit of one', { containers: [one({ limits: { memory: '1Mi' } })] }, 'Burstable'],
    ['requests alone', { containers: [one({ requests: BOTH })] }, 'Burstable'],
    ['one container without', { containers: [one({ limits: BOTH }), one({}, 'b')] }, 'Burstable'],
    ['an init container without', { containers: [one({ limits: BOTH })], initContainers: [one({}, 'i')] }, 'Burstable'],
    ['all with', { containers: [one({ limits: BOTH })], initContainers: [one({ limits: BOTH }, 'i')] }, 'Guaranteed'],
  ] as const)
    it(title, () => assert.equal(qosClass(pod(spec).spec), wanted));
});
