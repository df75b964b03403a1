/**
 * Servers of a section have fixed places, so that endpoints come and go by the runtime API and without a reload. A place
 * that is free is a disabled server.
 */
import type { Target } from '../data-plane/plan.ts';

export type Slot = Target | undefined;
/** By section. */
export type Slots = ReadonlyMap<string, readonly Slot[]>;

/** What a running HAProxy says of one server. */
export interface RunningServer {
  readonly address: string;
  readonly port: number;
  readonly disabled: boolean;
}

const FEWEST = 4;
const MOST = 4096;

/** Places for so many endpoints: room for those that come while as many go, in powers of two. */
export function slotsFor(targets: number): number {
  let places = FEWEST;
  while (places < targets * 1.5 && places < MOST) places *= 2;
  return places;
}

/**
 * Each target at the place where it is, new ones at free places; those of `targets` that are gone leave theirs. Undefined
 * where the places do not do: a reload has to bring more.
 */
export function placeTargets(before: readonly Slot[], targets: readonly Target[]): Slot[] | undefined {
  if (targets.length > before.length) return undefined;
  const wanted = new Map(targets.map((target) => [keyOf(target), target]));
  const after = before.map((slot): Slot => {
    const target = slot && wanted.get(keyOf(slot));
    if (target) wanted.delete(keyOf(target));
    return target;
  });
  const waiting = [...wanted.values()];
  // What has been free for longest first: requests may still be on their way to who just left.
  const order = [...after.keys()].sort((a, b) => Number(before[a] !== undefined) - Number(before[b] !== undefined));
  for (const at of order) {
    if (after[at] !== undefined) continue;
    const next = waiting.shift();
    if (next === undefined) break;
    after[at] = next;
  }
  return after;
}

/** Commands of the runtime API that bring the servers of a section to `want`: who comes first, then who goes. */
export function slotCommands(section: string, now: readonly RunningServer[], want: readonly Slot[]): string[] {
  const come: string[] = [];
  const go: string[] = [];
  for (const [at, running] of now.entries()) {
    const server = `${section}/s${at}`;
    const target = want[at];
    if (target === undefined) {
      if (!running.disabled) go.push(`set server ${server} state maint`);
      continue;
    }
    if (running.address !== target.address || running.port !== target.port)
      come.push(`set server ${server} addr ${target.address} port ${target.port}`);
    if (running.disabled) come.push(`set server ${server} state ready`);
  }
  return [...come, ...go];
}

export function runningOf(slots: readonly Slot[]): RunningServer[] {
  return slots.map((slot) => ({
    address: slot?.address ?? '127.0.0.1',
    port: slot?.port ?? 1,
    disabled: slot === undefined,
  }));
}

function keyOf({ address, port }: Target): string {
  return `${address}:${port}`;
}
