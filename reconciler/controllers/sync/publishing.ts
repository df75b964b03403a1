/**
 * Writes back into the repository what became of its revisions, where the Cluster asks for it. Works a queue of its own, so
 * that a remote that is slow, away or refuses holds up no sync; what is written follows from what is there, so a pass may run
 * twice, and one that was lost is made up for by the next.
 */
import { findCondition, isCustom, type AnyStored, type SourceStatus } from '../../../contracts/objects/index.ts';
import { errorText } from '../../../contracts/errors.ts';
import { unlessAborted } from '../../../contracts/signals.ts';
import { reasonOf } from '../../core/errors.ts';
import { equal } from '../../core/fields/json.ts';
import { shownText } from '../../core/revisions/history.ts';
import { NOTES_REF } from '../../core/revisions/outcome-note.ts';
import { RenderedTree } from '../../core/revisions/rendered-tree.ts';
import { withPublished, type PublishedState } from '../../core/revisions/source-status.ts';
import type { GitPublisher } from '../../ports/git-publisher.ts';
import type { JobResult, QueueWorker } from '../../ports/work-queue.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { SyncDependencies } from './dependencies.ts';
import { writeOutcomes } from './outcome-notes.ts';
import { writeRendered } from './rendered-branch.ts';
import type { RevisionReader } from './revision-reader.ts';
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
  /** Renders what is in force. */
  readonly reader: RevisionReader;
  /** What stands for values of Secrets is made with it; without it nothing tells two of them apart. */
  readonly configKey?: Uint8Array;
  /** From an outcome to its note, in milliseconds; a second when absent. */
  readonly settleMs?: number;
}

interface Wanted {
  readonly what: string;
  /** Of the Cluster's spec. */
  readonly field: string;
  readonly write: (signal: AbortSignal) => Promise<void>;
}

export class Publishing {
  readonly #name: string;
  readonly #deps: PublishingDependencies;
  readonly #record: SourceRecord;
  readonly #tree: RenderedTree;
  #worker: QueueWorker | undefined;
  #failures = 0;

  constructor(sourceName: string, deps: PublishingDependencies) {
    this.#name = sourceName;
    this.#deps = deps;
    this.#record = new SourceRecord(sourceName, deps);
    this.#tree = new RenderedTree(deps.configKey);
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
        : object.kind === 'Source' && object.metadata.name === this.#name && !equal(toldOf(object), toldOf(previous));
    if (asks) this.#ask();
  }

  #ask(): void {
    const { queue, log, settleMs = SETTLE_MS } = this.#deps;
    queue.addAfter('publishing', this.#name, settleMs).catch((error: unknown) => {
      log.debug('could not ask for outcomes to be written', { error: errorText(error) });
    });
  }

  async #pass(signal: AbortSignal): Promise<JobResult> {
    const { log } = this.#deps;
    const { status } = this.#record;
    if (!status) return {};
    const wanted = this.#wanted(status);
    const problems: { readonly reason: string; readonly problem: string }[] = [];
    for (const { what, field, write } of wanted) {
      const error = await this.#failureOf(write, signal);
      if (error === undefined) continue;
      const words = shownText(errorText(error)).trim();
      const shown = words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS - 1)}…` : words;
      log.warn('the repository is not written to', { what, error: shown, failures: this.#failures + 1 });
      const problem = `${what}: not written: ${shown}; let the control plane write that, or take ${field} out of the Cluster`;
      problems.push({ reason: reasonOf(error), problem });
    }
    const [first] = problems;
    if (!first) {
      this.#failures = 0;
      const done = wanted.map(({ what }) => what).join(', ');
      await this.#say(wanted.length === 0 ? undefined : { done: `written: ${done}` }, signal);
      return {};
    }
    this.#failures += 1;
    await this.#say({ reason: first.reason, problem: problems.map(({ problem }) => problem).join('; ') }, signal);
    return { requeueAfterMs: Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 10)) };
  }

  /** What the Cluster asks for. */
  #wanted(status: SourceStatus): readonly Wanted[] {
    const { view, publisher, clock, reader } = this.#deps;
    const { outcomes = false, rendered } = clusterSettings(view).publish ?? {};
    const sourceName = this.#name;
    const now = (): Date => clock.now();
    const notes: Wanted = {
      what: `outcomes to ${NOTES_REF}`,
      field: 'publish.outcomes',
      write: (signal) => writeOutcomes(publisher, status, { sourceName, now }, signal),
    };
    if (!rendered) return outcomes ? [notes] : [];
    const { branch } = rendered;
    const objects: Wanted = {
      what: `objects to branch ${branch}`,
      field: 'publish.rendered',
      write: (signal) =>
        writeRendered(publisher, status, { branch, sourceName, reader, tree: this.#tree, now }, signal),
    };
    return outcomes ? [notes, objects] : [objects];
  }

  /** Undefined where it was written. */
  async #failureOf(write: Wanted['write'], signal: AbortSignal): Promise<unknown> {
    try {
      using limit = this.#deps.clock.deadline(PASS_LIMIT_MS, signal);
      await unlessAborted(limit.signal, write(limit.signal));
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return error;
    }
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

/** What of a Source is written about. */
function toldOf(object: AnyStored | undefined): unknown {
  if (object?.kind !== 'Source' || isCustom(object)) return undefined;
  const { history, appliedRevision, sources } = object.status ?? {};
  return [history, appliedRevision, sources?.map(({ id, commit }) => [id, commit])];
}
