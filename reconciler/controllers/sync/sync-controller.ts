/**
 * Makes the live state what the newest valid commit says. Works the `revisions` queue: key NAME looks at the branch and
 * syncs, key NAME#health looks whether what was applied is well. Level-triggered: each pass reads everything anew, and
 * may run twice.
 */
import {
  isCustom,
  keyOf,
  type AnyStored,
  type RevisionRecord,
  type SourceStatus,
} from '../../../contracts/objects/index.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import { usersOf } from '../../core/apps/other-sources.ts';
import { SOURCE_ANNOTATION } from '../../core/diff/index.ts';
import { equal } from '../../core/fields/json.ts';
import { movedTag, recordOf, withOutcome, withRemoved, withSeen } from '../../core/revisions/history.ts';
import { lacksKeys } from '../../core/revisions/parse-sealed.ts';
import { refusalMessage } from '../../core/revisions/refusal.ts';
import { withHealthy, withPins, withSynced, type SyncReason } from '../../core/revisions/source-status.ts';
import { followedWords } from '../../core/sources/follow.ts';
import type { BranchHead, Revision } from '../../ports/git-source.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { JobResult, QueueWorker } from '../../ports/work-queue.ts';
import { bestRendering, pinsOf } from './best-rendering.ts';
import { containedIn } from './ancestry.ts';
import { Applier } from './applier.ts';
import type { SyncDependencies } from './dependencies.ts';
import { HealthReports } from './health-reports.ts';
import { endedHooks } from './plan-live.ts';
import { fromGit, GitTrouble } from './git-trouble.ts';
import { rollBack, type RollbackOrder } from './requests.ts';
import { RevisionReader, type RenderedRevision } from './revision-reader.ts';
import { SourceRecord } from './source-record.ts';

const DEFAULT_POLL_SECONDS = 30;
type Seen = Extract<BranchHead, { readonly state: 'at' }>;

const HEALTH_SUFFIX = '#health';

export class SyncController {
  readonly #name: string;
  readonly #deps: SyncDependencies;
  readonly #reader: RevisionReader;
  readonly #record: SourceRecord;
  readonly #health: HealthReports;
  readonly #applier: Applier;
  #closing = new AbortController();
  #worker: QueueWorker | undefined;
  #watching: Promise<void> | undefined;
  #restartHints = new AbortController();
  #pollSeconds = DEFAULT_POLL_SECONDS;
  #healthAsked = false;
  /** Newest commit that this process has judged. */
  #judged: string | undefined;
  /** What asked for the last look at the branch, on the monotonic clock. */
  #noticed: { readonly by: NonNullable<RevisionRecord['noticed']>['by']; readonly at: number };
  #branchSeen: (() => void) | undefined;
  /** Commits of other repositories that a rendering was tried with, by source. */
  readonly #judgedSources = new Map<string, string | undefined>();
  #stopHearing: (() => void) | undefined;
  /**
   * Resolves when the branch was seen once and what it asks for is in the store (or was refused, and the last good
   * state is).
   */
  readonly firstSync: Promise<void>;

