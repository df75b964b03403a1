/**
 * Makes the live state what the newest valid commit says. Works the `revisions` queue: key NAME looks at the branch and
 * syncs, key NAME#health looks whether what was applied is well. Level-triggered: each pass reads everything anew, and
 * may run twice.
 */
import {
  displayKey,
  isCustom,
  objectKey,
  type AnyKey,
  type AnyObject,
  type AnyStored,
  type SourceStatus,
} from '../../../contracts/objects/index.ts';
import { joinSignals, unlessAborted } from '../../../contracts/signals.ts';
import { andMore } from '../../core/and-more.ts';
import { itemsInOrder, SOURCE_ANNOTATION } from '../../core/diff/index.ts';
import { isTerminating } from '../../core/admission/namespace-lifecycle.ts';
import { RetryableError } from '../../core/errors.ts';
import { equal } from '../../core/fields/json.ts';
import { objectAt } from '../../core/kinds/custom.ts';
import type { Desired } from '../../core/manifests/index.ts';
import {
  type Outcome,
  recordOf,
  withOutcome,
  withRemoved,
  withReplaced,
  withSeen,
} from '../../core/revisions/history.ts';
import { postMortem } from '../../core/revisions/post-mortem.ts';
import { RESTORED_WITHIN, unlessRestored } from '../../core/revisions/prune-guard.ts';
import { refusalMessage } from '../../core/revisions/refusal.ts';
import { withHealthy, withSynced, type SyncReason } from '../../core/revisions/source-status.ts';
import type { AnyStep } from '../../core/step.ts';
import type { Revision } from '../../ports/git-source.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { JobResult, QueueWorker } from '../../ports/work-queue.ts';
import type { StoreView } from '../runtime/controller.ts';
import { containedIn } from './ancestry.ts';
import { COMPONENT, type SyncDependencies } from './dependencies.ts';
import { HealthReports } from './health-reports.ts';
import { driftSentences, planLive, stepsOf } from './plan-live.ts';
import { GitTrouble } from './git-trouble.ts';
import { rollBack, type RollbackOrder } from './requests.ts';
import { RevisionReader } from './revision-reader.ts';
import { SourceRecord } from './source-record.ts';

const DEFAULT_POLL_SECONDS = 30;
/** How often a plan is made anew when someone else wrote between plan and execution. */
const MAX_PLANS = 4;
const SHOWN_PROBLEMS = 3;
const HEALTH_SUFFIX = '#health';
/** A first fetch over a slow line is the longest look there is. */
const GIT_LIMIT_MS = 10 * 60_000;

export class SyncController {
  readonly #name: string;
  readonly #deps: SyncDependencies;
  readonly #reader: RevisionReader;
  readonly #record: SourceRecord;
  readonly #health: HealthReports;
  #closing = new AbortController();
  #worker: QueueWorker | undefined;
  #watching: Promise<void> | undefined;
  #restartHints = new AbortController();
  #pollSeconds = DEFAULT_POLL_SECONDS;
  #healthAsked = false;
  /** Newest commit that this process has judged. */
  #judged: string | undefined;
  #branchSeen: (() => void) | undefined;
  /**
   * What the revision in force has and could not make yet: one of that name, or its Namespace, is still being deleted. Of
   * what runs once it says that it has not; whatever else is missing is made anyhow.
   */
  #awaited: ReadonlySet<AnyKey> = new Set();
  /**
   * Resolves when the branch was seen once and what it asks for is in the store (or was refused, and the last good
   * state is).
   */
  readonly firstSync: Promise<void>;

  constructor(sourceName: string, deps: SyncDependencies) {
    this.#name = sourceName;
    this.#deps = deps;
    this.#reader = new RevisionReader(deps.git, deps.configKey);
    this.#record = new SourceRecord(sourceName, deps);
    this.#health = new HealthReports(sourceName, deps);
    this.firstSync = new Promise((resolve) => {
      this.#branchSeen = resolve;
    });
  }

  get reader(): RevisionReader {
    return this.#reader;
  }

  /** Begins to work the queue and to watch the branch, after recovery; anew after {@link close}. */
  start(): void {
    this.#closing = new AbortController();
    this.#healthAsked = false;
    this.#pollSeconds = this.#clusterPollSeconds();
    this.#worker = this.#deps.queue.work('revisions', 1, (key, signal) => this.#work(key, signal));
    this.#watching = this.#watchBranch();
  }

