/** What one part of the benchmark costs. */
import type { Redis } from 'ioredis';
import type { FleetStats } from './agent.ts';
import type { LoopDelay } from './loop-watch.ts';
import type { Observer } from './observer.ts';
import { cpuSeconds, residentMb, type Child } from './processes.ts';

export interface Measured {
  readonly part: string;
  /** Whether it came to its end in time; else `reached` says how far. */
  readonly converged: boolean;
  readonly reached: string;
  readonly seconds: number;
  /** Processor time of the control plane and of Redis. */
  readonly cpu: number;
  readonly redisCpu: number;
  readonly rssMb: number;
  /** Of the control plane, after a collection: objects and buffers. */
  readonly heldMb: number;
  readonly redisRssMb: number;
  readonly redisUsedMb: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** Rounds of the event loop in which its thread worked for longer than 50 ms, and the longest. */
  readonly longRounds: number;
  readonly longestRoundMs: number;
  readonly redisCommandsPerSecond: number;
  readonly writes: number;
  readonly writesByKind: Readonly<Record<string, number>>;
  /** Of assignments. */
  readonly toAgentsMb: number;
  readonly pushes: number;
  /** Of inventories. */
  readonly fromAgentsMb: number;
}

export interface Subjects {
  readonly controlPlane: Child;
  readonly fleets: readonly Child[];
  readonly redis: Redis;
  observer: Observer;
}

interface Snapshot {
  readonly at: number;
  readonly cpu: number;
  readonly redisCpu: number;
  readonly commands: number;
  readonly observer: Observer;
  readonly writes: ReadonlyMap<string, number>;
  readonly fleet: FleetStats;
}

/** Between two looks whether a part is over. */
const LOOK_MS = 50;

export async function fleetStats(fleets: readonly Child[]): Promise<FleetStats> {
  const all = (await Promise.all(fleets.map((fleet) => fleet.ask({ do: 'stats' })))) as FleetStats[];
  return {
    bytes: sum(all.map(({ bytes }) => bytes)),
    assignments: sum(all.map(({ assignments }) => assignments)),
    told: sum(all.map(({ told }) => told)),
    running: sum(all.map(({ running }) => running)),
    slices: sum(all.map(({ slices }) => slices)),
  };
}

/**
 * Runs `work`, then waits until `done` or the limit, and counts everything in between. `reached` puts in words how far
 * it is.
 */
export async function measure(
  part: string,
  subjects: Subjects,
  limitMs: number,
  work: () => Promise<void>,
  done: () => boolean | Promise<boolean>,
  reached: () => string,
): Promise<Measured> {
  await subjects.controlPlane.ask({});
  const before = await snapshot(subjects);
  await work();
  let converged = await done();
  while (!converged && performance.now() - before.at < limitMs && subjects.controlPlane.running) {
    await pause(LOOK_MS);
    converged = await done();
  }
  const ended = performance.now();
  const after = await snapshot(subjects);
  const loop = (await Promise.race([subjects.controlPlane.ask({}), pause(10_000)])) as LoopDelay | undefined;
  const memory = await subjects.redis.info('memory');
  const rssMb = await residentMb(subjects.controlPlane.pid);
  const held = (await Promise.race([subjects.controlPlane.ask({ holds: true }), pause(10_000)])) as number | undefined;
  const writesByKind: Record<string, number> = {};
  for (const [kind, writes] of after.writes) {
    // A new store is watched anew.
    const more = writes - (after.observer === before.observer ? (before.writes.get(kind) ?? 0) : 0);
    if (more > 0) writesByKind[kind] = more;
  }
  return {
    part,
    converged,
    reached: reached(),
    seconds: round((ended - before.at) / 1000),
    cpu: round(after.cpu - before.cpu),
    redisCpu: round(after.redisCpu - before.redisCpu),
    rssMb: Math.round(rssMb),
    heldMb: Math.round(held ?? Number.NaN),
    redisRssMb: Math.round(field(memory, 'used_memory_rss') / 2 ** 20),
    redisUsedMb: Math.round(field(memory, 'used_memory') / 2 ** 20),
    loopP99Ms: Math.round(loop?.p99Ms ?? Number.NaN),
    loopMaxMs: Math.round(loop?.maxMs ?? Number.NaN),
    longRounds: loop?.longRounds ?? Number.NaN,
    longestRoundMs: Math.round(loop?.longestMs ?? Number.NaN),
    redisCommandsPerSecond: Math.round((after.commands - before.commands) / ((after.at - before.at) / 1000)),
    writes: sum(Object.values(writesByKind)),
    writesByKind,
    toAgentsMb: round((after.fleet.bytes - before.fleet.bytes) / 2 ** 20),
    pushes: after.fleet.assignments - before.fleet.assignments,
    fromAgentsMb: round((after.fleet.told - before.fleet.told) / 2 ** 20),
  };
}

async function snapshot({ controlPlane, fleets, redis, observer }: Subjects): Promise<Snapshot> {
  const [cpu, stats, fleet] = await Promise.all([redis.info('cpu'), redis.info('stats'), fleetStats(fleets)]);
  return {
    at: performance.now(),
    cpu: await cpuSeconds(controlPlane.pid),
    redisCpu: field(cpu, 'used_cpu_user') + field(cpu, 'used_cpu_sys'),
    commands: field(stats, 'total_commands_processed'),
    observer,
    writes: new Map(observer.writes),
    fleet,
  };
}

function field(info: string, name: string): number {
  return Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1] ?? Number.NaN);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

export async function pause(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined;
}
