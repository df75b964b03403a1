/** What every SeriesSource promises. Run in memory and on a real Prometheus. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Prometheus } from '../../../contracts/objects/index.ts';
import type { MemorySeries } from '../../../reconciler/adapters/memory/series-source.ts';
import { selectionOf } from '../../../reconciler/core/workloads/horizontal-pod-autoscaler-series.ts';
import type {
  LabelMatcher,
  SeriesSelection,
} from '../../../reconciler/core/workloads/horizontal-pod-autoscaler-series.ts';
import type { SeriesSource } from '../../../reconciler/ports/series-source.ts';
import { inPatience } from '../../support/patience.ts';

export interface SeriesFixture {
  readonly source: SeriesSource;
  readonly settings: Prometheus;
  close(): Promise<void>;
}

const series = (metric: string, value: number, labels: Readonly<Record<string, string>>): MemorySeries => ({
  metric,
  value,
  labels,
});

/** What there is in every fixture. */
export const SERIES: readonly MemorySeries[] = [
  series('requests', 10, { namespace: 'default', pod: 'web-0', code: '200' }),
  series('requests', 2.5, { namespace: 'default', pod: 'web-0', code: '500' }),
  series('requests', 30, { namespace: 'default', pod: 'web-1', code: '200' }),
  series('requests', 400, { namespace: 'default', pod: 'web.1', code: '200' }),
  series('requests', 5000, { namespace: 'other', pod: 'web-0', code: '200' }),
  series('requests', 7, { namespace: 'default', service: 'web' }),
  series('depth', 8, { queue: 'mail' }),
  series('depth', 16, { queue: 'print', hall: 'a' }),
  series('depth', NaN, { queue: 'broken' }),
  series('minus', -3, {}),
];

export function seriesSourceSuite(name: string, start: () => Promise<SeriesFixture>): void {
  describe(`SeriesSource: ${name}`, () => {
    const signal = inPatience(120_000);
    let fixture: SeriesFixture;
    before(async () => {
      fixture = await start();
    });
    after(() => fixture.close());
    const sums = async (selection: SeriesSelection): Promise<Readonly<Record<string, number>>> =>
      Object.fromEntries(await fixture.source.sums(fixture.settings, selection, signal));
    const depth = (...matchers: readonly LabelMatcher[]): Promise<Readonly<Record<string, number>>> =>
      sums({ metric: 'depth', matchers });

    it('sums up the series of a name', async () => {
      assert.deepEqual(await depth({ label: 'queue', is: 'in', values: ['mail', 'print'] }), { '': 24 });
      assert.deepEqual(await sums({ metric: 'minus', matchers: [] }), { '': -3 });
    });

    it('sums them up for each pod that is asked for, in its namespace, and leaves out those of none', async () => {
      const measure = {
        type: 'Pods',
        pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '1' } },
      } as const;
      assert.deepEqual(await sums(selectionOf(measure, 'default', ['web-0', 'web-1', 'web-2'])), {
        'web-0': 12.5,
        'web-1': 30,
      });
    });

    it('takes the name of a pod as it is, not as a pattern', async () => {
      const pods = { label: 'pod', is: 'in', values: ['web.1', 'none'] } as const;
      assert.deepEqual(await sums({ metric: 'requests', matchers: [pods], by: 'pod' }), { 'web.1': 400 });
    });

    it('finds those of an object by its kind and name', async () => {
      const describedObject = { apiVersion: 'v1', kind: 'Service', name: 'web' };
      const measure = {
        type: 'Object',
        object: { describedObject, metric: { name: 'requests' }, target: { type: 'Value', value: '1' } },
      } as const;
      assert.deepEqual(await sums(selectionOf(measure, 'default', [])), { '': 7 });
      assert.deepEqual(await sums(selectionOf(measure, 'other', [])), {});
    });

    it('selects by labels as a label selector says', async () => {
      const selector = (matchExpressions: object[], matchLabels?: object): Promise<Readonly<Record<string, number>>> =>
        sums(
          selectionOf(
            {
              type: 'External',
              external: {
                metric: { name: 'depth', selector: { matchLabels, matchExpressions } },
                target: { type: 'Value', value: '1' },
              },
            } as never,
            'default',
            [],
          ),
        );
      const notBroken = { key: 'queue', operator: 'NotIn', values: ['broken'] };
      assert.deepEqual(await selector([], { queue: 'mail' }), { '': 8 });
      assert.deepEqual(await selector([notBroken]), { '': 24 });
      assert.deepEqual(await selector([notBroken, { key: 'hall', operator: 'Exists' }]), { '': 16 });
      assert.deepEqual(await selector([notBroken, { key: 'hall', operator: 'DoesNotExist' }]), { '': 8 });
      assert.deepEqual(await selector([{ key: 'queue', operator: 'In', values: ['print', 'none'] }]), { '': 16 });
    });

    it('has nothing of what there is not, of no values, and of no numbers', async () => {
      assert.deepEqual(await sums({ metric: 'none', matchers: [] }), {});
      assert.deepEqual(await depth({ label: 'queue', is: 'in', values: [] }), {});
      assert.deepEqual(await depth({ label: 'queue', is: 'in', values: ['broken'] }), {});
    });

    for (const hostile of [
      '"} or vector(1) #',
      '\\',
      '\\"',
      "'",
      '`',
      'mail"} or depth{queue="print',
      '.*',
      'mail|print',
      '\n',
      '<<.LabelMatchers>>',
      '\u0000',
      '☃',
    ])
      it(`takes ${JSON.stringify(hostile)} for a value and for a name, and finds nothing`, async () => {
        assert.deepEqual(await depth({ label: 'queue', is: 'in', values: [hostile] }), {});
        assert.deepEqual(await depth({ label: 'queue', is: 'in', values: [hostile, 'none'] }), {});
        assert.deepEqual(await sums({ metric: hostile, matchers: [] }), {});
      });

    it('gives up with whoever asks', async () => {
      const gone = new Error('gone');
      await assert.rejects(
        fixture.source.sums(fixture.settings, { metric: 'depth', matchers: [] }, AbortSignal.abort(gone)),
        gone,
      );
    });
  });
}
