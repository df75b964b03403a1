/** The network that this machine shares with its neighbours. */

export interface Neighbourhood {
  /**
   * Whether a machine answers at this address, by a connection to its sshd: a refusal is an answer. Resolves with false
   * when the signal aborts first; never rejects.
   */
  reaches(address: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Tells the neighbours at these devices, or at that of `own` where there are none, that `address` is this machine's.
   * `unsupported` where the machine has no program for it: they learn it when what they know grows old.
   */
  announce(
    address: string,
    devices: readonly string[],
    own: string,
    signal: AbortSignal,
  ): Promise<'done' | 'unsupported'>;
}
