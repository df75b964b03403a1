/**
 * Who does what where several control planes share a store. A *member* is one control plane; a *lease* is a name that
 * at most one member holds. Leases are the store's: they vanish with its incarnation, and what a member may write hangs
 * on them.
 */

/** What a member tells of its nodes: those of these shards send to no endpoint that was withdrawn up to that version. */
export interface LetGo {
  /** A version of the store; 0 while nothing is known. */
  readonly upTo: number;
  readonly shards: readonly number[];
}

export interface Member {
  /** Names the membership; never used twice within an incarnation of the store. */
  readonly id: string;
  /** Where it runs, for people. */
  readonly label: string;
  /** Changes with each renewal: whoever sees it change knows that the member lives. */
  readonly beat: number;
  /** Takes shards. One that still rebuilds, or reads the store in, does not yet. */
  readonly ready: boolean;
  readonly letGo: LetGo;
}

export interface LeaseView {
  readonly members: readonly Member[];
  /** Names that are held, and the ids of their holders. */
  readonly holders: ReadonlyMap<string, string>;
}

/** A lease that was taken. */
export interface Grant {
  readonly name: string;
  /**
   * The fence: counted in the store, higher than every one that was given out before, for whatever name. Node agents
   * know it as the epoch.
   */
  readonly token: number;
  /** The store's version at that moment: what its former holder wrote is not above it. */
  readonly resourceVersion: string;
}

/**
 * One store's table of members and leases. Every operation is atomic. All throw RetryableError `StoreLost` when the
 * store was emptied or claimed anew, and `StoreUnavailable` when it does not answer. There is no time in the table:
 * that a member is silent is for the others to find, by their own clocks.
 */
export interface Leases {
  /**
   * Becomes a member and answers its id, and how many shards the store is divided into. Members with the same `home` are
   * expelled: a home has one control plane, so they are the ones that ran there before.
   */
  join(
    who: { readonly home: string; readonly label: string },
    signal: AbortSignal,
  ): Promise<{ readonly member: string; readonly shards: number }>;
  /** Shows that the member lives; answers what the table holds, or undefined when it was expelled. */
  renew(
    member: string,
    state: Pick<Member, 'beat' | 'ready' | 'letGo'>,
    signal: AbortSignal,
  ): Promise<LeaseView | undefined>;
  /** Takes those that nobody else holds, with a new token also where the member held one already. */
  acquire(member: string, names: readonly string[], signal: AbortSignal): Promise<readonly Grant[]>;
  /** Gives up those that the member holds. */
  release(member: string, names: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Takes everything from a member that has not renewed since it was seen at `beat`; answers whether it did. From then
   * on its writes are refused.
   */
  expel(member: string, beat: number, signal: AbortSignal): Promise<boolean>;
  /** Gives up everything and ends the membership. No error when it is over already. */
  leave(member: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
