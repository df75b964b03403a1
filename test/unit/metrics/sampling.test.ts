/** Who is asked for what they take, and when. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoredPod } from '../../../contracts/objects/index.ts';
import { MemoryMetricsStore } from '../../../reconciler/adapters/memory/metrics-store.ts';
import type { UsageSource } from '../../../reconciler/controllers/metrics/looks.ts';
import { MeasureNow, type Measured } from '../../../reconciler/controllers/metrics/measure-now.ts';
import { Sampler } from '../../../reconciler/controllers/metrics/sampler.ts';
import type { PodMetrics } from '../../../reconciler/core/metrics/shapes.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { counted, report } from './reports.ts';
import { VirtualClock } from './virtual-clock.ts';

const signal = new AbortController().signal;
const podOn = (node: string): StoredPod =>
  ({ metadata: { uid: `pod-of-${node}`, namespace: 'default', name: 'web' } }) as unknown as StoredPod;

/** Nodes whose one container works on half a core. */
class Fleet {
  readonly clock = new VirtualClock();
  readonly store = new MemoryMetricsStore(this.clock);
  readonly asked: string[] = [];
  /** Do not answer. */
  readonly mute = new Set<string>();
  readonly broken = new Set<string>();
  /** Not spoken to from here. */
  readonly elsewhere = new Set<string>();
  startedAt = -1e6;
  mostAtOnce = 0;
  #atOnce = 0;

