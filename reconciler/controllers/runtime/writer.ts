/**
 * The one way of a write to the store, for controllers, the sync and the API alike: steps go through admission, and
 * become writes and events. What does not come this way: reports of nodes (controllers/nodes/status-writer.ts: statuses
 * alone, and the end of a pod by the same rules), the Events themselves (event-recorder.ts), and what a recovery
 * imports (controllers/recovery.ts): objects as they were, into a store that nobody acts on yet.
 */
import {
  displayKey,
  isCustomKey,
  isKeyOf,
  keyOf,
  type AnyKey,
  type AnyStored,
  type Kind,
} from '../../../contracts/objects/index.ts';
import { admit } from '../../core/admission/chain.ts';
import { chargeQuotas } from '../../core/admission/quota.ts';
import type { AdmissionView, Author, Refusal, Verdict } from '../../core/admission/request.ts';
import { andMore } from '../../core/and-more.ts';
import { RetryableError, TerminalError } from '../../core/errors.ts';
import { objectAt } from '../../core/kinds/custom.ts';
import type { AnyStep } from '../../core/step.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AnyWriteOp, WriteResult } from '../../ports/object-store.ts';
import type { StoreCache } from './cache.ts';
import type { EventRecorder } from './event-recorder.ts';
import { turns } from './slices.ts';

export interface WriterOptions {
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}

type WriteStep = Exclude<AnyStep, { readonly do: 'event' }>;
type EventStep = Extract<AnyStep, { readonly do: 'event' }>;
type StoreReason = Extract<WriteResult, { readonly ok: false }>['reason'];

/** A step that was not done, with the store's reason or the admission's (`Invalid`, `Forbidden`). */
export interface StepProblem {
  readonly step: WriteStep;
  readonly reason: StoreReason | Refusal['reason'];
  readonly message: string;
}

/** What one call made of an object: the version that the write was based on, and the object as it is since. */
interface Written {
  readonly base: string | undefined;
  readonly object: AnyStored;
}

type Decided = Verdict | { readonly admitted: false; readonly reason: StoreReason; readonly message: string };

/**
 * How often a delete is decided on what is there now, when the object changed in between: it says which object goes,
 * not of which version.
 */
const DELETE_ROUNDS = 4;
/** How often writes are charged to their quotas anew, when somebody else booked in between. */
const BOOKING_ROUNDS = 16;
/** Refused writes that an error names: one pass may make thousands, and the error becomes a log line and an Event. */
const MOST_TOLD = 5;

/** Code `AdmissionRefused`. */
export class AdmissionRefusal extends TerminalError {
  /** Whether only new objects were refused, and everything else was done. */
  readonly isOfNew: boolean;
  readonly problems: readonly StepProblem[];

  constructor(message: string, problems: readonly StepProblem[]) {
    super('AdmissionRefused', message);
    this.problems = problems;
    this.isOfNew = problems.every(({ step }) => step.do === 'create');
  }
}

export class Writer {
  readonly #cache: StoreCache;
  readonly #recorder: EventRecorder;
  readonly #clock: Clock;

  constructor(options: WriterOptions) {
    this.#cache = options.cache;
    this.#recorder = options.recorder;
    this.#clock = options.clock;
  }

  /**
   * As {@link attempt}; throws when any write was refused, after the others were done and show in the cache, but for
   * what would be new in a namespace that goes, as its owner goes too: RetryableError `WriteConflict` where the next pass
   * decides on what is there then, {@link AdmissionRefusal} where the same steps would be refused again.
   */
  async submit(steps: readonly AnyStep[], by: Author, signal: AbortSignal): Promise<void> {
    const refused = await this.attempt(steps, by, signal);
    const problems = refused.filter(({ reason }) => reason !== 'NamespaceTerminating');
    if (problems.length === 0) return;
    const said = andMore(
      problems.map(({ message }) => message),
      MOST_TOLD,
      '; ',
    );
    if (problems.every(isRefusal)) throw new AdmissionRefusal(said, problems);
    throw new RetryableError('WriteConflict', `${said}: somebody else wrote in between; it is decided anew`);
  }

