/**
 * Fencing epochs. A store counts them; after it was lost, the count goes on above what the agents have seen. An agent
 * refuses a sender whose epoch is lower than one it has seen, so a node that claims an absurd one must not carry the
 * cluster there: nobody could speak above it.
 */

/**
 * How far above all others an epoch may be. A count that began at a clock which was wrong by less than this is still
 * followed. In milliseconds, because a store's first epoch is read off the clock: a year.
 */
export const EPOCH_SLACK = 365 * 24 * 3600 * 1000;

/**
 * The highest epoch that is believed: claims beyond it are the claimant's own trouble. `now`: the clock, milliseconds
 * since 1970. Of the claims the (lower) median counts, so that less than half of the nodes can move the bound neither
 * way; the clock alone bounds a few nodes.
 */
export function highestPlausibleEpoch(claimed: readonly number[], now: number): number {
  const median = claimed.toSorted((a, b) => a - b)[Math.floor((claimed.length - 1) / 2)] ?? 0;
  return Math.min(Math.max(now, median) + EPOCH_SLACK, Number.MAX_SAFE_INTEGER - EPOCH_SLACK);
}

export interface EpochVerdict {
  /** Highest of the claims that are believed; 0 when there is none. The new epoch has to be above it. */
  readonly highest: number;
  /** Nodes whose claim is not believed, sorted. They refuse the new epoch until a person resets them. */
  readonly implausible: readonly string[];
}

export function judgeEpochs(claims: ReadonlyMap<string, number>, now: number): EpochVerdict {
  const bound = highestPlausibleEpoch([...claims.values()], now);
  return {
    highest: Math.max(0, ...[...claims.values()].filter((epoch) => epoch <= bound)),
    implausible: [...claims]
      .filter(([, epoch]) => epoch > bound)
      .map(([node]) => node)
      .sort(),
  };
}