  /** Ends the watch and waits for the pass that runs. */
  async close(graceMs?: number): Promise<void> {
    this.#closing.abort(new Error('the control plane is stopping'));
    this.#restartHints.abort();
    await Promise.all([this.#watching, this.#worker?.close(graceMs)]);
  }

  /** As {@link rollBack}; the commit is followed at once, also where the branch is only polled. */
  async rollBack(order: RollbackOrder, signal: AbortSignal): ReturnType<typeof rollBack> {
    const { git, view } = this.#deps;
    const made = await rollBack(this.#reader, git, view, this.#name, order, signal);
    this.#ask(this.#name);
    return made;
  }

  /** A ChangeListener of the cache, for objects of all kinds. Cheap: it only asks for passes. */
  changed(type: ChangeEvent['type'], object: AnyStored, previous: AnyStored | undefined): void {
    if (!isCustom(object) && (object.kind === 'Event' || object.kind === 'Source')) return;
    if (!isCustom(object) && object.kind === 'Cluster' && this.#clusterPollSeconds() !== this.#pollSeconds)
      this.#restartHints.abort();
    const ours =
      (object.metadata.annotations?.[SOURCE_ANNOTATION] ?? previous?.metadata.annotations?.[SOURCE_ANNOTATION]) ===
      this.#name;
    if (ours && (type === 'delete' || specChanged(object, previous))) this.#ask(this.#name);
    this.#askHealth();
  }

  #ask(key: string): void {
    this.#deps.queue.add('revisions', key).catch((error: unknown) => this.#warn(error, 'could not ask for a sync'));
  }

  #askHealth(): void {
    if (this.#healthAsked) return;
    this.#healthAsked = true;
    this.#deps.queue
      .addAfter('revisions', this.#name + HEALTH_SUFFIX, this.#health.settleMs)
      .catch((error: unknown) => {
        this.#healthAsked = false;
        this.#warn(error, 'could not ask for a look at health');
      });
  }

  #clusterPollSeconds(): number {
    return this.#deps.view.list('Cluster')[0]?.spec.sync.pollSeconds ?? DEFAULT_POLL_SECONDS;
  }

  async #watchBranch(): Promise<void> {
    this.#ask(this.#name);
    while (!this.#closing.signal.aborted) {
      this.#restartHints = new AbortController();
      this.#pollSeconds = this.#clusterPollSeconds();
      using over = joinSignals(this.#closing.signal, this.#restartHints.signal);
      for await (const _ of this.#deps.git.hints(this.#pollSeconds, over.signal)) this.#ask(this.#name);
    }
  }

  async #work(key: string, signal: AbortSignal): Promise<JobResult> {
    if (key === this.#name) return this.#pass(signal);
    if (key === this.#name + HEALTH_SUFFIX) await this.#healthPass(signal);
    return {};
  }

  /** One look at the branch. Where Git cannot be read, that is told, and the pass is made again. */
  async #pass(signal: AbortSignal): Promise<JobResult> {
    try {
      await this.#lookAtBranch(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof GitTrouble)) throw error;
      await this.#standStill(error.reason, error.message, signal);
      if (error.retry) throw error.failure;
    }
    return {};
  }

  /** Every look into Git goes through here: it ends in time, and its failure is told from one of the store. */
  async #fromGit<T>(signal: AbortSignal, look: (limited: AbortSignal) => Promise<T>): Promise<T> {
    const ms = this.#deps.gitLimitMs ?? GIT_LIMIT_MS;
    using limit = this.#deps.clock.deadline(ms, signal);
    try {
      return await unlessAborted(limit.signal, look(limit.signal));
    } catch (error) {
      signal.throwIfAborted();
      throw new GitTrouble(
        limit.signal.aborted
          ? new RetryableError('GitTimeout', `looking at ${this.#deps.git.url} took more than ${ms / 1000} s`, {
              cause: error,
            })
          : error,
      );
    }
  }

  async #lookAtBranch(signal: AbortSignal): Promise<void> {
    const head = await this.#fromGit(signal, (limited) => this.#deps.git.head(limited));
    if (head.state === 'unborn') {
      await this.#standStill(
        'BranchUnborn',
        `branch ${this.#deps.git.branch} of ${this.#deps.git.url} has no commit yet: push one`,
        signal,
      );
    } else if (head.state === 'missing') {
      await this.#standStill(
        'BranchMissing',
        `branch ${this.#deps.git.branch} of ${this.#deps.git.url} does not exist (any more); what was applied last goes on running`,
        signal,
      );
    } else {
      await this.#sync(head.revision, signal);
    }
    this.#branchSeen?.();
  }

