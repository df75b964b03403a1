/** Which endpoint is in which slice: rules of every node are made anew for each slice that changes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { StoredEndpointSlice, StoredPod, StoredService } from '../../../contracts/objects/index.ts';
import { endpointSlices, sliceSteps } from '../../../reconciler/core/services/endpoints.ts';
import { pod, running, service } from '../controllers/objects.ts';
import { stored } from '../nodes/stored.ts';

const web: StoredService = stored<'Service'>(service('web'));

function podAt(index: number, ready = true): StoredPod {
  const made = pod(`p${index}`, { nodeName: 'n1' }, { uid: `uid-p${index}` });
  return stored<'Pod'>(running(made, ready, undefined, `10.0.${Math.floor(index / 200)}.${index % 200}`));
}

const pods = (count: number): StoredPod[] => Array.from({ length: count }, (_, i) => podAt(i));

/** The slices after a pass, and which of them it wrote. */
function pass(
  wanted: readonly StoredPod[],
  present: readonly StoredEndpointSlice[],
): { readonly slices: readonly StoredEndpointSlice[]; readonly written: number } {
  const steps = sliceSteps(endpointSlices(web, wanted, present), present);
  const after = new Map(present.map((slice) => [slice.metadata.name, slice]));
  for (const step of steps) {
    if (step.do === 'create' && step.object.kind === 'EndpointSlice')
      after.set(step.object.metadata.name, stored<'EndpointSlice'>(step.object));
    else if (step.do === 'update' && step.object.kind === 'EndpointSlice')
      after.set(step.object.metadata.name, step.object);
    else if (step.do === 'delete') after.delete(step.key.split('/').at(-1) ?? '');
  }
  return { slices: [...after.values()], written: steps.length };
}

const uidsOf = (slices: readonly StoredEndpointSlice[]): string[] =>
  slices.flatMap(({ endpoints }) => endpoints.map(({ targetRef }) => targetRef?.uid ?? '')).sort();

describe('the slices of a Service', () => {
  it('have a hundred endpoints at most', () => {
    const { slices } = pass(pods(250), []);
    assert.deepEqual(
      slices.map(({ endpoints }) => endpoints.length).sort((a, b) => a - b),
      [50, 100, 100],
    );
    assert.equal(new Set(slices.map(({ metadata }) => metadata.name)).size, 3);
    assert.deepEqual(
      uidsOf(slices),
      pods(250)
        .map(({ metadata }) => metadata.uid)
        .sort(),
    );
  });

  it('of which one changes when one pod does: also when it comes, or goes', () => {
    const { slices } = pass(pods(250), []);
    const flipped = pods(250).map((one, i) => (i === 120 ? podAt(120, false) : one));
    assert.equal(pass(flipped, slices).written, 1);
    assert.equal(pass(pods(251), slices).written, 1);
    assert.equal(pass(pods(250).slice(1), slices).written, 1);
    assert.equal(pass(pods(250), slices).written, 0);
  });

  it('take those that come where others went', () => {
    const { slices } = pass(pods(200), []);
    const replaced = pass([...pods(200).slice(1), podAt(300)], slices);
    assert.equal(replaced.written, 1);
    assert.equal(replaced.slices.length, 2);
  });

  it('of an earlier version, with more than a hundred, are taken apart', () => {
    const [first] = pass(pods(100), []).slices;
    assert.ok(first);
    const all = [...pass(pods(230), []).slices].flatMap(({ endpoints }) => endpoints);
    const { slices } = pass(pods(230), [{ ...first, endpoints: all }]);
    assert.deepEqual(
      slices.map(({ endpoints }) => endpoints.length).sort((a, b) => a - b),
      [30, 100, 100],
    );
  });

  it('of a Service without endpoints are one, and empty', () => {
    const { slices } = pass(pods(250), []);
    assert.deepEqual(
      pass([], slices).slices.map(({ endpoints }) => endpoints),
      [[]],
    );
    assert.equal(pass([], pass([], slices).slices).written, 0);
  });

  it('hold every pod once, however pods come, go and change', () => {
    const change = fc.record({ from: fc.nat(300), count: fc.nat(150), ready: fc.boolean(), there: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const now = new Map<number, StoredPod>();
        let slices: readonly StoredEndpointSlice[] = [];
        for (const { from, count, ready, there } of changes) {
          for (let index = from; index < from + count; index += 1) {
            if (there) now.set(index, podAt(index, ready));
            else now.delete(index);
          }
          slices = pass([...now.values()], slices).slices;
          assert.deepEqual(uidsOf(slices), [...now.values()].map(({ metadata }) => metadata.uid).sort());
          assert.ok(slices.every(({ endpoints }) => endpoints.length <= 100));
          assert.equal(pass([...now.values()], slices).written, 0);
        }
      }),
      { numRuns: 25 },
    );
  });
});