  constructor(sourceName: string, deps: SyncDependencies) {
    this.#name = sourceName;
    this.#noticed = { by: 'start', at: deps.clock.monotonic() };
    this.#deps = deps;
    this.#reader = new RevisionReader(deps.git, deps);
    this.#record = new SourceRecord(sourceName, deps);
    this.#health = new HealthReports(sourceName, deps);
    this.#applier = new Applier(sourceName, deps, {
      reader: this.#reader,
      record: this.#record,
      goOn: () => this.#ask(sourceName),
    });
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
    this.#stopHearing = this.#deps.otherSources?.onMoved(() => this.#ask(this.#name));
  }

  /** Ends the watch and waits for the pass that runs. */
  async close(graceMs?: number): Promise<void> {
    this.#closing.abort(new Error('the control plane is stopping'));
    this.#restartHints.abort();
    this.#stopHearing?.();
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
    if (ours && (type === 'delete' || specChanged(object, previous))) {
      this.#applier.wasWritten(keyOf(object));
      this.#ask(this.#name);
    }
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
      if (this.#deps.otherSources) this.#deps.otherSources.pollSeconds = this.#pollSeconds;
      using over = joinSignals(this.#closing.signal, this.#restartHints.signal);
      for await (const cause of this.#deps.git.hints(this.#pollSeconds, over.signal)) {
        this.#noticed = { by: cause, at: this.#deps.clock.monotonic() };
        if (cause === 'poll') this.#applier.lookAtAll();
        this.#ask(this.#name);
      }
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

  async #lookAtBranch(signal: AbortSignal): Promise<void> {
    const head = await fromGit(this.#deps, signal, (limited) => this.#deps.git.head(limited));
    if (head.state === 'unborn') {
      await this.#standStill(
        'BranchUnborn',
        `${followedWords(this.#deps.git.follows)} of ${this.#deps.git.url} has no commit yet: push one`,
        signal,
      );
    } else if (head.state === 'missing') {
      await this.#standStill(
        'BranchMissing',
        `${followedWords(this.#deps.git.follows)} of ${this.#deps.git.url} does not exist (any more); what was applied last goes on running`,
        signal,
      );
    } else {
      await this.#sync(head, signal);
    }
    this.#branchSeen?.();
  }

  /** The branch tells nothing new: what was applied last is kept as it was. */
  async #standStill(reason: SyncReason, message: string, signal: AbortSignal): Promise<void> {
    const before = this.#record.syncReason;
    await this.#record.write((status, now) => withSynced(status, reason, message, now), signal);
    if (before !== reason) await this.#record.tell('Warning', reason, message, signal);
    await this.#applier.heal(signal).catch((error: unknown) => {
      if (!(error instanceof GitTrouble)) throw error;
    });
  }

  async #sync({ revision, tag }: Seen, signal: AbortSignal): Promise<void> {
    this.#applier.newest(revision.sha);
    const { by, at: noticedAt } = this.#noticed;
    const status = this.#record.status;
    const record = status?.observedRevision === revision.sha ? recordOf(status, revision.sha) : undefined;
    const unfinished = record === undefined || record.outcome === 'Syncing' || record.outcome === 'Failed';
    if (!unfinished && (this.#judged === revision.sha || record.outcome !== 'Refused')) {
      const inForce = status?.appliedRevision === revision.sha;
      if (!inForce || !this.#sourcesMoved(status.sources)) {
        if (inForce) await this.#settle('Applied', `revision ${revision.sha} is applied`, signal);
        if (inForce) await this.#noteSources(status.sources, signal);
        await this.#applier.heal(signal);
        return;
      }
    }
    if (unfinished && record?.outcome !== 'Syncing' && this.#applier.paused !== revision.sha) {
      const moved = movedTag(status, tag, revision.sha);
      if (moved)
        await this.#record.tell(
          'Warning',
          'TagMoved',
          `tag ${moved.tag} was ${moved.revision.slice(0, 12)}, and is ${revision.sha.slice(0, 12)} now`,
          signal,
        );
      const onBranch = await this.#onBranch(status, revision, signal);
      const seenAs = { ...revision, ...(tag !== undefined && { tag }) };
      const seen = (s: SourceStatus, now: string): SourceStatus =>
        onBranch ? withRemoved(withSeen(s, seenAs, now, by), onBranch) : withSeen(s, seenAs, now, by);
      await this.#record.write(
        (s, now) => withSynced(seen(s, now), 'Syncing', `revision ${revision.sha} is being applied`, now),
        signal,
      );
    }
    const started = this.#deps.clock.monotonic();
    const best = await fromGit(this.#deps, signal, (limited) =>
      bestRendering(this.#reader, revision.sha, this.#record.status, this.#deps.view, limited),
    );
    const next = best.rendering;
    const errors = next.diagnostics.filter((d) => d.severity === 'error');
    // An identity that is put there later is found at the next look.
    this.#judged = lacksKeys(next) ? undefined : revision.sha;
    if (errors.length > 0) {
      await this.#refuse(revision, refusalMessage(errors), signal);
      await this.#applier.heal(signal);
      return;
    }
    const before = this.#record.status?.sources;
    let problems = best.problems;
    let made = next;
    let done = await this.#applier.apply(revision, next, { started, noticedAt, pins: pinsOf(next, problems) }, signal);
    if (typeof done === 'object' && best.settled !== next) {
      // What another repository brought is not allowed: it alone is held.
      const { refused } = done;
      problems = new Map([...problems, ...movedIn(next, best.settled).map((id) => [id, refused] as const)]);
      made = best.settled;
      done = await this.#applier.apply(revision, made, { started, noticedAt, pins: pinsOf(made, problems) }, signal);
    }
    for (const { id, commit } of best.newest) this.#judgedSources.set(id, commit);
    if (done === 'applied') {
      await this.#tellSources(before, signal);
      await this.#deps.otherSources?.keepOnly(this.#record.status?.sources ?? [], made.submodules);
      await this.#healthPass(signal);
      await this.#deps.execute(endedHooks(this.#deps.view, this.#name, made), `git:${this.#name}`, signal);
    } else if (done !== 'waiting') {
      await this.#refuse(revision, done.refused, signal);
      await this.#applier.heal(signal);
    }
  }

  /** Whether a source of the revision in force has a commit that was not judged yet. */
  #sourcesMoved(pins: SourceStatus['sources']): boolean {
    return (pins ?? []).some(({ id, commit }) => {
      const newest = this.#deps.otherSources?.newest(id);
      return newest !== undefined && newest !== commit && newest !== this.#judgedSources.get(id);
    });
  }

  /** Whether sources that are at their newest commit can be looked at. */
  async #noteSources(pins: SourceStatus['sources'], signal: AbortSignal): Promise<void> {
    const others = this.#deps.otherSources;
    if (!pins || !others) return;
    const now = pins.map(({ problem: before, ...pin }) => {
      const problem =
        pin.commit !== undefined && others.newest(pin.id) === pin.commit ? others.problem(pin.id) : before;
      return problem === undefined ? pin : { ...pin, problem };
    });
    if (equal(now, pins)) return;
    await this.#record.write((s) => withPins(s, now), signal);
    await this.#tellSources(pins, signal);
  }

  /** What became of other repositories, where that is news. */
  async #tellSources(before: SourceStatus['sources'], signal: AbortSignal): Promise<void> {
    const pins = this.#record.status?.sources ?? [];
    const known = new Map(before?.map((pin) => [pin.id, pin]));
    for (const { id, url, follows, commit, problem, ...pin } of pins) {
      const was = known.get(id);
      const of = `${usersOf(pin)}: ${pin.sets ? `${follows} at ${url}` : url}`;
      if (problem !== undefined && problem !== was?.problem)
        await this.#record.tell('Warning', 'SourceHeld', `${of}: ${problem}`, signal);
      else if (commit !== undefined && commit !== was?.commit)
        await this.#record.tell(
          'Normal',
          'SourceApplied',
          pin.sets ? `${of}: the newest list is in force` : `${of} is at ${commit.slice(0, 12)}`,
          signal,
        );
    }
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
      const found = await fromGit(this.#deps, signal, (limited) =>
        containedIn(this.#deps.git, revision.sha, recorded, status.observedRevision, limited),
      );
      return found === 'all' ? undefined : found;
    } catch (error) {
      // A history that cannot be read to its end holds nothing up.
      if (error instanceof GitTrouble) return undefined;
      throw error;
    }
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

  /** Whether what was applied is well; makes an `Applied` record `Healthy` once it is. */
  async #healthPass(signal: AbortSignal): Promise<void> {
    this.#healthAsked = false;
    if (this.#applier.paused !== undefined) this.#ask(this.#name);
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

/** Sources that are at other commits in one rendering than in the other. */
function movedIn(one: RenderedRevision, other: RenderedRevision): readonly string[] {
  const known = new Map(other.sources?.map(({ id, commit }) => [id, commit]));
  return (one.sources ?? []).filter(({ id, commit }) => known.get(id) !== commit).map(({ id }) => id);
}

function countsOf(status: SourceStatus, sha: string): { counts?: { create: number; update: number; delete: number } } {
  const counts = recordOf(status, sha)?.counts;
  return counts ? { counts } : {};
}
