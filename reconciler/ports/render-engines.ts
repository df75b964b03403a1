/** The programs that make manifests of an App's files, and what is kept of their work. */
import type { AppTools } from '../core/apps/engine.ts';

export interface RenderEngines {
  /**
   * Asks them until `signal` is aborted. A call sees its own files and nothing else: no network, no environment, no other
   * file; its time, memory and output are bounded. Throws RetryableError `EngineMissing` where a program is not there and
   * cannot be had, `SandboxMissing` where it cannot be held in.
   */
  tools(signal: AbortSignal): AppTools;
}
