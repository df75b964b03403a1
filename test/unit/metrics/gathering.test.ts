/** What is read for autoscalers, and when. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  HorizontalPodAutoscalerManifest,
  keyOf,
  type ObjectKey,
  type StoredHorizontalPodAutoscaler,
} from '../../../contracts/objects/index.ts';
import { MemoryMetricsStore } from '../../../reconciler/adapters/memory/metrics-store.ts';
import { MemorySeriesSource } from '../../../reconciler/adapters/memory/series-source.ts';
import { Gatherer } from '../../../reconciler/controllers/autoscaling/gatherer.ts';
import { Rounds } from '../../../reconciler/controllers/autoscaling/rounds.ts';
import { nodesToSample } from '../../../reconciler/controllers/autoscaling/targets.ts';
import { RetryableError } from '../../../reconciler/core/errors.ts';
import type { PodMetrics } from '../../../reconciler/core/metrics/shapes.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { cluster, deployment, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { VirtualClock } from './virtual-clock.ts';

const signal = new AbortController().signal;
const BEAT = 15_000;
const resource = (name: string): object => ({
  type: 'Resource',
  resource: { name, target: { type: 'AverageValue', averageValue: '1' } },
});

class Gathering {
  readonly clock = new VirtualClock();
  readonly world = new World();
  readonly rounds = new Rounds();
  readonly metrics = new MemoryMetricsStore(this.clock);
  readonly series = new MemorySeriesSource();
  readonly asked: ObjectKey[] = [];
  /** Instead of samples. */
  broken: Error | undefined;
  readonly gatherer = new Gatherer({
    view: this.world,
    rounds: this.rounds,
    metrics: {
      of: async (nodes, during) => {
        if (this.broken) throw this.broken;
        return this.metrics.of(nodes, during);
      },
    },
    series: this.series,
    ask: async (keys) => {
      this.asked.push(...keys);
    },
    clock: this.clock,
    log: SILENT_LOG,
  });

  constructor() {
    this.world.put(deployment());
    for (const [name, nodeName] of [
      ['p0', 'n1'],
      ['p1', 'n2'],
    ] as const)
      this.world.put(pod(name, { nodeName }, { uid: name, labels: { app: 'web' } }));
    this.world.put(pod('other', { nodeName: 'n3' }, { uid: 'other', labels: { app: 'other' } }));
  }
  autoscaler(...metrics: readonly object[]): StoredHorizontalPodAutoscaler {
    return this.named('web', ...metrics);
  }
  named(name: string, ...metrics: readonly object[]): StoredHorizontalPodAutoscaler {
    return this.world.put(
      HorizontalPodAutoscalerManifest.parse({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name, namespace: 'default' },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          maxReplicas: 5,
          ...(metrics.length > 0 && { metrics }),
        },
      }),
    );
  }
  async sample(node: string, uid: string, ...cpus: readonly string[]): Promise<void> {
    const sample: PodMetrics = {
      metadata: { name: uid, namespace: 'default', uid },
      timestamp: this.clock.now().toISOString(),
      window: '15s',
      containers: cpus.map((cpu, i) => ({ name: `c${i}`, usage: { cpu, memory: '1Ki' } })),
    };
    await this.metrics.put(node, { node: undefined, pods: new Map([[uid, sample]]) }, 3_600_000, signal);
  }
  /** In thousandths, of the newest round. */
  read(uid: string): unknown {
    return this.rounds
      .of(uid)
      ?.readings.map((reading) =>
        reading.of === 'pods'
          ? Object.fromEntries([...reading.values].map(([name, { milli }]) => [name, milli]))
          : reading,
      );
  }
}

