/** The Source object: what is known of a branch and of what was made of it. */
import {
  findCondition,
  objectKey,
  OWN_API_VERSION,
  type Source,
  type SourceStatus,
  type StoredSource,
} from '../../../contracts/objects/index.ts';
import { RetryableError } from '../../core/errors.ts';
import { equal } from '../../core/fields/json.ts';
import type { Step } from '../../core/step.ts';
import { COMPONENT, type SyncDependencies } from './dependencies.ts';

/** How often a status is written anew when someone else wrote it meanwhile. */
const MAX_WRITES = 4;

export class SourceRecord {
  readonly #name: string;
  readonly #deps: Pick<SyncDependencies, 'git' | 'view' | 'execute' | 'clock'>;

  constructor(name: string, deps: Pick<SyncDependencies, 'git' | 'view' | 'execute' | 'clock'>) {
    this.#name = name;
    this.#deps = deps;
  }

  get status(): SourceStatus | undefined {
    return this.#source()?.status;
  }

  /** Reason of the condition `Synced`. */
  get syncReason(): string | undefined {
    return findCondition(this.status?.conditions, 'Synced')?.reason;
  }

  /**
   * Compare-and-set of the status; the Source is made first where it is not there yet. Throws RetryableError
   * `SyncConflict` where others keep writing it.
   */
  async write(change: (status: SourceStatus, now: string) => SourceStatus, signal: AbortSignal): Promise<void> {
    const now = this.#deps.clock.now().toISOString();
    for (let round = 1; round <= MAX_WRITES; round++) {
      const source = await this.#ensure(signal);
      const status = change(source.status ?? { history: [] }, now);
      if (JSON.stringify(status) === JSON.stringify(source.status)) return;
      const problems = await this.#deps.execute(
        [{ do: 'updateStatus', object: { ...source, status } }],
        COMPONENT,
        signal,
      );
      if (problems.length === 0) return;
    }
    throw new RetryableError(
      'SyncConflict',
      `the status of Source ${this.#name} could not be written: others write it too`,
    );
  }

  /** An Event of the Source, where it is there. */
  async tell(type: 'Normal' | 'Warning', reason: string, message: string, signal: AbortSignal): Promise<void> {
    const source = this.#source();
    if (source)
      await this.#deps.execute([{ do: 'event', regarding: source, type, reason, message }], COMPONENT, signal);
  }

  async #ensure(signal: AbortSignal): Promise<StoredSource> {
    const { git, execute } = this.#deps;
    const spec: Source['spec'] = { url: git.url, ...git.follows };
    const before = this.#source();
    if (before && equal(before.spec, spec)) return before;
    const step: Step = before
      ? { do: 'update', object: { ...before, spec } }
      : { do: 'create', object: { apiVersion: OWN_API_VERSION, kind: 'Source', metadata: { name: this.#name }, spec } };
    await execute([step], COMPONENT, signal);
    const made = this.#source();
    if (!made) throw new RetryableError('SyncConflict', `Source ${this.#name} is not there yet`);
    return made;
  }

  #source(): StoredSource | undefined {
    return this.#deps.view.get(objectKey('Source', undefined, this.#name));
  }
}