  /**
   * Does the steps in order and returns those that were refused. Writes go to the store in one round trip, except that
   * a second write to one object waits for the first and builds on its version (where the first was refused it is not
   * made), that others wait for what they are judged by, and that what a quota limits is booked in it before. What was
   * written shows in the cache when this returns. Deleting what is not there is no problem. An event is recorded, as of
   * `by`, unless the write in front of it was refused or not made. Throws what the store throws.
   */
  async attempt(steps: readonly AnyStep[], by: Author, signal: AbortSignal): Promise<readonly StepProblem[]> {
    const writing = write(steps, {
      by,
      view: this.#cache,
      now: () => this.#clock.now(),
      record: ({ regarding, type, reason, message }) => {
        this.#recorder.record({ regarding, type, reason, message, component: by });
      },
    });
    for (let turn = writing.next(); ;) {
      if (turn.done) return turn.value;
      if (turns.isOver) await turns.next();
      turn = writing.next(await this.#cache.write(turn.value, signal));
    }
  }
}

export interface Writing {
  readonly by: Author;
  /** Shows what was written before it is asked again. */
  readonly view: AdmissionView;
  now(): Date;
  record(event: EventStep): void;
}

/** Steps after which others may have their turn: of a pass that makes thousands of pods, all at once would be long. */
const PAUSE_AFTER = 50;

/**
 * What {@link Writer.attempt} does, without the store: yields writes, each time to different objects, and is to be
 * resumed with the results of all of them. None among much that is decided: others may go first there, as a write is for
 * the version that was decided on. For whoever keeps objects elsewhere.
 */
export function* write(
  steps: readonly AnyStep[],
  writing: Writing,
): Generator<readonly AnyWriteOp[], readonly StepProblem[], readonly WriteResult[]> {
  const problems: StepProblem[] = [];
  const written = new Map<AnyKey, Written>();
  const failed = new Set<AnyKey>();
  for (const batch of batches(steps)) {
    const follows = (step: WriteStep): boolean => failed.has(keyOfStep(step));
    const found = yield* writeBatch(
      batch.writes.filter((step) => !follows(step)),
      written,
      writing,
    );
    problems.push(...found);
    const left = new Set([...batch.writes.filter(follows), ...found.map(({ step }) => step)]);
    for (const { step } of found) failed.add(keyOfStep(step));
    for (const [index, one] of batch.events.entries()) {
      if (index % PAUSE_AFTER === PAUSE_AFTER - 1) yield [];
      if (!one.follows || !left.has(one.follows)) writing.record(one.event);
    }
  }
  return problems;
}

/** A step that admission let through, and what it asks of the store. */
interface PlannedWrite {
  readonly step: WriteStep;
  readonly op: AnyWriteOp;
}

/** Writes to different objects. */
function* writeBatch(
  steps: readonly WriteStep[],
  written: Map<AnyKey, Written>,
  writing: Writing,
): Generator<readonly AnyWriteOp[], StepProblem[], readonly WriteResult[]> {
  const problems: StepProblem[] = [];
  let left = steps;
  for (let round = 1, outbid = 0; left.length > 0; round += 1) {
    const planned: PlannedWrite[] = [];
    for (const [index, step] of left.entries()) {
      if (index % PAUSE_AFTER === PAUSE_AFTER - 1) yield [];
      const decided = decide(step, written, writing);
      if (!decided.admitted) problems.push({ step, reason: decided.reason, message: decided.message });
      else if (decided.write) planned.push({ step, op: decided.write });
    }
    const booked = yield* book(planned, writing);
    problems.push(...booked.problems);
    if (booked.outbid.length > 0 && ++outbid === BOOKING_ROUNDS) {
      problems.push(...booked.outbid);
      booked.outbid.length = 0;
    }
    const again: WriteStep[] = [...booked.later, ...booked.outbid.map(({ step }) => step)];
    const results = yield booked.open.map(({ op }) => op);
    for (const [index, { step, op }] of booked.open.entries()) {
      const result = results[index];
      if (!result) continue;
      if (result.ok) {
        if (op.op !== 'delete')
          written.set(keyOf(result.object), { base: op.object.metadata.resourceVersion, object: result.object });
      } else if (
        step.do === 'delete' &&
        result.reason === 'Conflict' &&
        round < DELETE_ROUNDS &&
        hasMoved(op, writing.view)
      ) {
        again.push(step);
      } else if (!isHarmless(op, result)) {
        problems.push({ step, reason: result.reason, message: result.message });
      }
    }
    left = again;
  }
  return problems;
}

interface Booked {
  /** Those that may be made. */
  readonly open: readonly PlannedWrite[];
  /** Those that wait until others are booked: a quota takes so many at a time. */
  readonly later: readonly WriteStep[];
  /** Those for which somebody else booked first. */
  readonly outbid: StepProblem[];
  readonly problems: readonly StepProblem[];
}

/** Books what the writes take of their quotas; no round trip where they take nothing. */
function* book(
  planned: readonly PlannedWrite[],
  writing: Writing,
): Generator<readonly AnyWriteOp[], Booked, readonly WriteResult[]> {
  const { by, view } = writing;
  const { charges, status } = chargeQuotas(
    planned.map(({ op }) => ({ op, old: op.op === 'update' ? objectAt(view, keyOf(op.object)) : undefined })),
    { by, view, now: writing.now() },
  );
  const quotas = [...new Set(charges.flatMap((charge) => (charge.is === 'booked' ? charge.quotas : [])))];
  const failed = new Map<AnyKey, Extract<WriteResult, { readonly ok: false }>>();
  if (quotas.length > 0) {
    const results = yield quotas.map((quota) => ({ op: 'updateStatus', object: { ...quota, status: status(quota) } }));
    for (const [index, quota] of quotas.entries()) {
      const result = results[index];
      if (result && !result.ok) failed.set(keyOf(quota), result);
    }
  }
  const open: PlannedWrite[] = [];
  const later: WriteStep[] = [];
  const outbid: StepProblem[] = [];
  const problems: StepProblem[] = [];
  for (const [index, one] of planned.entries()) {
    const charge = charges[index];
    const { step, op } = one;
    if (charge?.is === 'refused') {
      const what = op.op === 'delete' ? op.key : keyOf(op.object);
      problems.push({ step, reason: charge.reason, message: `${op.op} ${displayKey(what)}: ${charge.message}` });
    } else if (charge?.is === 'later') later.push(step);
    else {
      const lost = charge?.is === 'booked' ? charge.quotas.find((quota) => failed.has(keyOf(quota))) : undefined;
      const result = lost && failed.get(keyOf(lost));
      if (!lost || !result) open.push(one);
      else if (objectAt(view, keyOf(lost))?.metadata.resourceVersion !== lost.metadata.resourceVersion)
        outbid.push({ step, reason: result.reason, message: result.message });
      else problems.push({ step, reason: result.reason, message: result.message });
    }
  }
  return { open, later, outbid, problems };
}

function decide(step: WriteStep, written: ReadonlyMap<AnyKey, Written>, writing: Writing): Decided {
  const { by, view } = writing;
  const asked = { by, view, now: writing.now() };
  switch (step.do) {
    case 'create':
      return admit({ operation: 'create', object: step.object, ...asked });
    case 'update':
    case 'updateStatus': {
      const key = keyOf(step.object);
      const base = step.object.metadata.resourceVersion;
      const earlier = written.get(key);
      if (earlier?.base === base)
        return admit({
          operation: step.do,
          object: onVersion(step.object, earlier.object),
          old: earlier.object,
          ...asked,
        });
      const old = objectAt(view, key);
      if (old?.metadata.uid !== step.object.metadata.uid)
        return stale('NotFound', `${step.do} ${displayKey(key)}: there is no such object any more`);
      if (old.metadata.resourceVersion !== base)
        return stale(
          'Conflict',
          `${step.do} ${displayKey(key)}: made from resourceVersion ${base}, the object is at ${old.metadata.resourceVersion}`,
        );
      return admit({ operation: step.do, object: step.object, old, ...asked });
    }
    case 'delete': {
      const { key, uid, do: _delete, ...options } = step;
      const old = objectAt(view, key);
      if (!old) return { admitted: true, write: undefined };
      if (old.metadata.uid !== uid)
        return stale('Conflict', `delete ${displayKey(key)}: the object there is another one, ${old.metadata.uid}`);
      return admit({ operation: 'delete', old, ...options, ...asked });
    }
  }
}

/** The view has a newer version than the one that `op` was made for. */
function hasMoved(op: AnyWriteOp, view: AdmissionView): boolean {
  const [key, version] =
    op.op === 'delete' ? [op.key, op.resourceVersion] : [keyOf(op.object), op.object.metadata.resourceVersion];
  return objectAt(view, key)?.metadata.resourceVersion !== version;
}

interface Batch {
  readonly writes: WriteStep[];
  readonly events: { readonly event: EventStep; readonly follows: WriteStep | undefined }[];
}

function keyOfStep(step: WriteStep): AnyKey {
  return step.do === 'delete' ? step.key : keyOf(step.object);
}

/** What admission goes by when it looks at other objects: it has to show before they are decided. */
const RULES = [
  'Namespace',
  'ServiceAccount',
  'LimitRange',
  'ResourceQuota',
  'RuntimeClass',
] as const satisfies readonly Kind[];

/** Cuts the steps where an object is written for the second time, and behind what others are judged by. */
function batches(steps: readonly AnyStep[]): Batch[] {
  let current: Batch = { writes: [], events: [] };
  const all = [current];
  let keys = new Set<AnyKey>();
  let hasRules = false;
  let last: WriteStep | undefined;
  for (const step of steps) {
    if (step.do === 'event') {
      current.events.push({ event: step, follows: last });
      continue;
    }
    const key = keyOfStep(step);
    const isRule = !isCustomKey(key) && isKeyOf(key, ...RULES);
    if (keys.has(key) || (hasRules && !isRule)) {
      current = { writes: [], events: [] };
      all.push(current);
      keys = new Set();
      hasRules = false;
    }
    keys.add(key);
    hasRules ||= isRule;
    current.writes.push(step);
    last = step;
  }
  return all;
}

function onVersion(object: AnyStored, earlier: AnyStored): AnyStored {
  return {
    ...object,
    metadata: { ...object.metadata, uid: earlier.metadata.uid, resourceVersion: earlier.metadata.resourceVersion },
  };
}

function stale(reason: StoreReason, message: string): Decided {
  return { admitted: false, reason, message };
}

/** Somebody else removed it first. */
function isHarmless(op: AnyWriteOp, result: Extract<WriteResult, { ok: false }>): boolean {
  return op.op === 'delete' && result.reason === 'NotFound';
}

/** By a rule of admission: the same write would be refused again. */
export function isRefusal({ reason }: StepProblem): boolean {
  return reason === 'Invalid' || reason === 'Forbidden';
}
