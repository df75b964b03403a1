import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DEFAULT_SETTINGS,
  DeschedulerPolicyManifest,
  readDeschedulerPolicy,
} from '../../../contracts/objects/index.ts';

const read = (profile: object): ReturnType<typeof readDeschedulerPolicy> =>
  readDeschedulerPolicy(
    DeschedulerPolicyManifest.parse({
      apiVersion: 'descheduler/v1alpha2',
      kind: 'DeschedulerPolicy',
      profiles: [{ name: 'p', ...profile }],
    }),
  );
const configured = (name: string, args: object, point = 'balance'): ReturnType<typeof readDeschedulerPolicy> =>
  read({ pluginConfig: [{ name, args }], plugins: { [point]: { enabled: [name] } } });

describe('a DeschedulerPolicy', () => {
  it("is read as the descheduler's own documentation writes it", () => {
    const { profiles, problems } = read({
      pluginConfig: [
        { name: 'DefaultEvictor', args: { evictSystemCriticalPods: true, nodeFit: true, minPodAge: '1h30m' } },
        {
          name: 'LowNodeUtilization',
          args: { thresholds: { cpu: 10, pods: 30 }, targetThresholds: { cpu: 40, pods: 60 } },
        },
        { name: 'RemoveDuplicates', args: { excludeOwnerKinds: ['ReplicaSet'] } },
      ],
      plugins: {
        balance: { enabled: ['LowNodeUtilization'] },
        deschedule: { enabled: ['RemovePodsViolatingNodeAffinity'] },
      },
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(profiles[0]?.evictor, { evictSystemCriticalPods: true, nodeFit: true, minPodAge: 5400 });
    assert.deepEqual(
      profiles[0].plugins.map(({ name, args }) => [name, args]),
      [
        ['RemovePodsViolatingNodeAffinity', { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'] }],
        [
          'LowNodeUtilization',
          {
            useDeviationThresholds: false,
            numberOfNodes: 0,
            thresholds: { cpu: 10, pods: 30 },
            targetThresholds: { cpu: 40, pods: 60 },
          },
        ],
      ],
    );
    assert.deepEqual(
      profiles[0].configured.map(({ name }) => name),
      ['RemoveDuplicates'],
    );
  });

  it('that is not there balances', () => {
    assert.deepEqual(
      DEFAULT_SETTINGS.plugins.map(({ name }) => name),
      ['RemovePodsViolatingTopologySpreadConstraint', 'RemoveDuplicates', 'LowNodeUtilization'],
    );
  });

  const rows: readonly (readonly [
    name: string,
    read: ReturnType<typeof readDeschedulerPolicy>,
    path: string,
    message: RegExp,
  ])[] = [
    [
      'an argument that is not known',
      configured('RemoveDuplicates', { excludeOwnerKind: [] }),
      'profiles.0.pluginConfig.0.args',
      /^has no field excludeOwnerKind$/,
    ],
    [
      'a threshold above 100',
      configured('LowNodeUtilization', { thresholds: { cpu: 20 }, targetThresholds: { cpu: 120 } }),
      'profiles.0.pluginConfig.0.args.targetThresholds.cpu',
      /between 0 and 100/,
    ],
    [
      'a threshold above the target',
      configured('LowNodeUtilization', { thresholds: { cpu: 60 }, targetThresholds: { cpu: 50 } }),
      'profiles.0.pluginConfig.0.args.thresholds.cpu',
      /at most the target threshold \(50\)/,
    ],
    [
      'thresholds of different resources',
      configured('LowNodeUtilization', { thresholds: { cpu: 60 }, targetThresholds: { memory: 70 } }),
      'profiles.0.pluginConfig.0.args.targetThresholds',
      /same resources as thresholds: cpu/,
    ],
    [
      'targets alone',
      configured('LowNodeUtilization', { targetThresholds: { memory: 70 } }),
      'profiles.0.pluginConfig.0.args.thresholds',
      /is required/,
    ],
    [
      'deviations without thresholds',
      configured('LowNodeUtilization', { useDeviationThresholds: true }),
      'profiles.0.pluginConfig.0.args.thresholds',
      /is required/,
    ],
    [
      'namespaces both ways',
      configured('RemoveDuplicates', { namespaces: { include: ['a'], exclude: ['b'] } }),
      'profiles.0.pluginConfig.0.args.namespaces',
      /both include and exclude/,
    ],
    [
      'a duration that is none',
      configured('DefaultEvictor', { minPodAge: '1 hour' }),
      'profiles.0.pluginConfig.0.args.minPodAge',
      /must be a duration/,
    ],
    [
      'a plugin that is not known',
      configured('RemoveDuplicate', {}),
      'profiles.0.pluginConfig.0.name',
      /^names RemoveDuplicate, which is no plugin; known: RemovePodsViolatingNodeTaints, /,
    ],
    [
      'a plugin that we lack',
      read({ plugins: { balance: { enabled: ['HighNodeUtilization'] } } }),
      'profiles.0.plugins.balance.enabled.0',
      /does not have yet/,
    ],
    [
      'a plugin at the wrong point',
      configured('RemoveDuplicates', {}, 'deschedule'),
      'profiles.0.plugins.deschedule.enabled.0',
      /^names RemoveDuplicates, which is enabled in plugins\.balance/,
    ],
  ];
  for (const [name, { profiles, problems }, path, message] of rows) {
    it(`refuses: ${name}`, () => {
      assert.equal(problems[0]?.path.join('.'), path);
      assert.match(problems[0].message, message);
      assert.deepEqual(profiles[0]?.plugins, [], 'nothing is evicted by half a rule');
    });
  }

  it('leaves a whole profile out where it cannot be told which pods it may evict', () => {
    const { profiles, problems } = read({
      pluginConfig: [{ name: 'DefaultEvictor', args: { labelSelector: 'app=web' } }],
      plugins: { balance: { enabled: ['RemoveDuplicates'] } },
    });
    assert.equal(problems.length, 1);
    assert.deepEqual(profiles[0]?.plugins, []);
  });
});