  /** The branch tells nothing new: what was applied last is kept as it was. */
  async #standStill(reason: SyncReason, message: string, signal: AbortSignal): Promise<void> {
    const before = this.#record.syncReason;
    await this.#record.write((status, now) => withSynced(status, reason, message, now), signal);
    if (before !== reason) await this.#record.tell('Warning', reason, message, signal);
    await this.#heal(signal).catch((error: unknown) => {
      if (!(error instanceof GitTrouble)) throw error;
    });
  }

  async #sync(revision: Revision, signal: AbortSignal): Promise<void> {
    const status = this.#record.status;
    const record = status?.observedRevision === revision.sha ? recordOf(status, revision.sha) : undefined;
    const unfinished = record === undefined || record.outcome === 'Syncing' || record.outcome === 'Failed';
    if (!unfinished && (this.#judged === revision.sha || record.outcome !== 'Refused')) {
      const inForce = status?.appliedRevision === revision.sha;
      if (inForce) await this.#settle('Applied', `revision ${revision.sha} is applied`, signal);
      await this.#heal(signal);
      return;
    }
    if (unfinished && record?.outcome !== 'Syncing') {
      const onBranch = await this.#onBranch(status, revision, signal);
      const seen = (s: SourceStatus, now: string): SourceStatus =>
        onBranch ? withRemoved(withSeen(s, revision, now), onBranch) : withSeen(s, revision, now);
      await this.#record.write(
        (s, now) => withSynced(seen(s, now), 'Syncing', `revision ${revision.sha} is being applied`, now),
        signal,
      );
    }
    const started = this.#deps.clock.monotonic();
    const next = await this.#fromGit(signal, (limited) => this.#reader.read(revision.sha, limited));
    const errors = next.diagnostics.filter((d) => d.severity === 'error');
    this.#judged = revision.sha;
    if (errors.length > 0) {
      await this.#refuse(revision, refusalMessage(errors), signal);
      await this.#heal(signal);
      return;
    }
    await this.#apply(revision, next, started, signal);
  }

  /**
   * The recorded commits that are on the branch, where one that was is no longer; undefined where nothing was taken
   * away.
   */
  async #onBranch(
    status: SourceStatus | undefined,
    revision: Revision,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string> | undefined> {
    if (status?.observedRevision === undefined) return undefined;
    const recorded = new Set([revision.sha, ...status.history.map((r) => r.revision)]);
    try {
      const found = await this.#fromGit(signal, (limited) =>
        containedIn(this.#deps.git, revision.sha, recorded, status.observedRevision, limited),
      );
      return found === 'all' ? undefined : found;
    } catch (error) {
      // A history that cannot be read to its end holds nothing up.
      if (error instanceof GitTrouble) return undefined;
      throw error;
    }
  }

  async #apply(revision: Revision, desired: Desired, started: number, signal: AbortSignal): Promise<void> {
    const applied = await this.#fromGit(signal, (limited) =>
      this.#reader.applied(this.#record.status?.appliedRevision, limited),
    ).then((one) => this.#made(one));
    const end = postMortem(this.#deps.view, this.#name);
    const rebuilt = this.#isRebuilt();
    let counts: { create: number; update: number; delete: number } | undefined;
    for (let round = 1; ; round++) {
      const { plan, refusals: found } = planLive(this.#deps.view, this.#name, applied, desired);
      const refusals =
        found.length === 0
          ? found
          : unlessRestored(
              found,
              await this.#fromGit(signal, (limited) => this.#deps.git.log(revision.sha, RESTORED_WITHIN, limited)),
              desired,
            );
      if (refusals.length > 0 && counts === undefined) {
        await this.#refuse(revision, refusalMessage(refusals), signal);
        await this.#heal(signal);
        return;
      }
      counts ??= plan.counts;
      const problems = await this.#deps.execute(stepsOf(plan), `git:${this.#name}`, signal);
      if (problems.length === 0) break;
      if (round === MAX_PLANS) {
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
      : { outcome: 'Applied', counts: done };
    await this.#record.write(
      (s, now) =>
        withSynced(
          withOutcome(withReplaced(s, revision.sha, end), revision.sha, outcome, now),
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
    await this.#healthPass(signal);
  }

  /**
   * A store that has pods, and never had a revision, was filled from the nodes: what a plan makes anew there, it does
   * not change.
   */
  #isRebuilt(): boolean {
    return this.#record.status?.appliedRevision === undefined && this.#deps.view.list('Pod').length > 0;
  }

  async #refuse(revision: Revision, message: string, signal: AbortSignal): Promise<void> {
    const known = recordOf(this.#record.status, revision.sha);
    const kept = this.#record.status?.appliedRevision;
    const staying = kept === undefined ? '' : `\nrevision ${kept.slice(0, 12)} stays in force`;
    await this.#record.write(
      (s, now) =>
        withSynced(
          withOutcome(s, revision.sha, { outcome: 'Refused', message }, now),
          'Refused',
          `${message}${staying}`,
          now,
        ),
      signal,
    );
    if (known?.outcome === 'Refused' && known.message === message) return;
    this.#deps.log.warn('revision refused', { revision: revision.sha });
    await this.#record.tell('Warning', 'RevisionRefused', `${revision.sha.slice(0, 12)}: ${message}`, signal);
  }

  /** What was applied without what is awaited. */
  #made(applied: Desired): Desired {
    const { state, custom } = applied;
    return { ...applied, state: without(state, this.#awaited), custom: without(custom, this.#awaited) };
  }

  /** Puts back what somebody changed of the applied revision, and tells. */
  async #heal(signal: AbortSignal): Promise<void> {
    const sha = this.#record.status?.appliedRevision;
    if (sha === undefined) return;
    const applied = await this.#fromGit(signal, (limited) => this.#reader.applied(sha, limited));
    if (applied.state.size + applied.custom.size === 0) return;
    const awaited = this.#awaited;
    const { plan } = planLive(this.#deps.view, this.#name, this.#made(applied), applied);
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

  /** Whether what was applied is well; makes an `Applied` record `Healthy` once it is. */
  async #healthPass(signal: AbortSignal): Promise<void> {
    this.#healthAsked = false;
    const sha = this.#record.status?.appliedRevision;
    if (sha === undefined) return;
    const reports = await this.#health.read(signal);
    const healthy = reports.every((r) => r.health === 'Healthy');
    const turns = healthy && recordOf(this.#record.status, sha)?.outcome === 'Applied';
    await this.#record.write(
      (s, now) =>
        withHealthy(turns ? withOutcome(s, sha, { outcome: 'Healthy', ...countsOf(s, sha) }, now) : s, reports, now),
      signal,
    );
    if (turns)
      await this.#record.tell(
        'Normal',
        'RevisionHealthy',
        `${sha.slice(0, 12)}: all ${reports.length} objects are healthy`,
        signal,
      );
  }

  async #settle(reason: SyncReason, message: string, signal: AbortSignal): Promise<void> {
    if (this.#record.syncReason !== reason)
      await this.#record.write((s, now) => withSynced(s, reason, message, now), signal);
  }

  #warn(error: unknown, message: string): void {
    if (!this.#closing.signal.aborted) this.#deps.log.warn(message, { error: String(error) });
  }
}

/** Whether anything but the status changed. */
function specChanged(object: AnyStored, previous: AnyStored | undefined): boolean {
  if (!previous) return true;
  const told = ({ metadata: { uid, generation, labels, annotations } }: AnyStored): string =>
    JSON.stringify([uid, generation, labels, annotations]);
  return told(object) !== told(previous);
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

function countsOf(status: SourceStatus, sha: string): { counts?: { create: number; update: number; delete: number } } {
  const counts = recordOf(status, sha)?.counts;
  return counts ? { counts } : {};
}

function firstLine(message: string): string {
  return message.trimStart().split('\n', 1)[0] ?? '';
}
