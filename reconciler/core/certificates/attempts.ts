/** How often an issuer is asked. */

const HOUR_MS = 3_600_000;
const FIRST_PAUSE_MS = HOUR_MS;
const LONGEST_PAUSE_MS = 32 * HOUR_MS;

/**
 * Milliseconds after a failure before the next attempt: an hour, doubled with each in a row, 32 hours at most. Source:
 * cert-manager, trigger_controller.go.
 */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(Math.max(0, failures - 1), 10));
}

/** Orders of one account in {@link WINDOW_MS}: a third of what Let's Encrypt takes. */
const MOST_ORDERS = 100;
const WINDOW_MS = 3 * HOUR_MS;
/** Orders for the same names within a week, renewals apart. Source: Let's Encrypt, "Rate Limits", exact set of identifiers. */
const MOST_SAME = 5;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** Of one account: when what was ordered, the oldest first. Bounded by the rules below. */
export interface Ordered {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A hash of the names. */
  readonly names: string;
}

export type Admitted =
  | { readonly may: true; readonly after: readonly Ordered[] }
  /** `retryAt`: milliseconds since 1970. */
  | { readonly may: false; readonly retryAt: number; readonly message: string };

/** Whether one more may be ordered now, and what is known of orders then. */
export function admitOrder(
  known: readonly Ordered[],
  { names, isRenewal }: { readonly names: string; readonly isRenewal: boolean },
  now: number,
): Admitted {
  // A clock that was ahead must not keep orders from being made for longer than a window.
  const kept = known.filter(({ at }) => at > now - WEEK_MS && at <= now + HOUR_MS);
  const recent = kept.filter(({ at }) => at > now - WINDOW_MS);
  const same = kept.filter((one) => one.names === names);
  if (recent.length >= MOST_ORDERS)
    return refused((recent[recent.length - MOST_ORDERS]?.at ?? now) + WINDOW_MS, `${MOST_ORDERS} orders in 3 hours`);
  if (!isRenewal && same.length >= MOST_SAME)
    return refused(
      (same[same.length - MOST_SAME]?.at ?? now) + WEEK_MS,
      `${MOST_SAME} orders for these names in 7 days`,
    );
  return { may: true, after: [...kept, { at: now, names }].slice(-MOST_KEPT) };
}

/** A week at the highest rate. */
const MOST_KEPT = 6000;

function refused(retryAt: number, what: string): Admitted {
  return {
    may: false,
    retryAt,
    message: `${what} have been made: the next may be made at ${new Date(retryAt).toISOString()}`,
  };
}
