/** A probe over the network: its own time, and its caller's leave to stop asking. */
export interface Asking {
  readonly timeoutMs: number;
  /** Aborts when the time is over, or with the caller. */
  readonly deadline: AbortSignal;
  readonly caller: AbortSignal;
}
