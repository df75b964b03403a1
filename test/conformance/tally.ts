import { CLASSES, type Behaviour, type BehaviourClass } from './behaviours.ts';
import type { FileResult } from './results.ts';

export interface Count {
  readonly shown: number;
  readonly notYet: number;
  readonly never: number;
}

export interface Tally {
  readonly total: Count;
  readonly byClass: ReadonlyMap<BehaviourClass, Count>;
  readonly notYet: readonly Behaviour[];
  readonly never: readonly Behaviour[];
}

/**
 * A behaviour is shown where some file showed it and none failed at it. What a unit test names is not shown: that is no
 * real part.
 */
export function tally(behaviours: readonly Behaviour[], all: readonly FileResult[]): Tally {
  const results = all.filter(({ file }) => !file.startsWith('test/unit/'));
  const failed = new Set(results.flatMap((result) => result.failed));
  const shown = new Set(results.flatMap((result) => result.shown).filter((id) => !failed.has(id)));
  const never = behaviours.filter((behaviour) => behaviour.class === 'never');
  const notYet = behaviours.filter((behaviour) => behaviour.class !== 'never' && !shown.has(behaviour.id));
  const count = (of: readonly Behaviour[]): Count => {
    const [nevers, left] = [never, notYet].map((some) => some.filter((behaviour) => of.includes(behaviour)).length);
    return { shown: of.length - (nevers ?? 0) - (left ?? 0), notYet: left ?? 0, never: nevers ?? 0 };
  };
  const byClass = new Map(
    CLASSES.map((word) => [word, count(behaviours.filter((behaviour) => behaviour.class === word))]),
  );
  return { total: count(behaviours), byClass, notYet, never };
}
