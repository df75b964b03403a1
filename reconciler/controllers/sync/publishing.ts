/**
 * Writes back into the repository what became of its revisions, where the Cluster asks for it. Works a queue of its own, so
 * that a remote that is slow, away or refuses holds up no sync; what is written follows from what is there, so a pass may run
 * twice, and one that was lost is made up for by the next.
 */
import { findCondition, type AnyStored, type SourceStatus } from '../../../contracts/objects/index.ts';
import { errorText } from '../../../contracts/errors.ts';
import { unlessAborted } from '../../../contracts/signals.ts';
import { reasonOf } from '../../core/errors.ts';
import { equal } from '../../core/fields/json.ts';
import { shownText } from '../../core/revisions/history.ts';
import { NOTES_REF } from '../../core/revisions/outcome-note.ts';
import { withPublished, type PublishedState } from '../../core/revisions/source-status.ts';
import type { GitPublisher } from '../../ports/git-publisher.ts';
import type { JobResult, QueueWorker } from '../../ports/work-queue.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { SyncDependencies } from './dependencies.ts';
import { writeOutcomes } from './outcome-notes.ts';
import { SourceRecord } from './source-record.ts';

/** Outcomes that follow each other are written at once: most revisions are healthy soon after they are applied. */
const SETTLE_MS = 1000;
const PASS_LIMIT_MS = 2 * 60_000;
/** A remote that refuses has to be changed by somebody. */
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 15 * 60_000;
/** Characters of what a remote says. */
const MAX_WORDS = 500;

export interface PublishingDependencies extends Pick<
  SyncDependencies,
  'git' | 'view' | 'execute' | 'queue' | 'clock' | 'log'
> {
  readonly publisher: GitPublisher;
  /** From an outcome to its note, in milliseconds; a second when absent. */
  readonly settleMs?: number;
}

export class Publishing {
  readonly #name: string;
  readonly #deps: PublishingDependencies;
  readonly #record: SourceRecord;
  #worker: QueueWorker | undefined;
  #failures = 0;

  constructor(sourceName: string, deps: PublishingDependencies) {
    this.#name = sourceName;
    this.#deps = deps;
    this.#record = new SourceRecord(sourceName, deps);
  }

  /** Begins with a pass: who did this before may have left something. */
  start(): void {
    this.#worker = this.#deps.queue.work('publishing', 1, (_key, signal) => this.#pass(signal));
    this.#ask();
  }

  async close(graceMs?: number): Promise<void> {
    await this.#worker?.close(graceMs);
  }

  /** A ChangeListener of the cache. Cheap: it only asks for passes. */
  changed(object: AnyStored, previous: AnyStored | undefined): void {
    const asks =
      object.kind === 'Cluster'
        ? object.metadata.generation !== previous?.metadata.generation
        : object.kind === 'Source' &&
          object.metadata.name === this.#name &&
          !equal(historyOf(object), historyOf(previous));
    if (asks) this.#ask();
  }

  #ask(): void {
    const { queue, log, settleMs = SETTLE_MS } = this.#deps;
    queue.addAfter('publishing', this.#name, settleMs).catch((error: unknown) => {
      log.debug('could not ask for outcomes to be written', { error: errorText(error) });
    });
  }

  async #pass(signal: AbortSignal): Promise<JobResult> {
    const { view, publisher, clock, log } = this.#deps;
    const { status } = this.#record;
    if (!status) return {};
    if (clusterSettings(view).publish?.outcomes !== true) {
      this.#failures = 0;
      await this.#say(undefined, signal);
      return {};
    }
    try {
      using limit = clock.deadline(PASS_LIMIT_MS, signal);
      const now = (): Date => clock.now();
      await unlessAborted(
        limit.signal,
        writeOutcomes(publisher, status, { sourceName: this.#name, now }, limit.signal),
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#failures += 1;
      const words = shownText(errorText(error)).trim();
      const shown = words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS - 1)}…` : words;
      const problem = `outcomes are not written to ${NOTES_REF} of ${publisher.url}: ${shown}; let the control plane write that ref, or take publish.outcomes out of the Cluster`;
      log.warn('outcomes are not written', { error: shown, failures: this.#failures });
      await this.#say({ reason: reasonOf(error), problem }, signal);
      return { requeueAfterMs: Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 10)) };
    }
    this.#failures = 0;
    await this.#say({ done: `outcomes are written to ${NOTES_REF}` }, signal);
    return {};
  }

  /** The condition, and an Event where something is newly wrong. */
  async #say(state: PublishedState | undefined, signal: AbortSignal): Promise<void> {
    const before = findCondition(this.#record.status?.conditions, 'Published');
    if (state === undefined && before === undefined) return;
    await this.#record.write((status, now) => withPublished(status, state, now), signal);
    if (state && 'problem' in state && (before?.reason !== state.reason || before.status !== 'False'))
      await this.#record.tell('Warning', 'PublishFailed', state.problem, signal);
  }
}

function historyOf(object: AnyStored | undefined): SourceStatus['history'] {
  return object?.kind === 'Source' ? ((object as { readonly status?: SourceStatus }).status?.history ?? []) : [];
}
