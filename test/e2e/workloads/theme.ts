import type { Fleet } from '../fleet.ts';

/** Registers the tests of one theme. `fleet` is there once a test runs; `round` makes names unique between rounds. */
export type Theme = (fleet: () => Fleet, round: number) => void;
