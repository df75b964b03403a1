/** How much of what a source has live one commit may delete. */

/** Without a limit of its own a repository may lose half of its objects at once, */
const DEFAULT_PERCENT = 50;
/** or as many as these, so that a small repository may lose two of its three apps; */
const DEFAULT_OBJECTS = 10;

/** The Cluster's spec.sync. */
export interface PruneLimits {
  readonly maxPrunePercent?: number | undefined;
  readonly maxPruneObjects?: number | undefined;
}

export interface OverLimit {
  readonly message: string;
  /** Whose limit it is, of the Cluster's spec.sync. */
  readonly field: keyof PruneLimits;
}

/**
 * Why deleting `deleted` objects, so that `left` stay, is too much; undefined where it is not. Where nobody set a limit,
 * a commit that leaves nothing is refused too: that is an empty or a wrong tree more often than a wish.
 */
export function overPruneLimit(limits: PruneLimits, deleted: number, left: number): OverLimit | undefined {
  const { maxPrunePercent: percent, maxPruneObjects: objects } = limits;
  if (deleted === 0) return undefined;
  const of = deleted + left;
  const share = (100 * deleted) / of;
  const over = (field: keyof PruneLimits, what: string): OverLimit => ({ field, message: `this would delete ${what}` });
  if (objects !== undefined && deleted > objects)
    return over('maxPruneObjects', `${deleted} objects, more than spec.sync.maxPruneObjects (${objects}) allows`);
  if (percent !== undefined)
    return share > percent
      ? over('maxPrunePercent', `${deleted} of ${of} objects, more than spec.sync.maxPrunePercent (${percent}) allows`)
      : undefined;
  if (left === 0) return over('maxPrunePercent', `all ${deleted} objects and leave nothing`);
  if (objects !== undefined || deleted <= DEFAULT_OBJECTS || share <= DEFAULT_PERCENT) return undefined;
  return over('maxPrunePercent', `${deleted} of ${of} objects, more than ${DEFAULT_PERCENT} % of them`);
}
