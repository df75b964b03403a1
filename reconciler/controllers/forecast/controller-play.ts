/**
 * Controllers at work on a copy of the live state: the passes that changes ask for, what they decide written in memory by
 * the rules of every write, and a clock that only goes on when it is told to. No store, no queue, no I/O. Objects of
 * custom kinds stay as they are: nothing that runs comes of them.
 */
import { errorText } from '../../../contracts/errors.ts';
import { displayKey, isCustomKey, keyOf, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { andMore } from '../../core/and-more.ts';
import type { Paced } from '../../core/paced.ts';
import { isTyped, type AnyStep } from '../../core/step.ts';
import { applyWrite, type WriteOp } from '../../core/storage/apply-write.ts';
import type { ChangeEvent, WriteResult } from '../../ports/object-store.ts';
import type { Controller, PassContext } from '../runtime/controller.ts';
import { Dispatch, type Lane } from '../runtime/dispatch.ts';
import { OwnWrites } from '../runtime/own-writes.ts';
import { isRefusal, write, type StepProblem } from '../runtime/writer.ts';
import type { OverlayView } from './overlay-view.ts';

/** How far controllers are played. */
export interface Bounds {
  readonly passes: number;
  readonly writes: number;
  /** Of the played time. */
  readonly ms: number;
}

/** A plan of 150,000 pods stays below. */
export const BOUNDS: Bounds = { passes: 3_000_000, writes: 1_500_000, ms: 24 * 3_600_000 };

/** How often a pass is repeated whose writes were refused, or that failed. */
const ATTEMPTS = 3;
/** Refused writes that a limit names. */
const MOST_TOLD = 2;

export interface ControllerPlayOptions {
  readonly view: OverlayView;
  readonly controllers: readonly Controller[];
  readonly now: Date;
  readonly bounds?: Bounds;
  /** Told of every change, when the view shows it and before controllers hear of it. */
  changed(type: ChangeEvent['type'], object: Stored, previous: Stored | undefined): void;
  /** A controller is about to look at the object. */
  looked(key: ObjectKey): void;
}

interface PlayedLane extends Lane {
  /** Keys in the queue. */
  readonly asked: Set<ObjectKey>;
  /** When to look again, in ms of the played time. */
  readonly timers: Map<ObjectKey, number>;
  readonly attempts: Map<ObjectKey, number>;
}

export class ControllerPlay {
  readonly #options: ControllerPlayOptions;
  readonly #view: OverlayView;
  readonly #bounds: Bounds;
  readonly #lanes: readonly PlayedLane[];
  readonly #dispatch: Dispatch<PlayedLane>;
  /** In the order in which they were asked for. */
  readonly #queue: { readonly lane: PlayedLane; readonly key: ObjectKey }[] = [];
  readonly #limits = new Set<string>();
  readonly #signal = new AbortController().signal;
  #elapsedMs = 0;
  #passes = 0;
  #writes = 0;
  #uids = 0;
  #versions = 0;
  #suffixes = 0;
  #isOver = false;

  constructor(options: ControllerPlayOptions) {
    this.#options = options;
    this.#view = options.view;
    this.#bounds = options.bounds ?? BOUNDS;
    this.#lanes = options.controllers
      // Who acts by the clock acts whatever the plan is.
      .filter(({ actsByTheClock }) => actsByTheClock !== true)
      .map((controller) => ({
        controller,
        ownWrites: new OwnWrites(),
        asked: new Set(),
        timers: new Map(),
        attempts: new Map(),
      }));
    this.#dispatch = new Dispatch({
      lanes: this.#lanes,
      view: this.#view,
      ask: (lane, keys) => {
        for (const key of keys) if (!isCustomKey(key)) this.#ask(lane, key);
      },
      failed: ({ controller }, object, error) => {
        this.#limits.add(`${controller.name} could not be told of ${displayKey(keyOf(object))}: ${errorText(error)}`);
      },
    });
  }

  get now(): Date {
    return new Date(this.#options.now.getTime() + this.#elapsedMs);
  }

  /** Why it is not played to the end, in sentences. */
  get limits(): readonly string[] {
    return [...this.#limits];
  }

  /** Does the steps as the writer does them. */
  *do(steps: readonly AnyStep[], by: string): Paced<readonly StepProblem[]> {
    const now = this.now;
    const writing = write(steps.filter(isTyped), { by, view: this.#view, now: () => now, record: () => undefined });
    for (let turn = writing.next(); ;) {
      if (turn.done) return turn.value;
      yield;
      const results: WriteResult[] = [];
      // Steps of our kinds become writes of our kinds.
      for (const op of turn.value as readonly WriteOp[]) {
        yield;
        results.push(this.#write(op));
      }
      turn = writing.next(results);
    }
  }

  /** A change that no step makes, such as those of nodes. */
  show(type: ChangeEvent['type'], object: Stored): void {
    const shown = { ...object, metadata: { ...object.metadata, resourceVersion: this.#version() } } as Stored;
    const previous = type === 'put' ? this.#view.put(shown) : this.#view.remove(keyOf(shown));
    if (type === 'delete' && !previous) return;
    this.#options.changed(type, shown, previous);
    this.#dispatch.changed(type, shown, previous);
  }

  /** Passes until nobody has anything to look at. */
  *settle(): Paced<void> {
    while (this.#queue.length > 0 && !this.#isOver)
      for (const { lane, key } of this.#queue.splice(0)) {
        if (this.#isOver) return;
        yield;
        lane.asked.delete(key);
        yield* this.#pass(lane, key, false);
      }
  }

  #ask(lane: PlayedLane, key: ObjectKey): void {
    if (lane.asked.has(key)) return;
    lane.asked.add(key);
    this.#queue.push({ lane, key });
  }

  /** Goes on to the next time that anybody waits for, and has them look. False when nobody waits. */
  *later(): Paced<boolean> {
    const next = Math.min(...this.#lanes.map(({ timers }) => earliest(timers)));
    if (this.#isOver || next === Infinity) return false;
    if (next > this.#bounds.ms) {
      this.#end(`what happens later than ${hours(this.#bounds.ms)} from now`);
      return false;
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, next);
    for (const lane of this.#lanes)
      for (const [key, at] of [...lane.timers]) {
        if (at > this.#elapsedMs) continue;
        yield;
        yield* this.#pass(lane, key, true);
      }
    return true;
  }

  *#pass(lane: PlayedLane, key: ObjectKey, byTimer: boolean): Paced<void> {
    const { controller, ownWrites, timers } = lane;
    if (++this.#passes > this.#bounds.passes)
      return this.#end(`what controllers do after ${this.#bounds.passes.toLocaleString('en')} passes`);
    timers.delete(key);
    this.#options.looked(key);
    let problems: readonly StepProblem[] = [];
    try {
      const decided = controller.decide(key, this.#context);
      const decision = 'steps' in decided ? decided : yield* decided;
      if (decision.steps.length > 0) {
        const own = ownWrites.expect(key, decision.steps);
        problems = yield* this.do(decision.steps, controller.name);
        own.over();
      }
      // One that only looks now and then, and finds nothing to do, would look for ever.
      if (decision.requeueAfterMs !== undefined && !(byTimer && decision.steps.length === 0))
        timers.set(key, this.#elapsedMs + decision.requeueAfterMs);
    } catch (error) {
      return this.#failed(lane, key, errorText(error));
    }
    if (problems.length === 0) return;
    const why = andMore(
      problems.map(({ message }) => message),
      MOST_TOLD,
      '; ',
    );
    if (!controller.refused || !problems.every(isRefusal)) return this.#failed(lane, key, why);
    // It would be refused again and again: what the plan has room for is there.
    this.#limits.add(`${controller.name} does not get through with ${displayKey(key)}: ${why}`);
    yield* this.do(controller.refused(key, problems, this.#context).steps, controller.name);
  }

  #failed(lane: PlayedLane, key: ObjectKey, why: string): void {
    const { controller, attempts } = lane;
    const made = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, made);
    if (made < ATTEMPTS) this.#ask(lane, key);
    else this.#limits.add(`${controller.name} does not get through with ${displayKey(key)}: ${why}`);
  }

  #write(op: WriteOp): WriteResult {
    const key = op.op === 'delete' ? op.key : keyOf(op.object);
    const applied = applyWrite(op, this.#view.get(key), {
      uid: () => this.#uid(),
      version: () => this.#version(),
      now: this.now,
    });
    if (applied.is === 'refused') return { ok: false, reason: applied.reason, message: applied.message };
    const { object } = applied;
    if (applied.is !== 'unchanged') {
      if (++this.#writes > this.#bounds.writes)
        this.#end(`what comes after ${this.#bounds.writes.toLocaleString('en')} writes of controllers`);
      const previous = applied.is === 'put' ? this.#view.put(object) : this.#view.remove(key);
      this.#options.changed(applied.is, object, previous);
      this.#dispatch.changed(applied.is, object, previous);
    }
    return { ok: true, object, resourceVersion: object.metadata.resourceVersion };
  }

  #end(limit: string): void {
    this.#isOver = true;
    this.#limits.add(limit);
  }

  get #context(): PassContext {
    return {
      view: this.#view,
      now: this.now,
      monotonic: this.#elapsedMs,
      signal: this.#signal,
      ids: { uid: () => this.#uid(), suffix: (length) => this.#suffix(length) },
    };
  }

  /** Names and uids of what is to come are made up, always the same ones. */
  #uid(): string {
    return `planned-${digits(++this.#uids, 10)}`;
  }

  #version(): string {
    return `planned-${digits(++this.#versions, 10)}`;
  }

  /** In their order; of five letters there are more than writes. */
  #suffix(length: number): string {
    return (++this.#suffixes).toString(36).padStart(length, '0').slice(-length);
  }
}

function digits(number: number, length: number): string {
  return String(number).padStart(length, '0');
}

function earliest(timers: ReadonlyMap<ObjectKey, number>): number {
  let first = Infinity;
  for (const at of timers.values()) first = Math.min(first, at);
  return first;
}

function hours(ms: number): string {
  return `${ms / 3_600_000} hours`;
}