  readonly deps = {
    clock: this.clock,
    store: this.store,
    log: SILENT_LOG,
    view: { podsOnNode: (node: string) => [podOn(node)] },
    heldElsewhere: (node: string) => (this.elsewhere.has(node) ? 'there' : undefined),
    sourceOf: (node: string): UsageSource | undefined =>
      this.elsewhere.has(node) ? undefined : { usage: (during) => this.#usage(node, during) },
  };

  async #usage(node: string, during: AbortSignal): ReturnType<UsageSource['usage']> {
    this.asked.push(node);
    this.mostAtOnce = Math.max(this.mostAtOnce, (this.#atOnce += 1));
    try {
      await this.clock.sleep(this.mute.has(node) ? 1e9 : 10, during);
      if (this.broken.has(node)) throw new Error('the agent refused usage');
      const at = this.clock.monotonic();
      return report(at, [counted(`pod-of-${node}`, 'app', at, at * 0.5e6, { startedAt: this.startedAt })], at * 1e6);
    } finally {
      this.#atOnce -= 1;
    }
  }

  /** Cpu of the nodes' pods, by what everybody can read. */
  async known(...nodes: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const samples = await this.store.of(nodes, signal);
    return Object.fromEntries(
      [...samples].map(([node, { pods }]) => [node, pods.get(`pod-of-${node}`)?.containers[0]?.usage.cpu ?? '']),
    );
  }
}

describe('the sampler', () => {
  const start = (fleet: Fleet, wanted: () => Iterable<string>): Sampler => {
    const sampler = new Sampler({ ...fleet.deps, wanted });
    sampler.start();
    return sampler;
  };

  it('asks nobody while nobody wants to know', async () => {
    const fleet = new Fleet();
    const sampler = start(fleet, () => []);
    await fleet.clock.pass(300_000);
    assert.deepEqual(fleet.asked, []);
    await sampler.close();
  });

  it('knows of a wanted node after two looks, and no more soon after it is wanted no longer', async () => {
    const fleet = new Fleet();
    let wanted = ['n1', 'n1'];
    const sampler = start(fleet, () => wanted);
    await fleet.clock.pass(14_000);
    assert.deepEqual(await fleet.known('n1', 'n2'), {});
    await fleet.clock.pass(2_000);
    assert.deepEqual(await fleet.known('n1', 'n2'), { n1: '500000000n' });
    assert.deepEqual(fleet.asked, ['n1', 'n1']);
    wanted = [];
    await fleet.clock.pass(60_000);
    assert.deepEqual(await fleet.known('n1'), {});
    assert.equal(fleet.asked.length, 2);
    await sampler.close();
  });

  it('is held up by no node that is silent or refuses, and asks each only once at a time', async () => {
    const fleet = new Fleet();
    for (let n = 0; n < 40; n += 1) fleet.mute.add(`mute${n}`);
    fleet.broken.add('broken');
    const sampler = start(fleet, () => [...fleet.mute, 'broken', 'n1']);
    await fleet.clock.pass(36_000);
    assert.deepEqual(await fleet.known('n1', 'broken', 'mute0'), { n1: '500000000n' });
    for (let passed = 0; passed < 120_000; passed += 5_000) {
      await fleet.clock.pass(5_000);
      assert.deepEqual(Object.keys(await fleet.known('n1')), ['n1'], `after ${passed} ms`);
    }
    await sampler.close();
  });

  it('asks sixteen at a time', async () => {
    const fleet = new Fleet();
    const nodes = Array.from({ length: 100 }, (_, n) => `n${n}`);
    const sampler = start(fleet, () => nodes);
    await fleet.clock.pass(20_000);
    assert.equal(fleet.mostAtOnce, 16);
    assert.equal(Object.keys(await fleet.known(...nodes)).length, 100);
    await sampler.close();
  });

  it('leaves nodes to the control plane that speaks to them, and goes on when what is wanted cannot be told', async () => {
    const fleet = new Fleet();
    fleet.elsewhere.add('n2');
    let calls = 0;
    const sampler = start(fleet, () => {
      if ((calls += 1) === 1) throw new Error('no');
      return ['n1', 'n2'];
    });
    await fleet.clock.pass(31_000);
    assert.deepEqual(fleet.asked, ['n1', 'n1']);
    await sampler.close();
  });

  it('leaves what another control plane put there until it has a sample of its own', async () => {
    const fleet = new Fleet();
    const usage = { cpu: '1', memory: '1Mi' };
    const at = { timestamp: '2026-01-01T00:00:00Z', window: '15s' };
    const pod = (uid: string): [string, PodMetrics] => [
      uid,
      { metadata: { name: 'web', namespace: 'default', uid }, ...at, containers: [{ name: 'app', usage }] },
    ];
    const pods = new Map([pod('pod-of-n1'), pod('another')]);
    await fleet.store.put('n1', { node: { metadata: { name: 'n1' }, ...at, usage }, pods }, 45_000, signal);
    // Of one that just started a single look makes a sample.
    fleet.startedAt = -12_000;
    const sampler = start(fleet, () => ['n1']);
    await fleet.clock.pass(14_000);
    assert.deepEqual(
      [...((await fleet.store.of(['n1'], signal)).get('n1')?.pods.keys() ?? [])],
      ['pod-of-n1', 'another'],
    );
    await fleet.clock.pass(2_000);
    assert.deepEqual([...((await fleet.store.of(['n1'], signal)).get('n1')?.pods.keys() ?? [])], ['pod-of-n1']);
    await sampler.close();
  });

  it('ends at once, whatever does not answer', async () => {
    const fleet = new Fleet();
    fleet.mute.add('n1');
    const sampler = start(fleet, () => ['n1']);
    await fleet.clock.pass(100);
    await sampler.close();
    assert.deepEqual(fleet.asked, ['n1']);
  });
});

describe('measuring now', () => {
  const told = (measured: ReadonlyMap<string, Measured>): Readonly<Record<string, string | undefined>> =>
    Object.fromEntries(
      [...measured].map(([node, one]) => [
        node,
        'problem' in one ? one.problem : one.sample.pods.get(`pod-of-${node}`)?.containers[0]?.usage.cpu,
      ]),
    );
  const after = async <T>(fleet: Fleet, ms: number, asked: Promise<T>): Promise<T> => {
    await fleet.clock.pass(ms);
    return asked;
  };

  it('looks twice, two seconds apart', async () => {
    const fleet = new Fleet();
    const measuring = new MeasureNow(fleet.deps);
    const measured = await after(fleet, 2_100, measuring.of(['n1', 'n2'], signal));
    assert.deepEqual(told(measured), { n1: '500000000n', n2: '500000000n' });
    assert.deepEqual(fleet.asked, ['n1', 'n2', 'n1', 'n2']);
  });

  it('looks once when somebody asked a moment ago', async () => {
    const fleet = new Fleet();
    const measuring = new MeasureNow(fleet.deps);
    await after(fleet, 4_000, measuring.of(['n1'], signal));
    assert.deepEqual(told(await after(fleet, 20, measuring.of(['n1'], signal))), { n1: '500000000n' });
    assert.equal(fleet.asked.length, 3);
    await fleet.clock.pass(61_000);
    await after(fleet, 2_100, measuring.of(['n1'], signal));
    assert.equal(fleet.asked.length, 5, 'what is a minute old says little of now');
  });

  it('serves several who ask at nearly the same time', async () => {
    const fleet = new Fleet();
    const measuring = new MeasureNow(fleet.deps);
    const first = measuring.of(['n1'], signal);
    await fleet.clock.pass(100);
    const second = measuring.of(['n1'], signal);
    await fleet.clock.pass(2_500);
    for (const asked of [first, second]) assert.deepEqual(told(await asked), { n1: '500000000n' });
  });

  it('says why there is no sample, and is held up by five seconds at most', async () => {
    const fleet = new Fleet();
    fleet.mute.add('mute');
    fleet.broken.add('broken');
    for (const node of ['n3', 'n4']) fleet.elsewhere.add(node);
    const sampled = await after(fleet, 2_100, new MeasureNow(fleet.deps).of(['n1'], signal));
    const sample = sampled.get('n1');
    assert.ok(sample && 'sample' in sample);
    await fleet.store.put('n4', sample.sample, 60_000, signal);
    const nodes = ['n1', 'mute', 'broken', 'n3', 'n4'];
    const measured = await after(fleet, 8_000, new MeasureNow(fleet.deps).of(nodes, signal));
    const { n4, ...rest } = told(measured);
    assert.deepEqual(rest, {
      n1: '500000000n',
      mute: 'node mute did not answer within 5 s',
      broken: 'node broken: the agent refused usage',
      n3: 'another control plane speaks to node n3: ask there, at there',
    });
    assert.ok(n4 === undefined && measured.has('n4'), 'the sample that another control plane put into the store');
  });
});
