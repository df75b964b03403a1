/** What the sync controller is given. */
import type { Author } from '../../core/admission/request.ts';
import type { AnyStep } from '../../core/step.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GitSource } from '../../ports/git-source.ts';
import type { RenderEngines } from '../../ports/render-engines.ts';
import type { WorkQueue } from '../../ports/work-queue.ts';
import type { Log } from '../../ports/log.ts';
import type { SecretDecryptor } from '../../ports/secret-decryptor.ts';
import type { OtherSources } from './other-sources.ts';
import type { StoreView } from '../runtime/controller.ts';
import type { StepProblem } from '../runtime/writer.ts';

/**
 * `Writer.attempt`: all steps in order; the view shows what was written when it resolves. Throws when the store
 * does not answer.
 */
export type ExecuteSteps = (
  steps: readonly AnyStep[],
  by: Author,
  signal: AbortSignal,
) => Promise<readonly StepProblem[]>;

export interface SyncDependencies {
  readonly git: GitSource;
  readonly view: StoreView;
  readonly execute: ExecuteSteps;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly log: Log;
  /** What hashes of ConfigMaps and Secrets are made with; without it none are made. */
  readonly configKey?: Uint8Array;
  /** Opens encrypted Secrets; without it ciphertext stands for them. */
  readonly decryptor?: SecretDecryptor;
  /** What Apps are rendered with; without them each App that needs an engine is an error. */
  readonly engines?: RenderEngines;
  /** Other repositories that Apps have their files from. */
  readonly otherSources?: OtherSources;
  /** Longest look into Git, in milliseconds; ten minutes when absent. */
  readonly gitLimitMs?: number;
}

/** Name in events (`source.component`). */
export const COMPONENT = 'sync-controller';
