/** What a strategy of the descheduler is made of. */
import type { DeschedulerPluginName } from '../../../../contracts/objects/index.ts';
import type { PodShape } from '../pod-shape.ts';

/**
 * Says how bad things are. A move is weighed before and after: it may make some numbers smaller, and must make none
 * larger. Numbers are differences from what should be; smaller ones than {@link LEAST_DIFFERENCE} are none.
 */
export interface Measure {
  /** Told of a pod of the shape that came to the node (`by` 1) or left it, after it did. */
  moved?(shape: PodShape, node: number, by: 1 | -1): void;
  /** Of everything that a pod of the shape, on this node, has part in: as many numbers for a shape each time. */
  weigh(shape: PodShape, node: number): readonly number[];
}

export interface Strategy extends Measure {
  readonly plugin: DeschedulerPluginName;
  /** It sets a rule right that must hold. That goes before an even spread that is only preferred. */
  readonly required: boolean;
  /** Why a pod of the shape should leave the node, as things are; undefined where it may stay. */
  complaint(shape: PodShape, node: number): string | undefined;
  /** Which of two complaints is seen to first: the one with the greater number; where equal, the cheaper pod. */
  urgency?(shape: PodShape, node: number): number;
  /**
   * Why the scheduler need not be asked about a pod of the shape: wherever it would go, {@link accepts} would say no.
   */
  hopeless?(shape: PodShape): string | undefined;
  /** Whether a pod of the shape may go from one node to the other at all; asked before it is counted there. */
  accepts?(shape: PodShape, from: number, to: number): boolean;
}

/** Sums of fractions differ by less than this with the order in which they are added. */
const LEAST_DIFFERENCE = 1e-6;

/** Whether some number became smaller, and whether some became larger. */
export function compared(
  before: readonly number[],
  after: readonly number[],
): { readonly better: boolean; readonly worse: boolean } {
  let [better, worse] = [false, false];
  for (const [at, was] of before.entries()) {
    const by = (after[at] ?? 0) - was;
    if (by < -LEAST_DIFFERENCE) better = true;
    if (by > LEAST_DIFFERENCE) worse = true;
  }
  return { better, worse };
}
