/**
 * What a pod's cgroup holds it to. Source of the rows: Kubernetes pkg/kubelet/cm/helpers_linux_test.go
 * (TestResourceConfigForPod).
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podLimits } from '../../../nodeagent/core/pod/pod-limits.ts';
import { pod } from './pods.ts';

const MIB = 2 ** 20;
const one = (resources: object, name = 'main', more: object = {}) => ({ name, image: 'app:1', resources, ...more });
const both = (cpu: string, memory: string) => ({ cpu, memory });
const sized = one({ requests: both('100m', '100Mi'), limits: both('200m', '200Mi') });

describe('the limits of a pod', () => {
  for (const [name, spec, shares, quota, memory] of [
    ['asks for nothing', { containers: [one({})] }, 2, undefined, undefined],
    ['has limits alone', { containers: [one({ limits: both('200m', '200Mi') })] }, 204, 20_000, 200 * MIB],
    ['asks for less than its limits', { containers: [sized] }, 102, 20_000, 200 * MIB],
    ['asks alone', { containers: [one({ requests: both('100m', '100Mi') })] }, 102, undefined, undefined],
    ['has two containers', { containers: [sized, { ...sized, name: 'b' }] }, 204, 40_000, 400 * MIB],
    ['has one container without limits', { containers: [sized, one({}, 'b')] }, 102, undefined, undefined],
    [
      'has one container with a limit of memory alone',
      { containers: [sized, one({ limits: { memory: '1Mi' } }, 'b')] },
      102,
      undefined,
      201 * MIB,
    ],
    ['has a limit of 0', { containers: [one({ limits: both('0', '0') })] }, 2, undefined, undefined],
    [
      'has a larger init container',
      { containers: [sized], initContainers: [one({ limits: both('1', '1Gi') }, 'i')] },
      1024,
      100_000,
      1024 * MIB,
    ],
    [
      'has an init container without limits',
      { containers: [sized], initContainers: [one({}, 'i')] },
      102,
      undefined,
      undefined,
    ],
    [
      'has a sidecar',
      { containers: [sized], initContainers: [one(sized.resources, 's', { restartPolicy: 'Always' })] },
      204,
      40_000,
      400 * MIB,
    ],
    ['has overhead', { containers: [sized], overhead: both('50m', '10Mi') }, 153, 25_000, 210 * MIB],
    ['has overhead alone', { containers: [one({})], overhead: both('50m', '10Mi') }, 51, undefined, undefined],
  ] as const) {
    it(`that ${name}`, () =>
      assert.deepEqual(podLimits(pod(spec)), { cpuShares: shares, cpuQuota: quota, memoryBytes: memory }));
  }
});
