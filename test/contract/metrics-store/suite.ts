/** What every MetricsStore promises. Run in memory and on a real redis-server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NodeSample } from '../../../reconciler/core/metrics/shapes.ts';
import type { MetricsStore } from '../../../reconciler/ports/metrics-store.ts';
import { inPatience } from '../../support/patience.ts';

export interface MetricsFixture {
  /** One control plane's, over the fixture's one state. */
  connect(): MetricsStore;
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

export function sampleOfNode(name: string, cpu: string, uids: readonly string[] = []): NodeSample {
  const measured = { timestamp: '2026-01-01T00:00:00Z', window: '15s' };
  return {
    node: { metadata: { name }, ...measured, usage: { cpu, memory: '1Ki' } },
    pods: new Map(
      uids.map((uid) => [
        uid,
        {
          metadata: { name: `pod-${uid}`, namespace: 'default', uid },
          ...measured,
          containers: [{ name: 'app', usage: { cpu: '7n', memory: '5Ki' } }],
        },
      ]),
    ),
  };
}

export function metricsStoreSuite(name: string, start: () => Promise<MetricsFixture>): void {
  describe(`MetricsStore: ${name}`, () => {
    const signal = inPatience(60_000);
    let fixture: MetricsFixture;
    let one: MetricsStore;
    let other: MetricsStore;
    before(async () => {
      fixture = await start();
      one = fixture.connect();
      other = fixture.connect();
    });
    after(async () => {
      await Promise.all([one?.close(), other?.close()]);
      await fixture?.close();
    });

    it('gives everybody the newest sample of each node that has one', async () => {
      await one.put('n1', sampleOfNode('n1', '1n'), 60_000, signal);
      await one.put('n1', sampleOfNode('n1', '2n', ['a', 'b']), 60_000, signal);
      await other.put('n2', { node: undefined, pods: sampleOfNode('', '', ['c']).pods }, 60_000, signal);
      const expected = new Map([
        ['n1', sampleOfNode('n1', '2n', ['a', 'b'])],
        ['n2', { node: undefined, pods: sampleOfNode('', '', ['c']).pods }],
      ]);
      assert.deepEqual(await other.of(['n1', 'n2', 'n3'], signal), expected);
      assert.deepEqual(await one.of(['n1', 'n2', 'n3'], signal), expected);
    });

    it('gives those of any number of nodes', async () => {
      const nodes = Array.from({ length: 50 }, (_, i) => `many-${i}`);
      await Promise.all(nodes.map((node) => one.put(node, sampleOfNode(node, '1n', [node]), 60_000, signal)));
      assert.deepEqual(
        await other.of(nodes, signal),
        new Map(nodes.map((node) => [node, sampleOfNode(node, '1n', [node])])),
      );
    });

    it('asked for nothing it gives nothing', async () => {
      assert.deepEqual(await one.of([], signal), new Map());
    });

    it('forgets a sample that is not renewed', async () => {
      await one.put('short', sampleOfNode('short', '1n'), 200, signal);
      await one.put('long', sampleOfNode('long', '1n'), 60_000, signal);
      await fixture.pass(300);
      assert.deepEqual([...(await other.of(['short', 'long'], signal)).keys()], ['long']);
    });
  });
}
