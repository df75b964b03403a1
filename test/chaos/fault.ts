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
