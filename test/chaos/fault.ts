/** What a fault is, and what it is done to. */
import type { Fleet } from '../e2e/fleet.ts';
import type { Random } from './random.ts';

export interface Scene {
  readonly fleet: Fleet;
  readonly random: Random;
  /** Hosts that faults may be done to; load comes from another one. */
  readonly hosts: readonly string[];
  /** Deployment and Service that answer requests, on all hosts. */
  readonly app: string;
  readonly replicas: number;
  /** Faults last as long as they do at their worst, not only as long as it takes to tell. */
  readonly long: boolean;
}

export interface Fault {
  readonly name: string;
  /** The promise that it tries, for people. */
  readonly holds: string;
  /** Requests may fail while it lasts: the path of packets itself is broken. */
  readonly mayFailRequests?: true;
  /** Containers are expected to end: the host, or the runtime below them, did. */
  readonly mayRestart?: true;
  /** Does it, looks, and undoes it, also when it throws. Throws an AssertionError where the promise does not hold. */
  run(scene: Scene): Promise<void>;
}

/** Waits `seconds` of a fault: nothing has to happen meanwhile, that is what is looked at. */
export async function lasts(seconds: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
  });
}

/** `lasts`, for `short` seconds of a range, or the `long` ones where the scene asks for long faults. */
export async function lastsFor(
  { random, long }: Scene,
  seconds: { readonly short: readonly [least: number, most: number]; readonly long: number },
): Promise<void> {
  // Drawn in any case: what a seed does next is the same.
  const short = random.between(...seconds.short);
  await lasts(long ? seconds.long : short);
}
