/** Ways to bring raw scores to 0..100. Source: kube-scheduler's DefaultNormalizeScore and the plugins' own. */
import { MAX_NODE_SCORE, type Normalize } from './framework.ts';

/** The greatest becomes 100; all 0 stay 0. */
export const byGreatest: Normalize = (_min, max) =>
  max === 0 ? { scale: 0, offset: 0 } : { scale: MAX_NODE_SCORE / max, offset: 0 };

/** The greatest becomes 0, 0 becomes 100. */
export const reversed: Normalize = (_min, max) =>
  max === 0 ? { scale: 0, offset: MAX_NODE_SCORE } : { scale: -MAX_NODE_SCORE / max, offset: MAX_NODE_SCORE };

/** The least becomes 0, the greatest 100; all equal become 0. */
export const stretched: Normalize = (min, max) =>
  max === min
    ? { scale: 0, offset: 0 }
    : { scale: MAX_NODE_SCORE / (max - min), offset: (-min * MAX_NODE_SCORE) / (max - min) };
