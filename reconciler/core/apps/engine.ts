/** How an engine is asked, and what it answers. Reconciler/ports/render-engine.ts is the way to the real ones. */

import type { ChartSource } from '../../../contracts/objects/index.ts';
import type { SourceAuth } from './other-sources.ts';

export type EngineName = 'kustomize' | 'helm';

/** Where the files of a call are for the engine; its arguments name them there. */
export const CALL_ROOT = '/tree';

export interface CallFile {
  /** Below {@link CALL_ROOT}; without `.`, `..` and empty parts. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface EngineCall {
  readonly engine: EngineName;
  readonly args: readonly string[];
  readonly files: readonly CallFile[];
}

export type EngineAnswer =
  | { readonly ok: true; readonly output: Uint8Array }
  /**
   * `refused`: its own words, bounded; `timeout`, `output`: over the bounds of a call; `crashed`: it ended without words,
   * or for want of memory.
   */
  | { readonly ok: false; readonly reason: 'refused' | 'timeout' | 'output' | 'crashed'; readonly message: string };

/** `id`: SHA-256 of the archive. `mismatch`: what came is not what was named. `locked`: nobody here has the password. */
export type ChartAnswer =
  | { readonly ok: true; readonly archive: Uint8Array; readonly id: string }
  | { readonly ok: false; readonly reason: 'mismatch' | 'locked'; readonly message: string };

/** What rendering needs from outside. All are free to fail; then nothing is rendered. */
export interface AppTools {
  /** Changes with everything about the engine that may change what it makes of the same files. */
  identity(engine: EngineName): Promise<string>;
  run(call: EngineCall): Promise<EngineAnswer>;
  /** A chart from elsewhere. It is fetched once, with `auth` where the repository asks for a password. */
  chart(source: ChartSource, namespace: string, auth?: SourceAuth): Promise<ChartAnswer>;
  /** What was kept under the key, as it was kept; undefined where it is not there, or damaged. */
  kept(key: string): Promise<Uint8Array | undefined>;
  /** A failure to keep something is no failure. */
  keep(key: string, value: Uint8Array): Promise<void>;
}
