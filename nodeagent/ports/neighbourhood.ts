/** The network that this machine shares with its neighbours. */

export interface Neighbourhood {
  /**
   * Whether a machine answers at this address: a refused connection is an answer. Costs no program of the other machine
   * anything, unless its firewall drops what is not for sshd. Resolves with false when the signal aborts first; never rejects.
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
