/** What holds of a Job whatever happens, in whatever order, and however often the controller starts anew. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { objectKey, type StoredPod } from '../../../contracts/objects/index.ts';
import { isJobFinished } from '../../../reconciler/core/workloads/job.ts';
import { isGone } from '../../../reconciler/core/workloads/job-pods.ts';
import { isActive, isFinished } from '../../../reconciler/core/workloads/pod-state.ts';
import { Indexes } from '../../../reconciler/core/workloads/indexes.ts';
import { JobWorld } from './jobs.ts';

type Event =
  | { readonly is: 'pass'; readonly which: number }
  | { readonly is: 'end'; readonly which: number; readonly well: boolean }
  | { readonly is: 'run'; readonly which: number }
  | { readonly is: 'delete'; readonly which: number }
  | { readonly is: 'gone'; readonly which: number }
  | { readonly is: 'time'; readonly ms: number }
  | { readonly is: 'lose'; readonly which: number }
  | { readonly is: 'restart' };

const which = fc.nat(40);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ is: fc.constant('pass' as const), which }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('end' as const), which, well: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('run' as const), which }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('delete' as const), which }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('gone' as const), which }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 700_000 }) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('lose' as const), which }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('restart' as const) }) },
);
const spec = fc.record({
  completions: fc.integer({ min: 0, max: 6 }),
  parallelism: fc.integer({ min: 1, max: 4 }),
  completionMode: fc.constantFrom('NonIndexed', 'Indexed'),
  backoffLimit: fc.constantFrom(1, 3, 1000),
  podReplacementPolicy: fc.constantFrom('Failed', 'TerminatingOrFailed'),
});

/** How each pod ended, as the test saw it: the truth that the numbers are held against. */
class Witness {
  readonly succeeded = new Set<string>();
  readonly failed = new Set<string>();
}

class Play {
  readonly world: JobWorld;
  readonly witness = new Witness();

  constructor(jobSpec: object) {
    this.world = new JobWorld(jobSpec);
  }

  do(happened: Event): void {
    const { world, witness } = this;
    const pick = (pods: readonly StoredPod[], n: number): StoredPod | undefined =>
      pods.length === 0 ? undefined : pods[n % pods.length];
    switch (happened.is) {
      case 'pass':
        world.step(happened.which);
        return;
      case 'end': {
        const pod = pick(
          world.pods.filter((one) => !isFinished(one) && !isGone(one)),
          happened.which,
        );
        if (!pod) return;
        const { uid } = pod.metadata;
        (happened.well ? witness.succeeded : witness.failed).add(uid);
        world.end(pod, happened.well ? 'Succeeded' : 'Failed');
        return;
      }
      case 'run': {
        const pod = pick(world.active, happened.which);
        if (pod) world.tell(pod, {});
        return;
      }
      case 'delete': {
        const pod = pick(world.active, happened.which);
        if (!pod) return;
        witness.failed.add(pod.metadata.uid);
        const key = objectKey('Pod', 'default', pod.metadata.name);
        world.apply({ steps: [{ do: 'delete', key, uid: pod.metadata.uid }] });
        return;
      }
      case 'gone': {
        const pod = pick(
          world.pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined),
          happened.which,
        );
        if (pod) world.gone(pod);
        return;
      }
      case 'time':
        world.advance(happened.ms);
        return;
      case 'lose':
        world.lost = happened.which;
        return;
      case 'restart':
        world.timers.clear();
        world.resync();
    }
  }

  check(): void {
    const { world } = this;
    const { spec: wanted, status } = world.job;
    const active = world.pods.filter(isActive);
    assert.ok(active.length <= wanted.parallelism, `${active.length} pods are active`);
    const { succeeded = 0, failed = 0, completedIndexes } = status ?? {};
    if (wanted.completionMode === 'Indexed') {
      const indexes = active.map((pod) => world.indexOf(pod));
      assert.equal(new Set(indexes).size, indexes.length, `two pods of one index: ${indexes.join()}`);
      assert.equal(Indexes.parse(completedIndexes, wanted.completions ?? 0).size, succeeded);
    }
    assert.ok(succeeded <= Math.max(wanted.completions ?? 0, this.witness.succeeded.size));
    assert.ok(succeeded <= this.witness.succeeded.size, 'a pod was counted that has not succeeded');
    assert.ok(succeeded + failed <= this.made.size, 'a pod was counted twice');
  }

  readonly made = new Set<string>();
  note(): void {
    for (const { metadata } of this.world.pods) this.made.add(metadata.uid);
  }
}

describe('a Job, whatever happens', () => {
  it('has never too many pods, one for each index, and counts each pod once', () => {
    fc.assert(
      fc.property(spec, fc.array(event, { minLength: 10, maxLength: 150 }), (jobSpec, events) => {
        const play = new Play(jobSpec);
        play.note();
        for (const happened of events) {
          play.do(happened);
          play.note();
          play.check();
        }
      }),
      { numRuns: 300 },
    );
  });

  it('comes to its end, with as many as it wanted, and with what failed counted exactly', () => {
    fc.assert(
      fc.property(spec, fc.array(event, { maxLength: 80 }), (given, events) => {
        const play = new Play({ ...given, backoffLimit: 1000 });
        const { world, witness } = play;
        for (const happened of events) play.do(happened);
        for (let round = 0; round < 60 && !isJobFinished(world.job); round++) {
          world.settle();
          for (const pod of world.pods) if (pod.metadata.deletionTimestamp !== undefined) world.gone(pod);
          for (const pod of world.active) {
            witness.succeeded.add(pod.metadata.uid);
            world.end(pod);
          }
          world.settle();
          world.advance(600_000);
        }
        const { status, spec: wanted } = world.job;
        assert.deepEqual(world.conditions(), ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached']);
        assert.equal(status?.succeeded, wanted.completions);
        assert.equal(status?.failed, [...witness.failed].filter((uid) => !isBoth(witness, uid)).length + both(play));
        assert.equal(status?.uncountedTerminatedPods, undefined);
        assert.ok(world.pods.every(({ metadata }) => (metadata.finalizers ?? []).length === 0));
      }),
      { numRuns: 200 },
    );
  });
});

/** It was told to end, and ended well. */
function isBoth({ succeeded, failed }: Witness, uid: string): boolean {
  return succeeded.has(uid) && failed.has(uid);
}
/** Of such pods those that were counted as failed, before they ended well: they are not counted as succeeded, too. */
function both({ world, witness }: Play): number {
  const { status, spec: wanted } = world.job;
  const certain = [...witness.failed].filter((uid) => !isBoth(witness, uid)).length;
  const open = [...witness.failed].filter((uid) => isBoth(witness, uid)).length;
  const counted = (status?.failed ?? 0) - certain;
  assert.ok(counted >= 0 && counted <= open);
  if (wanted.completionMode === 'NonIndexed')
    assert.equal((status?.succeeded ?? 0) + counted, witness.succeeded.size, 'each is counted as one of both');
  return counted;
}
