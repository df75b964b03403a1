/** The routing daemon that speaks BGP for this machine, as the loop needs it. The words of its configuration are core/bgp's. */
import type { SessionState } from '../core/bgp/render.ts';

export interface BgpDaemon {
  /** Undefined when the program is there; else what to do about it. */
  missing(signal: AbortSignal): Promise<string | undefined>;
  /**
   * Has the daemon take the configuration: started when none runs, else without a word to routers that it does not
   * change anything for. Undefined, or what the daemon says against it; then what was before goes on. A start is told
   * to the routers as one after a failure, so that those that keep routes for such a time do.
   */
  load(config: string, signal: AbortSignal): Promise<string | undefined>;
  /** By protocol; undefined when no daemon of ours answers. */
  sessions(signal: AbortSignal): Promise<ReadonlyMap<string, SessionState> | undefined>;
  /** Tells the routers that all is over, and ends the daemon. Nothing happens where none runs. */
  stop(signal: AbortSignal): Promise<void>;
}
