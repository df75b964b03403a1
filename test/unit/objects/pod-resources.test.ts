/** What a pod says as a whole, wherever it counts. Source of the rules: Kubernetes, KEP-2837. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestsOf } from '../../../contracts/objects/pod-requests.ts';
import { qosClass } from '../../../contracts/objects/qos.ts';
import { resourceValue } from '../../../nodeagent/core/pod/downward.ts';
import { resourcesWithin } from '../../../nodeagent/core/pod/linux-resources.ts';
import { podLimits } from '../../../nodeagent/core/pod/pod-limits.ts';
import { memoryBytes } from '../../../nodeagent/core/pod/volumes/limits.ts';
import { limitViolations } from '../../../reconciler/core/quota/limit-range.ts';
import { unsaid } from '../../../reconciler/core/quota/usage.ts';
import { requestsOf as measured } from '../../../reconciler/core/workloads/horizontal-pod-autoscaler-replicas.ts';
import { pod } from '../nodeagent/pods.ts';

const one = (resources: object, name = 'main') => ({ name, image: 'app:1', resources });
const withAll = (resources: object, ...ofContainers: readonly object[]) =>
  pod({ resources, containers: ofContainers.map((own, at) => one(own, at === 0 ? 'main' : `c${at}`)) });
const BOTH = { cpu: '1', memory: '1Gi' };

describe('resources of a pod as a whole', () => {
  it('asks for what its containers do, else for its limits', () => {
    for (const [resources, containers, requests] of [
      [{ limits: BOTH }, [{}], BOTH],
      [{ limits: BOTH }, [{ requests: { cpu: '0.1' } }, {}], { cpu: '100m', memory: '1Gi' }],
      [{ limits: BOTH }, [{ limits: { memory: '64Mi' } }], { cpu: '1', memory: '67108864' }],
      [{ limits: { cpu: '2' }, requests: { cpu: '1500m' } }, [{ requests: { cpu: '1' } }], { cpu: '1500m' }],
      [{ requests: { cpu: '1' } }, [{ requests: { memory: '1Mi' } }], { cpu: '1' }],
      [{ limits: { 'hugepages-2Mi': '4Mi', cpu: '1' } }, [{}], { cpu: '1', 'hugepages-2Mi': '4Mi' }],
    ] as const)
      assert.deepEqual(withAll(resources, ...containers).spec.resources?.requests, requests);
    assert.deepEqual(withAll({}, {}).spec, pod({ containers: [one({})] }).spec);
  });

  it('is what the scheduler counts, with the overhead, beside what only containers say', () => {
    const asks = pod({
      resources: { requests: { cpu: '1' } },
      overhead: { cpu: '250m' },
      containers: [one({ requests: { cpu: '100m', memory: '1Mi' }, limits: { 'example.com/gpu': '1' } })],
      initContainers: [one({ requests: { cpu: '700m' } }, 'init')],
    });
    assert.deepEqual(
      [...requestsOf(asks)].sort(),
      [
        ['cpu', 1250],
        ['example.com/gpu', 1],
        ['memory', 1_048_576],
        ['pods', 1],
      ].sort(),
    );
  });

  it('decides the QoS class alone', () => {
    for (const [resources, own, expected] of [
      [{ limits: BOTH }, {}, 'Guaranteed'],
      [{ limits: BOTH, requests: { cpu: '500m' } }, { limits: { cpu: '500m', memory: '1Mi' } }, 'Burstable'],
      [{ limits: { cpu: '1' } }, { limits: BOTH }, 'Burstable'],
      [{ requests: BOTH }, { limits: BOTH }, 'Burstable'],
    ] as const)
      assert.equal(qosClass(withAll(resources, own).spec), expected, JSON.stringify([resources, own]));
  });

  it('is held by the cgroup of the pod, and where a container has no limit by its own too', () => {
    const spec = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '512Mi' } };
    const whole = withAll(spec, { limits: { memory: '128Mi' } }, {});
    assert.deepEqual(podLimits(whole), { cpuShares: 512, cpuQuota: 100_000, memoryBytes: 2 ** 30 });
    const [first, second] = whole.spec.containers.map((container) => resourcesWithin(whole.spec, container));
    assert.deepEqual(
      [first, second].map((own) => [own?.cpuShares, own?.cpuQuota, own?.memoryBytes, own?.oomScoreAdj]),
      [
        [2, 100_000, 128 * 2 ** 20, 500],
        [2, 100_000, 2 ** 30, 500],
      ],
    );
    const sure = withAll({ limits: BOTH }, {});
    assert.equal(sure.spec.containers.map((own) => resourcesWithin(sure.spec, own).oomScoreAdj)[0], -997);
    assert.deepEqual(podLimits(withAll({ requests: BOTH }, {})), {
      cpuShares: 1024,
      cpuQuota: undefined,
      memoryBytes: undefined,
    });
  });

  it('bounds what its containers see of it', () => {
    const whole = withAll({ limits: { memory: '1Gi' } }, {});
    const [container] = whole.spec.containers;
    const ref = { resource: 'limits.memory', divisor: '1Mi' } as const;
    assert.deepEqual(resourceValue(ref, whole, container, undefined), { ok: true, value: '1024' });
    assert.equal(memoryBytes({ medium: 'Memory' }, whole, { memory: '7Gi' }), 2 ** 30);
  });

  it('counts for quotas, limits of a namespace and autoscalers', () => {
    const whole = withAll({ limits: BOTH }, {}, {});
    assert.equal(unsaid(whole.spec, ['limits.cpu', 'memory']), undefined);
    assert.equal(
      unsaid(withAll({ limits: { cpu: '1' } }, {}).spec, ['cpu', 'memory']),
      'must specify memory for: main',
    );
    const range = (max: object) =>
      ({
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'r' },
        spec: { limits: [{ type: 'Pod', max }] },
      }) as unknown as Parameters<typeof limitViolations>[1][number];
    assert.deepEqual(limitViolations(whole.spec, [range({ memory: '1Gi' })]), []);
    assert.match(limitViolations(whole.spec, [range({ memory: '512Mi' })]).join(), /maximum memory usage per Pod/);
    assert.deepEqual(measured([whole], 'cpu'), new Map([['app', 1000]]));
    assert.match(JSON.stringify(measured([whole], 'cpu', 'c1')), /missing request for cpu in container c1/);
  });
});
