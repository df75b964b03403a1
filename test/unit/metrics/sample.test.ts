/** What two reports of a node come to. Source: metrics-server, pkg/storage/pod.go and its tests. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerCounters, UsageReport } from '../../../contracts/agent/index.ts';
import { sampleOf } from '../../../reconciler/core/metrics/sample.ts';
import { cpuQuantity, memoryQuantity, windowMs, windowOf } from '../../../reconciler/core/metrics/shapes.ts';
import { counted, report } from './reports.ts';

const takenAt = new Date('2026-01-01T00:10:00Z');
const own = [
  { uid: 'a', namespace: 'default', name: 'web' },
  { uid: 'b', namespace: 'shop', name: 'db' },
];
const sample = (before: UsageReport | undefined, latest: UsageReport) =>
  sampleOf(before, latest, { node: 'n1', pods: own, takenAt });
/** Cpu of the containers of pod `a`, when these were read 10 s apart. */
const cpuOfA = (before: readonly ContainerCounters[], latest: readonly ContainerCounters[]) =>
  sample(report(0, before), report(10_000, latest))
    .pods.get('a')
    ?.containers.map(({ name, usage }) => `${name} ${usage.cpu}`);

describe('a sample of a node', () => {
  it('is the rate of cpu between two reports, and the memory of the later one', () => {
    const before = report(1_000, [counted('a', 'app', 1_000, 5e9)], 20e9);
    const latest = report(16_000, [counted('a', 'app', 15_900, 6.49e9, { memoryBytes: 64 * 1024 * 1024 })], 35e9);
    assert.deepEqual(sample(before, latest), {
      node: {
        metadata: { name: 'n1' },
        timestamp: '2026-01-01T00:10:00Z',
        window: '15s',
        usage: { cpu: '1000000000n', memory: '1000000000' },
      },
      pods: new Map([
        [
          'a',
          {
            metadata: { name: 'web', namespace: 'default', uid: 'a' },
            timestamp: '2026-01-01T00:09:59Z',
            window: '14.9s',
            containers: [{ name: 'app', usage: { cpu: '100000000n', memory: '65536Ki' } }],
          },
        ],
      ]),
    });
  });

  it('needs two reports', () => {
    assert.deepEqual(sample(undefined, report(1_000, [counted('a', 'app', 1_000, 5e9)])), {
      node: undefined,
      pods: new Map(),
    });
  });

  it('is taken of the pods of the node alone, whatever it says', () => {
    const of = (at: number) => report(at, [counted('a', 'app', at, at), counted('x', 'app', at, at)]);
    assert.deepEqual([...sample(of(0), of(10_000)).pods.keys()], ['a']);
  });

  it('has the earliest time of its containers', () => {
    const before = report(0, [counted('a', 'app', 0, 0), counted('a', 'side', 0, 0)]);
    const latest = report(10_000, [counted('a', 'app', 10_000, 1), counted('a', 'side', 8_000, 1)]);
    const { timestamp, window } = sample(before, latest).pods.get('a') ?? assert.fail('no sample');
    assert.deepEqual([timestamp, window], ['2026-01-01T00:09:58Z', '8s']);
  });

  const anew = { id: 'a-app-1' };
  const cases: readonly [string, readonly ContainerCounters[], readonly ContainerCounters[], unknown][] = [
    ['an idle container', [counted('a', 'app', 0, 7)], [counted('a', 'app', 10_000, 7)], ['app 0']],
    [
      'a pod with a container that was started again in between is left out whole',
      [counted('a', 'app', 0, 7), counted('a', 'side', 0, 7)],
      [counted('a', 'app', 10_000, 9, { ...anew, startedAt: 4_000 }), counted('a', 'side', 10_000, 9)],
      undefined,
    ],
    [
      'a container that started since, and ran for 10 s, counts from its start',
      [],
      [counted('a', 'app', 10_000, 5e9, { ...anew, startedAt: -2_500 })],
      ['app 400000000n'],
    ],
    [
      'one that runs for long and was not seen before has no rate',
      [],
      [counted('a', 'app', 10_000, 5e9, { ...anew, startedAt: -5_000 })],
      undefined,
    ],
    ['a counter that went back', [counted('a', 'app', 0, 9)], [counted('a', 'app', 10_000, 8)], undefined],
    ['a clock that went back', [counted('a', 'app', 9_000, 1)], [counted('a', 'app', 8_000, 8)], undefined],
    ['counters that were not read anew', [counted('a', 'app', 0, 1)], [counted('a', 'app', 0, 1)], undefined],
    ['a window of no account', [counted('a', 'app', 9_600, 1)], [counted('a', 'app', 10_000, 2)], undefined],
    ['a window of minutes', [counted('a', 'app', -120_000, 1)], [counted('a', 'app', 10_000, 2)], undefined],
    ['counters that are old', [counted('a', 'app', -60_000, 1)], [counted('a', 'app', -25_000, 2)], undefined],
    [
      'of two runs of a container the newer one',
      [counted('a', 'app', 0, 0), counted('a', 'app', 0, 0, { ...anew, startedAt: -9 })],
      [counted('a', 'app', 10_000, 5e9), counted('a', 'app', 10_000, 1e9, { ...anew, startedAt: -9 })],
      ['app 100000000n'],
    ],
  ];
  for (const [name, before, latest, expected] of cases)
    it(name, () => {
      assert.deepEqual(cpuOfA(before, latest), expected);
    });

  it('is not made of two agents: their clocks are not the same', () => {
    const before = { ...report(0, [counted('a', 'app', 0, 0)]), agentStartedAt: '2025-12-31T00:00:00Z' };
    assert.deepEqual(sample(before, report(10_000, [counted('a', 'app', 10_000, 9)])), {
      node: undefined,
      pods: new Map(),
    });
  });

  it('does not show a time of the future', () => {
    const before = report(0, [counted('a', 'app', 0, 0)]);
    const latest = report(10_000, [counted('a', 'app', 99_000, 9)]);
    assert.equal(sample(before, latest).pods.get('a')?.timestamp, '2026-01-01T00:10:00Z');
  });
});

describe('quantities of use', () => {
  it('are written as Kubernetes writes them', () => {
    assert.deepEqual(
      [cpuQuantity(0), cpuQuantity(0.4), cpuQuantity(1_500_000.6), memoryQuantity(0), memoryQuantity(1000)],
      ['0', '0', '1500001n', '0', '1000'],
    );
    assert.equal(memoryQuantity(10 * 1024), '10Ki');
  });

  it('windows are there and back', () => {
    for (const ms of [1, 14_998, 15_000, 60_000]) assert.equal(windowMs(windowOf(ms)), ms);
  });
});
