/** Endpoints of backends at the places that a plan's sections, or those of a running process, have for them. */
import type { Target } from '../data-plane/plan.ts';
import type { ProxyPlan } from './plan.ts';
import { placeTargets, slotCommands, slotsFor, type RunningServer, type Slot } from './slots.ts';

/** By section. */
export type Servers = ReadonlyMap<string, readonly RunningServer[]>;
/** By name of the ProxyBackend. */
export type TargetsOf = ReadonlyMap<string, readonly Target[]>;

/** For a new configuration. Who runs keeps its place, and a section its number of places, while they do. */
export function placesFor(plan: ProxyPlan, before: Servers, targets: TargetsOf): Map<string, readonly Slot[]> {
  const found = new Map<string, readonly Slot[]>();
  for (const { name, backend } of plan.leaves) {
    if (backend === undefined) continue;
    const to = targets.get(backend) ?? [];
    const kept = slotsOf(before.get(name) ?? []);
    const fresh = Array.from({ length: slotsFor(to.length) }, (): Slot => undefined);
    const placed = kept.length > 0 ? placeTargets(kept, to) : undefined;
    found.set(name, placed ?? placeTargets(fresh, to.slice(0, fresh.length)) ?? fresh);
  }
  return found;
}

export function sizesOf(slots: ReadonlyMap<string, readonly Slot[]>): Map<string, number> {
  return new Map([...slots].map(([name, places]) => [name, places.length]));
}

/** Whether every section has places enough. */
export function haveRoom(plan: ProxyPlan, servers: Servers, targets: TargetsOf): boolean {
  return plan.leaves.every(({ name, backend }) => {
    if (backend === undefined) return true;
    const count = targets.get(backend)?.length ?? 0;
    return count <= (servers.get(name)?.length ?? 0) || slotsFor(count) === servers.get(name)?.length;
  });
}

export interface ServerChange {
  readonly commands: readonly string[];
  /** As the sections are after them. */
  readonly slots: ReadonlyMap<string, readonly Slot[]>;
}

/**
 * For what runs: sections without places enough get what they have places for; a backend that is not known any more
 * keeps its servers until a reload.
 */
export function serverChange(
  plan: ProxyPlan,
  servers: Servers,
  targets: TargetsOf,
  concerned: (backend: string) => boolean,
): ServerChange {
  const commands: string[] = [];
  const slots = new Map<string, readonly Slot[]>();
  for (const { name, backend } of plan.leaves) {
    const running = servers.get(name);
    const to = backend !== undefined && concerned(backend) ? targets.get(backend) : undefined;
    if (running === undefined || to === undefined) continue;
    const want = placeTargets(slotsOf(running), to.slice(0, running.length));
    const some = want === undefined ? [] : slotCommands(name, running, want);
    if (want === undefined || some.length === 0) continue;
    commands.push(...some);
    slots.set(name, want);
  }
  return { commands, slots };
}

function slotsOf(servers: readonly RunningServer[]): Slot[] {
  return servers.map(({ address, port, disabled }) => (disabled ? undefined : { address, port }));
}
