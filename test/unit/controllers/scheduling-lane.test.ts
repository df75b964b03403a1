/** What the lane does where the store does not take its writes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PriorityClassManifest, type KubeObject, type StoredPod } from '../../../contracts/objects/index.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { Writer, type StepProblem } from '../../../reconciler/controllers/runtime/writer.ts';
import { SchedulingLane } from '../../../reconciler/controllers/scheduling/lane.ts';
import type { Step } from '../../../reconciler/core/step.ts';
import { created, world, type World } from '../runtime/world.ts';
import { node, pod } from './objects.ts';

const asking = (cpu: string): object => ({
  containers: [{ name: 'app', image: 'app:v1', resources: { requests: { cpu } } }],
});
const HIGH = PriorityClassManifest.parse({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name: 'high' },
  value: 10,
});

/** What becomes of the first deletions. */
type Fate = (deletions: readonly Extract<Step, { do: 'delete' }>[]) => readonly StepProblem[];

/** Leaves the first deletions to their fate; all else is done. */
class Refusing extends Writer {
  readonly refused: Promise<void>;
  #fate: Fate | undefined;
  #tell: () => void = () => undefined;

  constructor({ cache, recorder, clock }: World, fate: Fate) {
    super({ cache, recorder, clock });
    this.#fate = fate;
    this.refused = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  override async attempt(
    steps: readonly Step[],
    component: string,
    signal: AbortSignal,
  ): Promise<readonly StepProblem[]> {
    const deletions = steps.filter((step) => step.do === 'delete');
    const fate = this.#fate;
    if (!fate || deletions.length === 0) return super.attempt(steps, component, signal);
    this.#fate = undefined;
    setImmediate(this.#tell);
    const problems = fate(deletions);
    return [
      ...problems,
      ...(await super.attempt(
        steps.filter((step) => step.do !== 'delete'),
        component,
        signal,
      )),
    ];
  }
}

const fates: Readonly<Record<string, Fate>> = {
  'refuses the deletion': (deletions) =>
    deletions.map((step) => ({ step, reason: 'Conflict', message: 'somebody else wrote' })),
  'cannot be reached': () => {
    throw new Error('connection lost');
  },
};

/** Fails after a while, when the first pods are written. */
class Losing extends Writer {
  /** Called when they fail. */
  onLoss: () => void = () => undefined;
  #lost = false;

  override async attempt(
    steps: readonly Step[],
    component: string,
    signal: AbortSignal,
  ): Promise<readonly StepProblem[]> {
    if (this.#lost) return super.attempt(steps, component, signal);
    this.#lost = true;
    for (let turn = 0; turn < 10; turn++)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    this.onLoss();
    throw new Error('connection lost');
  }
}

describe('the lane', () => {
  it('gives every pod its node though a write failed while the next pods were placed', async () => {
    const w = await world();
    const lane = new SchedulingLane({
      queue: w.queue,
      cache: w.cache,
      writer: new Losing(w),
      clock: w.clock,
      log: w.log,
    });
    const pods = Array.from({ length: 500 }, (_, i) => pod(`p${i}`, asking('1m')));
    try {
      await w.cache.write(
        [node('n1', { allocatable: { cpu: '4', memory: '8Gi', pods: '500' } }), ...pods].map((object) => ({
          op: 'create',
          object,
        })),
      );
      lane.start();
      await w.until(() => w.cache.pendingPods().length === 0, 'all bound');
    } finally {
      await lane.close(0);
      await w.close();
    }
  });
});

/** Somebody sets it. */
class SetClock extends SystemClock {
  setByMs = 0;

  override now(): Date {
    return new Date(super.now().getTime() + this.setByMs);
  }
}

describe('a pod that backs off', () => {
  for (const [title, hours] of [
    ['back', -1],
    ['forward', 1],
  ] as const)
    it(`is tried again when its time has come, though the clock was set an hour ${title}`, async () => {
      const clock = new SetClock();
      const w = await world({ clock });
      const writer = new Losing(w);
      writer.onLoss = () => {
        clock.setByMs = hours * 3_600_000;
      };
      const lane = new SchedulingLane({ queue: w.queue, cache: w.cache, writer, clock, log: w.log });
      try {
        await w.cache.write([node('n1'), pod('p', asking('1'))].map((object) => ({ op: 'create', object })));
        lane.start();
        await w.until(() => w.cache.pendingPods().length === 0, 'it is bound');
      } finally {
        await lane.close(0);
        await w.close();
      }
    });
});

describe('a victim stays where the store', () => {
  for (const [title, fate] of Object.entries(fates)) {
    it(title, async () => {
      const w = await world();
      const writer = new Refusing(w, fate);
      const lane = new SchedulingLane({ queue: w.queue, cache: w.cache, writer, clock: w.clock, log: w.log });
      const create = <T extends KubeObject>(object: T): Promise<StoredPod> =>
        created(w.cache, { op: 'create', object });
      try {
        await create(HIGH);
        await create(node('n1'));
        const {
          metadata: { uid },
        } = await create(pod('low', { ...asking('2'), nodeName: 'n1' }));
        lane.start();
        await create(pod('high', { ...asking('2'), priorityClassName: 'high' }));
        await writer.refused;
        const cluster = lane.pending?.scheduler.cluster;
        while (cluster?.placed(uid)?.shape.terminating !== false)
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
        assert.equal(w.cache.get('pods/default/low')?.metadata.deletionTimestamp, undefined);
        await w.until(
          () => w.cache.get('pods/default/low')?.metadata.deletionTimestamp !== undefined,
          'its deletion after a back-off',
        );
      } finally {
        await lane.close(0);
        await w.close();
      }
    });
  }
});
