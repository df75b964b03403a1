/** Does what a decision says: steps become writes to the store and events. */
import { keyOf, type ObjectKey, type Stored, type StoredOf } from '../../../contracts/objects/index.ts';
import { RetryableError } from '../../core/errors.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import type { Step } from '../../core/step.ts';
import type { Clock } from '../../ports/clock.ts';
import type { WriteOp, WriteResult } from '../../ports/object-store.ts';
import type { StoreCache } from './cache.ts';
import type { EventRecorder } from './event-recorder.ts';

export interface StepExecutorOptions {
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}

type WriteStep = Exclude<Step, { readonly do: 'event' }>;
type EventStep = Extract<Step, { readonly do: 'event' }>;

/** A step that was not done, with the store's reason. */
export interface StepProblem {
  readonly step: WriteStep;
  readonly reason: 'AlreadyExists' | 'Conflict' | 'NotFound';
  readonly message: string;
}

export class StepExecutor {
  readonly #cache: StoreCache;
  readonly #recorder: EventRecorder;
  readonly #clock: Clock;

  constructor(options: StepExecutorOptions) {
    this.#cache = options.cache;
    this.#recorder = options.recorder;
    this.#clock = options.clock;
  }

  /**
   * As {@link attempt}; throws RetryableError `WriteConflict` when any write was refused, after the others were done
   * and show in the cache: the next pass decides on what is there then.
   */
  async execute(steps: readonly Step[], component: string, signal: AbortSignal): Promise<void> {
    const problems = await this.attempt(steps, component, signal);
    if (problems.length > 0) {
      throw new RetryableError(
        'WriteConflict',
        `${problems.map(({ message }) => message).join('; ')}: somebody else wrote in between; it is decided anew`,
      );
    }
  }

  /**
   * Does the steps in order and returns those that were refused. Writes go to the store in one round trip, except that
   * a second write to one object waits for the first and builds on its version. What was written shows in the cache
   * when this returns. Deleting what is not there is no problem. An event is recorded unless the write in front of it
   * was refused. Throws what the store throws.
   */
  async attempt(steps: readonly Step[], component: string, signal: AbortSignal): Promise<readonly StepProblem[]> {
    const problems: StepProblem[] = [];
    /** What became of objects that this call wrote: the version each write was based on, and the object it made. */
    const written = new Map<ObjectKey, { readonly base: string | undefined; readonly object: Stored }>();
    for (const batch of batches(steps)) {
      const planned = batch.writes.flatMap((step) => {
        const op = this.#plan(step, written);
        return op ? [{ step, op }] : [];
      });
      const results = await this.#cache.write(
        planned.map(({ op }) => op),
        signal,
      );
      const refused = new Set<WriteStep>();
      for (const [index, { step, op }] of planned.entries()) {
        const result = results[index];
        if (!result) continue;
        if (result.ok) {
          if (op.op !== 'delete')
            written.set(keyOf(result.object), { base: op.object.metadata.resourceVersion, object: result.object });
        } else if (!isHarmless(step, result)) {
          refused.add(step);
          problems.push({ step, reason: result.reason, message: result.message });
        }
      }
      for (const { event, follows } of batch.events) {
        if (!follows || !refused.has(follows)) this.#record(event, component);
      }
    }
    return problems;
  }

  #plan(
    step: WriteStep,
    written: ReadonlyMap<ObjectKey, { readonly base: string | undefined; readonly object: Stored }>,
  ): WriteOp | undefined {
    switch (step.do) {
      case 'create':
        return { op: 'create', object: step.object };
      case 'update':
      case 'updateStatus': {
        const earlier = written.get(keyOf(step.object));
        const object =
          earlier && earlier.base === step.object.metadata.resourceVersion
            ? onVersion(step.object, earlier.object)
            : step.object;
        return { op: step.do, object };
      }
      case 'delete':
        return this.#planDelete(step);
    }
  }

  #planDelete(step: Extract<WriteStep, { do: 'delete' }>): WriteOp | undefined {
    const current = this.#cache.get(step.key);
    if (
      current?.kind !== 'Pod' ||
      current.metadata.uid !== step.uid ||
      current.spec.nodeName === undefined ||
      step.gone
    ) {
      return { op: 'delete', key: step.key, uid: step.uid };
    }
    return this.#markDeleted(current, step.graceSeconds);
  }

  /**
   * As the Kubernetes API server does: deletionTimestamp is the end of the grace period, and a later request can only
   * shorten it.
   */
  #markDeleted(pod: StoredOf<'Pod'>, wanted: number | undefined): WriteOp | undefined {
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    const graceSeconds = wanted ?? pod.spec.terminationGracePeriodSeconds;
    if (deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) <= graceSeconds) return undefined;
    const ends = new Date(this.#clock.now().getTime() + graceSeconds * 1000);
    return {
      op: 'update',
      object: {
        ...pod,
        metadata: { ...pod.metadata, deletionTimestamp: kubeTime(ends), deletionGracePeriodSeconds: graceSeconds },
      },
    };
  }

  #record(step: EventStep, component: string): void {
    this.#recorder.record({
      regarding: step.regarding,
      type: step.type,
      reason: step.reason,
      message: step.message,
      component,
    });
  }
}

interface Batch {
  readonly writes: WriteStep[];
  readonly events: { readonly event: EventStep; readonly follows: WriteStep | undefined }[];
}

/** Cuts the steps where an object is written for the second time. */
function batches(steps: readonly Step[]): Batch[] {
  let current: Batch = { writes: [], events: [] };
  const all = [current];
  let keys = new Set<ObjectKey>();
  let last: WriteStep | undefined;
  for (const step of steps) {
    if (step.do === 'event') {
      current.events.push({ event: step, follows: last });
      continue;
    }
    const key = step.do === 'delete' ? step.key : keyOf(step.object);
    if (keys.has(key)) {
      current = { writes: [], events: [] };
      all.push(current);
      keys = new Set();
    }
    keys.add(key);
    current.writes.push(step);
    last = step;
  }
  return all;
}

function onVersion(object: Stored, earlier: Stored): Stored {
  return {
    ...object,
    metadata: { ...object.metadata, uid: earlier.metadata.uid, resourceVersion: earlier.metadata.resourceVersion },
  };
}

function isHarmless(step: WriteStep, result: Extract<WriteResult, { ok: false }>): boolean {
  return step.do === 'delete' && result.reason === 'NotFound';
}
