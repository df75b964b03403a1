/** The loop that keeps memory and processes, minute by minute, on a node whose world is told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PriorityClass } from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import type { Headroom } from '../../../nodeagent/core/node/headroom.ts';
import { createEvictor } from '../../../nodeagent/loops/evictor.ts';
import { startPressureKeeper, type PressureKeeperDeps } from '../../../nodeagent/loops/pressure-keeper.ts';
import { container, pod, seen } from './pods.ts';

const MIB = 2 ** 20;
const room = (memory: number, pids = 10_000): Headroom => ({
  memory: { capacity: 1024 * MIB, available: memory * MIB },
  pids: { capacity: 10_000, available: pids },
});
const SHORT = room(50);
const WELL = room(500);

interface World {
  readonly pods: readonly Pod[];
  readonly classes?: readonly PriorityClass[];
  /** MiB of each pod's container; none was counted of a pod that is not here. */
  readonly uses?: Readonly<Record<string, number>>;
  readonly processes?: Readonly<Record<string, number>>;
  /** Called at every look. */
  readonly rooms: readonly Headroom[];
  /** Pods of which nothing is left at once. */
  readonly clears?: boolean;
  readonly stats?: () => Error | undefined;
}

const LOOK_MS = 2000;

/** What was done, look by look. */
async function looks(world: World): Promise<readonly (readonly string[])[]> {
  const did: string[][] = [[]];
  const note = (what: string): void => void did.at(-1)?.push(what);
  let enough = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const gone = new Set<string>();
  const clock = {
    ...systemClock,
    monotonic: () => (did.length - 1) * LOOK_MS,
    async sleep(_ms: number, signal: AbortSignal) {
      if (did.length === world.rooms.length) enough();
      else did.push([]);
      await systemClock.sleep(0, signal);
    },
  };
  const pods = {
    observed: (uid: string) => seen({ containers: gone.has(uid) ? [] : [container()] }),
    isCleared: () => world.clears === true,
    evict(uid: string, message: string) {
      note(`evict ${uid}: ${message}`);
      gone.add(uid);
    },
  };
  const keeper = startPressureKeeper({
    meter: {
      read: async () => world.rooms[did.length - 1] ?? WELL,
      async containers() {
        const failure = world.stats?.();
        if (failure) throw failure;
        return Object.entries(world.uses ?? {}).map(([podUid, mib]) => ({
          id: podUid,
          podUid,
          name: 'main',
          at: 0,
          cpuNanoseconds: 0,
          memoryBytes: mib * MIB,
        }));
      },
      processesOf: async (uid) => world.processes?.[uid],
    },
    assignment: {
      current: () => ({
        list: (kind: string) =>
          kind === 'Pod' ? world.pods.filter((one) => !gone.has(one.metadata.uid ?? '')) : (world.classes ?? []),
      }),
    } as unknown as PressureKeeperDeps['assignment'],
    hub: { statuses: () => new Map() },
    pods,
    evictor: createEvictor(pods, clock),
    clock,
    log: jsonLog(() => undefined),
    onState: (pressure, state) => note(`${pressure} ${state.pressure}`),
  });
  await over;
  await keeper.close();
  return did.slice(0, world.rooms.length);
}

const named = (uid: string, more: Record<string, unknown> = {}): Pod => pod(more, { uid, name: uid });
const WELL_AT_FIRST = ['MemoryPressure false', 'PIDPressure false'];
const times = <T>(count: number, one: T): readonly T[] => Array.from({ length: count }, () => one);
const evicted = (did: readonly (readonly string[])[]): readonly string[] =>
  did.flat().flatMap((line) => /^evict (\S+):/.exec(line)?.[1] ?? []);

describe('a keeper of memory and processes', () => {
  it('leaves pods alone while there is room', async () => {
    assert.deepEqual(await looks({ pods: [named('a')], uses: { a: 400 }, rooms: [WELL, WELL] }), [WELL_AT_FIRST, []]);
  });

  it('gives up the pod that holds most above its request, with a message that blames it', async () => {
    const modest = { containers: [{ name: 'main', image: 'app:1', resources: { requests: { memory: '800Mi' } } }] };
    const did = await looks({
      pods: [named('modest', modest), named('hog'), named('small')],
      uses: { modest: 700, hog: 200, small: 10 },
      rooms: [SHORT],
    });
    assert.deepEqual(did, [
      [
        'MemoryPressure true',
        'PIDPressure false',
        'evict hog: The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 200Mi, request is 0, has larger consumption of memory. ',
      ],
    ]);
  });

  it('goes by the priorities of the classes that the node knows', async () => {
    const high = {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'high' },
      value: 1000,
      globalDefault: false,
    } as unknown as PriorityClass;
    const did = await looks({
      pods: [
        named('a', { priorityClassName: 'high' }),
        named('b'),
        named('c', { priorityClassName: 'system-node-critical' }),
      ],
      classes: [high],
      uses: { a: 300, b: 20, c: 400 },
      rooms: [SHORT, SHORT, SHORT],
      clears: true,
    });
    assert.deepEqual(evicted(did), ['b', 'a']);
  });

  it('waits until what a pod held is free before it judges the next, but not for ever', async () => {
    const world = { pods: [named('a'), named('b')], uses: { a: 300, b: 200 } };
    assert.deepEqual(evicted(await looks({ ...world, rooms: times(15, SHORT) })), ['a']);
    assert.deepEqual(evicted(await looks({ ...world, rooms: times(16, SHORT) })), ['a', 'b']);
    assert.deepEqual(evicted(await looks({ ...world, rooms: times(2, SHORT), clears: true })), ['a', 'b']);
  });

  it('says that it is short for five minutes after it was', async () => {
    const did = await looks({ pods: [], rooms: [SHORT, ...times(150, WELL)] });
    assert.deepEqual(did[0], ['MemoryPressure true', 'PIDPressure false']);
    assert.deepEqual(did.slice(1, 150).flat(), []);
    assert.deepEqual(did[150], ['MemoryPressure false']);
  });

  it('gives up the least important pod, then the one with most processes, when process ids run out', async () => {
    const did = await looks({
      pods: [named('a'), named('b'), named('c', { priorityClassName: 'system-cluster-critical' })],
      processes: { a: 20, b: 4000, c: 5000 },
      rooms: [room(500, 499)],
    });
    assert.deepEqual(did[0]?.slice(0, 2), ['MemoryPressure false', 'PIDPressure true']);
    assert.deepEqual(evicted(did), ['b']);
  });

  it('looks after memory first', async () => {
    const did = await looks({
      pods: [named('a'), named('b')],
      uses: { a: 1, b: 2 },
      processes: { a: 9, b: 1 },
      rooms: [room(50, 1)],
    });
    assert.deepEqual(evicted(did), ['b']);
  });

  it('gives up nobody while the runtime does not tell, and goes on when it does', async () => {
    let asked = 0;
    const did = await looks({
      pods: [named('a')],
      uses: { a: 100 },
      rooms: [SHORT, SHORT],
      stats: () => (asked++ === 0 ? new Error('no answer') : undefined),
    });
    assert.deepEqual(evicted(did.slice(0, 1)), []);
    assert.deepEqual(evicted(did), ['a']);
  });
});
