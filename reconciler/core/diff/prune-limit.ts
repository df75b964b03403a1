/** How much of what a source has live one commit may delete. */

/** Without a limit of its own a repository may lose half of its objects at once, */
const DEFAULT_PERCENT = 50;
/** or as many as these, so that a small repository may lose two of its three apps; */
const DEFAULT_OBJECTS = 10;

/**
 * Why deleting `deleted` objects, so that `left` stay, is too much; undefined where it is not. `percent` is the
 * Cluster's spec.sync.maxPrunePercent. Where nobody set it, a commit that leaves nothing is refused too: that is an
 * empty or a wrong tree more often than a wish.
 */
export function overPruneLimit(percent: number | undefined, deleted: number, left: number): string | undefined {
  if (deleted === 0) return undefined;
  const of = deleted + left;
  const share = (100 * deleted) / of;
  if (percent !== undefined)
    return share > percent
      ? `this would delete ${deleted} of ${of} objects, more than spec.sync.maxPrunePercent (${percent}) allows`
      : undefined;
  if (left === 0) return `this would delete all ${deleted} objects and leave nothing`;
  if (deleted <= DEFAULT_OBJECTS || share <= DEFAULT_PERCENT) return undefined;
  return `this would delete ${deleted} of ${of} objects, more than ${DEFAULT_PERCENT} % of them`;
}
