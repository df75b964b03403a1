/**
 * Carries out plans: of a commit, as far as its order lets it, and of what somebody changed of the one in force. Between two
 * passes it knows what the commit waits for.
 */
import {
  displayKey,
  objectKey,
  type AnyKey,
  type AnyObject,
  type SourceStatus,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../../core/and-more.ts';
import { itemsInOrder, type Ordered, type Plan } from '../../core/diff/index.ts';
import { isTerminating } from '../../core/admission/namespace-lifecycle.ts';
import { RetryableError } from '../../core/errors.ts';
import { equal } from '../../core/fields/json.ts';
import { objectAt } from '../../core/kinds/custom.ts';
import type { Desired } from '../../core/manifests/index.ts';
import { type Outcome, recordOf, withOutcome, withReplaced } from '../../core/revisions/history.ts';
import { postMortem } from '../../core/revisions/post-mortem.ts';
import { refusalMessage } from '../../core/revisions/refusal.ts';
import { withKept, withPins, withSynced } from '../../core/revisions/source-status.ts';
import type { AnyStep } from '../../core/step.ts';
import { standing } from '../../ports/acknowledged.ts';
import type { Revision } from '../../ports/git-source.ts';
import type { StoreView } from '../runtime/controller.ts';
import { inSlices } from '../runtime/slices.ts';
import { unavailable } from './best-rendering.ts';
import { pinned } from './other-sources.ts';
import { COMPONENT, type SyncDependencies } from './dependencies.ts';
import { fromGit } from './git-trouble.ts';
import {
  driftSentences,
  endedHooks,
  orderLive,
  partOf,
  planDrift,
  planLive,
  standAlone,
  stepsOf,
} from './plan-live.ts';
import type { RevisionReader } from './revision-reader.ts';
import type { SourceRecord } from './source-record.ts';
import { withLiveValues } from './unopened-secrets.ts';

/** How often a plan is made anew when someone else wrote between plan and execution. */
const MAX_PLANS = 4;
/** Waves that one pass goes through: others have their turn, then it goes on. */
const MAX_TURNS = 50;
const SHOWN_PROBLEMS = 3;

export interface ApplierParts {
  readonly reader: RevisionReader;
  readonly record: SourceRecord;
  /** Asks for another pass, soon. */
  readonly goOn: () => void;
}

export class Applier {
  readonly #name: string;
  readonly #deps: SyncDependencies;
  readonly #reader: RevisionReader;
  readonly #record: SourceRecord;
  readonly #goOn: () => void;
  #paused: string | undefined;
  /**
   * What the revision in force has and could not make yet: one of that name, or its Namespace, is still being deleted. Of
   * what runs once it says that it has not; whatever else is missing is made anyhow.
   */
  #awaited: ReadonlySet<AnyKey> = new Set();
  /** Of this source's objects those that somebody wrote since the last {@link heal}. */
  #written: Set<AnyKey> | 'all' = 'all';

  constructor(sourceName: string, deps: SyncDependencies, { reader, record, goOn }: ApplierParts) {
    this.#name = sourceName;
    this.#deps = deps;
    this.#reader = reader;
    this.#record = record;
    this.#goOn = goOn;
  }

  /** The commit that is applied in part, and waits for what it has made. */
  get paused(): string | undefined {
    return this.#paused;
  }

  /** Somebody wrote, made or deleted an object of this source. */
  wasWritten(key: AnyKey): void {
    if (this.#written !== 'all') this.#written.add(key);
  }

  /** The next {@link heal} looks at all objects, whatever was heard of them. */
  lookAtAll(): void {
    this.#written = 'all';
  }

  /** Another commit is the newest: what waited for an earlier one waits no longer. */
  newest(sha: string): void {
    if (this.#paused !== sha) this.#paused = undefined;
  }

  /**
   * Carries out what may be now. The answer: it is in force, waits for what it has made, or would do what it may not,
   * with why. Both times are on the monotonic clock.
   */
  async apply(
    revision: Revision,
    desired: Desired,
    {
      started,
      noticedAt,
      pins,
    }: { readonly started: number; readonly noticedAt: number; readonly pins: SourceStatus['sources'] },
    signal: AbortSignal,
  ): Promise<'applied' | 'waiting' | { readonly refused: string }> {
    const inForce = this.#record.status?.appliedRevision;
    const applied = await fromGit(this.#deps, signal, (limited) =>
      this.#reader.applied(inForce, limited, this.#record.status?.sources),
    ).then((one) => this.#made(one));
    const end = postMortem(this.#deps.view, this.#name);
    const rebuilt = this.#isRebuilt();
    let counts = this.#paused === revision.sha ? recordOf(this.#record.status, revision.sha)?.counts : undefined;
    let { noticed } = recordOf(this.#record.status, revision.sha) ?? {};
    let kept: Plan['kept'] = [];
    for (let [round, turns] = [1, 1]; ;) {
      const { plan, refusals: found } = await inSlices(planLive(this.#deps.view, this.#name, applied, desired), signal);
      const refusals = await fromGit(this.#deps, signal, (limited) =>
        standing(found, this.#deps.git, { sha: revision.sha, inForce }, desired, limited),
      );
      if (refusals.length > 0 && counts === undefined) {
        return { refused: refusalMessage(refusals) };
      }
      counts ??= plan.counts;
      ({ kept } = plan);
      // What the nodes run has had its hooks.
      const ran = rebuilt ? { ...plan, hooks: [] } : plan;
      const order = orderLive(this.#deps.view, this.#name, revision.sha, ran, applied, desired);
      const steps = stepsOf(plan, order);
      const problems = await this.#deps.execute(steps, `git:${this.#name}`, signal);
      if (noticed && noticed.actedAfterMs === undefined && steps.length > 0)
        noticed = { ...noticed, actedAfterMs: Math.round(this.#deps.clock.monotonic() - noticedAt) };
      if (problems.length === 0) {
        const isPart = steps.length > 0 && order.items.length < itemsInOrder(plan).length + ran.hooks.length;
        if (isPart && turns++ < MAX_TURNS) continue;
        if (isPart) this.#goOn();
        else if (order.waiting.length === 0) break;
        await this.#pause(revision, order, { counts, ...(noticed && { noticed }) }, signal);
        return 'waiting';
      }
      if (round++ === MAX_PLANS) {
        const message = andMore(
          problems.map((p) => p.message),
          SHOWN_PROBLEMS,
          '; ',
        );
        await this.#record.write(
          (s, now) =>
            withSynced(withOutcome(s, revision.sha, { outcome: 'Failed', message }, now), 'ApplyFailed', message, now),
          signal,
        );
        const cause = problems.some(({ reason }) => reason === 'Conflict') ? 'others write the same objects: ' : '';
        throw new RetryableError('SyncConflict', `revision ${revision.sha} could not be applied: ${cause}${message}`);
      }
    }
    this.#paused = undefined;
    this.lookAtAll();
    const { view } = this.#deps;
    const before = new Map<AnyKey, { readonly written: unknown }>([...applied.state, ...applied.custom]);
    // What ends as it was applied has been there.
    const wanted = [...desired.state, ...desired.custom].filter(
      ([key, { object, written }]) => isEnding(key, object, view) && !equal(before.get(key)?.written, written),
    );
    this.#awaited = new Set(wanted.map(([key]) => key));
    const done = counts;
    const outcome: Outcome = rebuilt
      ? { outcome: 'Applied', message: 'was in force when the state was rebuilt' }
      : { outcome: 'Applied', counts: done, ...(noticed && { noticed }) };
    await this.#record.write(
      (s, now) =>
        withSynced(
          withPins(withKept(withOutcome(withReplaced(s, revision.sha, end), revision.sha, outcome, now), kept), pins),
          'Applied',
          `revision ${revision.sha} is applied`,
          now,
        ),
      signal,
    );
    const changes = rebuilt
      ? 'the state was rebuilt from it and the nodes'
      : `${done.create} created, ${done.update} updated, ${done.delete} deleted`;
    this.#deps.log.info('revision applied', {
      revision: revision.sha,
      ...done,
      ms: Math.round(this.#deps.clock.monotonic() - started),
    });
    await this.#record.tell(
      'Normal',
      'RevisionApplied',
      `${revision.sha.slice(0, 12)} ${firstLine(revision.message)}: ${changes}`,
      signal,
    );
    return 'applied';
  }

  /** What is left of the commit waits; a change of any object asks for another look. */
  async #pause(
    revision: Revision,
    { waiting, failed }: Ordered,
    soFar: Pick<Outcome, 'counts' | 'noticed'>,
    signal: AbortSignal,
  ): Promise<void> {
    this.#paused = revision.sha;
    const message = failed ?? andMore(waiting, SHOWN_PROBLEMS, '; ');
    const outcome: Outcome = { outcome: failed === undefined ? 'Syncing' : 'Failed', message, ...soFar };
    const before = recordOf(this.#record.status, revision.sha);
    if (before?.outcome === outcome.outcome && before.message === message) return;
    await this.#record.write(
      (s, now) =>
        withSynced(
          withOutcome(s, revision.sha, outcome, now),
          failed === undefined ? 'Syncing' : 'ApplyFailed',
          message,
          now,
        ),
      signal,
    );
    if (failed !== undefined)
      await this.#record.tell('Warning', 'SyncFailed', `${revision.sha.slice(0, 12)}: ${failed}`, signal);
  }

  /**
   * A store that has pods, and never had a revision, was filled from the nodes: what a plan makes anew there, it does
   * not change.
   */
  #isRebuilt(): boolean {
    return this.#record.status?.appliedRevision === undefined && this.#deps.view.list('Pod').length > 0;
  }

  /** What was applied without what is awaited. */
  #made(applied: Desired): Desired {
    const { state, custom } = applied;
    return { ...applied, state: without(state, this.#awaited), custom: without(custom, this.#awaited) };
  }

  /**
   * Puts back what somebody changed of the applied revision, and tells. It looks at what was written since the last time,
   * and at everything after {@link lookAtAll}, an error and another revision.
   */
  async heal(signal: AbortSignal): Promise<void> {
    const written = this.#written;
    this.#written = new Set();
    try {
      await this.#heal(written, signal);
    } catch (error) {
      this.lookAtAll();
      throw error;
    }
  }

  async #heal(written: ReadonlySet<AnyKey> | 'all', signal: AbortSignal): Promise<void> {
    const sha = this.#record.status?.appliedRevision;
    if (sha === undefined) return;
    const pins = this.#record.status?.sources;
    const read = await fromGit(this.#deps, signal, async (limited) => {
      const found = await this.#reader.applied(sha, limited, pins);
      // What cannot be read is not what has gone: nothing may be taken away for want of it.
      const missing = found.sources?.find(({ id, commit }) => commit === undefined && pinned(pins)(id) !== 'none');
      if (missing) throw unavailable(missing);
      return found;
    });
    const awaited = this.#awaited;
    const alone = written !== 'all' && awaited.size === 0 && standAlone(written, read);
    const applied = withLiveValues(alone ? partOf(read, written) : read, this.#deps.view);
    if (applied.state.size + applied.custom.size === 0) return;
    const plan = await inSlices(
      planDrift(this.#deps.view, this.#name, this.#made(applied), applied, alone ? 'named' : 'all'),
      signal,
    );
    if (!alone) await this.#record.write((s) => withKept(s, plan.kept), signal);
    const ended = endedHooks(this.#deps.view, this.#name, applied);
    if (ended.length > 0) await this.#deps.execute(ended, `git:${this.#name}`, signal);
    const items = itemsInOrder(plan);
    if (items.length === 0) return;
    const late = items.filter(({ action, key }) => action === 'create' && awaited.has(key));
    const drift = driftSentences(plan).filter(({ item }) => !late.includes(item));
    const problems = await this.#deps.execute(stepsOf(plan), `git:${this.#name}`, signal);
    if (problems.length > 0)
      throw new RetryableError(
        'SyncConflict',
        `drift could not be put back: ${andMore(
          problems.map((p) => p.message),
          SHOWN_PROBLEMS,
          '; ',
        )}`,
      );
    this.#awaited = new Set([...awaited].filter((key) => !late.some((item) => item.key === key)));
    for (const { item, message } of drift) this.#deps.log.warn(`live object ${message}`, { object: item.key });
    await this.#deps.execute(
      drift.map(({ item, message }): AnyStep => ({
        do: 'event',
        regarding: objectAt(this.#deps.view, item.key) ?? item.object,
        type: 'Warning',
        reason: 'DriftHealed',
        message: `${displayKey(item.key)} ${message}`,
      })),
      COMPONENT,
      signal,
    );
  }
}

/** The object of that key is being deleted, or all that is in its namespace is. */
function isEnding(key: AnyKey, { metadata: { namespace } }: AnyObject, view: StoreView): boolean {
  if (objectAt(view, key)?.metadata.deletionTimestamp !== undefined) return true;
  const home = namespace === undefined ? undefined : view.get(objectKey('Namespace', undefined, namespace));
  return home !== undefined && isTerminating(home);
}

function without<Key extends AnyKey, T>(map: ReadonlyMap<Key, T>, keys: ReadonlySet<AnyKey>): ReadonlyMap<Key, T> {
  return new Map([...map].filter(([key]) => !keys.has(key)));
}

function firstLine(message: string): string {
  return message.trimStart().split('\n', 1)[0] ?? '';
}