describe('what autoscalers measure', () => {
  it('is looked at on the nodes of their pods, and on no other', () => {
    const g = new Gathering();
    assert.deepEqual([...nodesToSample(g.world)], []);
    g.autoscaler();
    assert.deepEqual([...nodesToSample(g.world)].sort(), ['n1', 'n2']);
    g.autoscaler({ type: 'External', external: { metric: { name: 'a' }, target: { type: 'Value', value: '1' } } });
    assert.deepEqual([...nodesToSample(g.world)], []);
  });

  it('is read every 15 s, and each time a pass is asked for', async () => {
    const g = new Gathering();
    const { metadata, ...hpa } = g.autoscaler();
    await g.sample('n1', 'p0', '250m', '1250m');
    await g.sample('n2', 'p1', '500000000n');
    g.gatherer.start();
    await g.clock.pass(3 * BEAT - 1);
    assert.deepEqual(g.asked, Array<ObjectKey>(3).fill(keyOf({ ...hpa, metadata })));
    assert.deepEqual(g.read(metadata.uid), [{ p0: 1500, p1: 500 }]);
    assert.equal(g.rounds.of(metadata.uid)?.number, 3);
    await g.gatherer.close();
  });

  it('is of one container where that is asked for', async () => {
    const g = new Gathering();
    const { uid } = g.autoscaler(resource('memory'), {
      type: 'ContainerResource',
      containerResource: { name: 'cpu', container: 'c1', target: { type: 'AverageValue', averageValue: '1' } },
    }).metadata;
    await g.sample('n1', 'p0', '250m', '1250m');
    await g.sample('n2', 'p1', '500m');
    g.gatherer.start();
    await g.clock.pass(0);
    assert.deepEqual(g.read(uid), [{ p0: 2048_000, p1: 1024_000 }, { p0: 1250 }]);
    await g.gatherer.close();
  });

  it('is not told as missing before there can be a sample', async () => {
    const g = new Gathering();
    const { uid } = g.autoscaler().metadata;
    g.gatherer.start();
    await g.clock.pass(2 * BEAT);
    assert.equal(g.rounds.of(uid), undefined);
    assert.deepEqual(g.asked, []);
    await g.clock.pass(2 * BEAT);
    assert.deepEqual(g.read(uid), [{ of: 'nothing', why: 'no metrics returned from resource metrics API' }]);
    await g.gatherer.close();
  });

  it('is nothing, and that is told at once, where there is no target or it is to have no pods', async () => {
    const g = new Gathering();
    const target = g.world.put(deployment({ replicas: 0 }));
    const { uid } = g.autoscaler().metadata;
    g.gatherer.start();
    await g.clock.pass(0);
    assert.equal(g.rounds.of(uid)?.number, 1);
    g.world.remove(keyOf(target));
    await g.clock.pass(BEAT);
    assert.equal(g.rounds.of(uid)?.number, 2);
    await g.gatherer.close();
  });

  it('is asked of the Prometheus that the Cluster names', async () => {
    const g = new Gathering();
    const metric = { name: 'requests' };
    const pods = { type: 'Pods', pods: { metric, target: { type: 'AverageValue', averageValue: '1' } } };
    const outside = { type: 'External', external: { metric, target: { type: 'Value', value: '1' } } };
    const { uid } = g.autoscaler(pods, outside).metadata;
    g.series.series = [
      { metric: 'requests', labels: { namespace: 'default', pod: 'p0' }, value: 1.5 },
      { metric: 'requests', labels: { namespace: 'default', pod: 'stranger' }, value: 9 },
    ];
    g.gatherer.start();
    await g.clock.pass(0);
    assert.match(JSON.stringify(g.read(uid)), /the Cluster names no Prometheus/);
    g.world.put(cluster({ metrics: { prometheus: { url: 'http://127.0.0.1:9090' } } }));
    await g.clock.pass(BEAT);
    assert.deepEqual(g.read(uid), [{ p0: 1500 }, { of: 'all', milli: 10_500 }]);
    g.series.series = [];
    await g.clock.pass(BEAT);
    assert.deepEqual(g.read(uid), Array(2).fill({ of: 'nothing', why: 'no series has it' }));
    const secretRef = { namespace: 'default', name: 'login' };
    g.world.put(cluster({ metrics: { prometheus: { url: 'https://127.0.0.1:9090', secretRef } } }));
    await g.clock.pass(BEAT);
    assert.match(JSON.stringify(g.read(uid)), /the Secret default\/login is not there/);
    await g.gatherer.close();
  });

  it('is not asked for where several are over the same pods, whose target is looked for once', async () => {
    const g = new Gathering();
    g.world.put(cluster({ metrics: { prometheus: { url: 'http://127.0.0.1:9090' } } }));
    const outside = { type: 'External', external: { metric: { name: 'a' }, target: { type: 'Value', value: '1' } } };
    const all = Array.from({ length: 100 }, (_, i) => g.named(`web-${i}`, outside, resource('cpu')));
    let [asked, looked] = [0, 0];
    g.series.sums = async () => {
      asked += 1;
      return new Map();
    };
    const get = g.world.get.bind(g.world);
    g.world.get = (key) => {
      if ((key as string) === 'deployments.apps/default/web') looked += 1;
      return get(key);
    };
    g.gatherer.start();
    await g.clock.pass(0);
    assert.deepEqual([g.asked.length, asked, looked], [100, 0, 1]);
    for (const { metadata } of all) {
      const { readings, rivals } = g.rounds.of(metadata.uid) ?? {};
      assert.deepEqual([readings, rivals?.includes(metadata.name)], [[], false]);
      assert.ok(rivals && rivals.length >= 7 && rivals.length <= 8, String(rivals));
    }
    await g.gatherer.close();
  });

  it('is told why it cannot be read, and is read on', async () => {
    const g = new Gathering();
    const { uid } = g.autoscaler().metadata;
    await g.sample('n1', 'p0', '250m');
    g.gatherer.start();
    await g.clock.pass(4 * BEAT);
    g.broken = new RetryableError('StoreUnavailable', 'Redis is away');
    await g.clock.pass(BEAT);
    assert.match(JSON.stringify(g.read(uid)), /Redis is away/);
    g.broken = undefined;
    await g.clock.pass(BEAT);
    assert.deepEqual(g.read(uid), [{ p0: 250 }]);
    await g.gatherer.close();
  });

  it('is forgotten with its autoscaler', async () => {
    const g = new Gathering();
    const hpa = g.autoscaler();
    await g.sample('n1', 'p0', '250m');
    g.gatherer.start();
    await g.clock.pass(0);
    assert.notEqual(g.rounds.of(hpa.metadata.uid), undefined);
    g.world.remove(keyOf(hpa));
    await g.clock.pass(BEAT);
    assert.equal(g.rounds.of(hpa.metadata.uid), undefined);
    await g.gatherer.close();
  });
});
