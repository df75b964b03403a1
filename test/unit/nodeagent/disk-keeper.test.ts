/** The loop that keeps disks from filling up, on a node where parts of that fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import type { DiskUse, Holding } from '../../../nodeagent/core/node/disk.ts';
import { startDiskKeeper, type DiskKeeperDeps } from '../../../nodeagent/loops/disk-keeper.ts';
import { RuntimeError } from '../../../nodeagent/ports/container-runtime.ts';
import { container, pod, seen, UID } from './pods.ts';

const FULL: DiskUse = { bytes: 1e9, freeBytes: 0, inodes: 0, freeInodes: 0 };
const LOOK_MS = 180_000;

interface World {
  readonly pods?: readonly Pod[];
  readonly images?: readonly string[];
  readonly disk?: DiskUse;
  readonly files?: (uid: string) => Holding;
  readonly written?: ReadonlyMap<string, Holding>;
  /** What a name stands for. */
  readonly named?: (name: string) => string | undefined;
  /** Refuses what it returns an error for. */
  readonly runtime?: (call: string) => RuntimeError | undefined;
}

/** What was done in a number of looks. */
async function looks(times: number, world: World): Promise<string[]> {
  const did: string[] = [];
  let looked = 0;
  let enough = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const call = async (name: string): Promise<void> => {
    const failure = world.runtime?.(name);
    if (failure) throw failure;
  };
  const image = (id: string) => ({ id, tags: [], digests: [], sizeBytes: 1, uid: undefined, username: '' });
  const keeper = startDiskKeeper({
    space: {
      read: async () => ({ node: world.disk ?? FULL, images: world.disk ?? FULL }),
      imagesInUse: async () => new Set<string>(),
      async writtenByContainers() {
        await call('stats');
        return world.written ?? new Map<string, Holding>();
      },
      filesOf: async ({ uid }) => ({ bytes: 1e6, files: 1, whole: true, ...world.files?.(uid) }),
      logsOf: async () => ({ bytes: 0, whole: true }),
      volumeOf: async () => ({ bytes: 0, whole: true }),
      reserve: async (bytes) => void did.push(`reserve ${bytes}`),
      giveBack: async () => assert.fail('for the end of a container alone'),
    },
    images: {
      list: async () => (world.images ?? []).map(image),
      async find(name: string) {
        await call(`find ${name}`);
        const id = world.named?.(name);
        return id === undefined ? undefined : image(id);
      },
      async remove(id: string) {
        await call(`remove ${id}`);
        did.push(`remove ${id}`);
      },
    } as unknown as DiskKeeperDeps['images'],
    assignment: { current: () => ({ list: () => world.pods ?? [] }) } as unknown as DiskKeeperDeps['assignment'],
    pods: {
      observed: (uid) => seen({ containers: [{ ...container(), id: `main-of-${uid}` }] }),
      wakeAll: () => undefined,
    },
    evictor: { isBusy: () => false, evict: (uid, why) => void did.push(`evict ${uid}`, ...(world.disk ? [why] : [])) },
    hub: { statuses: () => new Map() },
    sandboxImage: () => 'pause',
    clock: {
      ...systemClock,
      monotonic: () => looked * LOOK_MS,
      async sleep(_ms, signal) {
        looked += 1;
        if (looked === times) enough();
        await systemClock.sleep(looked < times ? 0 : 3_600_000, signal);
      },
    },
    log: jsonLog(() => undefined),
    onState: () => undefined,
    onImages: () => undefined,
  });
  await over;
  await keeper.close();
  return did;
}

describe('a keeper of a full disk', () => {
  it("evicts by the pods' own files when the runtime does not say what containers wrote", async () => {
    const runtime = (call: string) => (call === 'stats' ? new RuntimeError('Timeout', 'no answer') : undefined);
    assert.deepEqual(await looks(2, { pods: [pod()], runtime }), [`evict ${UID}`]);
  });

  it('evicts the one with most files when inodes alone are short, whatever it asked for, and says so', async () => {
    const disk: DiskUse = { bytes: 1000, freeBytes: 900, inodes: 100_000, freeInodes: 4000 };
    const pods = ['few', 'many', 'large'].map((uid) => ({ ...pod(), metadata: { ...pod().metadata, name: uid, uid } }));
    const files = (uid: string): Holding => ({ bytes: uid === 'large' ? 1e9 : 1, files: uid === 'many' ? 300 : 10 });
    const written = new Map([
      ['main-of-few', { bytes: 0, files: 100 }],
      ['main-of-many', { bytes: 0, files: 200 }],
    ]);
    assert.deepEqual(await looks(2, { pods, disk, files, written }), [
      'evict many',
      'The node was low on resource: inodes (nodefs.inodesFree, imagefs.inodesFree; available: 4000). The pod was using 500.',
    ]);
  });

  it('keeps the reserve from what fills the disk and cannot be evicted', async () => {
    assert.deepEqual(await looks(3, {}), []);
  });

  it('removes the other images when one cannot be removed', async () => {
    const runtime = (call: string) =>
      call === 'remove a' ? new RuntimeError('Other', 'in use by a snapshot') : undefined;
    assert.deepEqual(await looks(2, { images: ['a', 'b', 'c'], runtime }), ['remove b', 'remove c']);
  });

  it('keeps an image that is wanted since it began to remove others', async () => {
    const pods: Pod[] = [];
    const runtime = (call: string) => {
      if (call === 'remove a') pods.push(pod());
      return undefined;
    };
    const named = (name: string) => (name === 'app:1' ? 'b' : undefined);
    assert.deepEqual(await looks(2, { images: ['a', 'b', 'c'], pods, runtime, named }), ['remove a', 'remove c']);
  });

  it('keeps the image of a pod that names it as no registry does', async () => {
    const asked: string[] = [];
    const named = (name: string) => {
      asked.push(name);
      return name === 'cafe:latest' ? 'cafe00' : undefined;
    };
    const pods = [pod({ containers: [{ name: 'main', image: 'cafe' }] })];
    assert.deepEqual(await looks(2, { images: ['cafe00', 'other'], pods, named }), ['remove other']);
    assert.ok(!asked.includes('cafe'), 'a bare name may be the beginning of an id');
  });

  it('removes images although a pod names one that the runtime makes nothing of', async () => {
    const runtime = (call: string) =>
      call === 'find app:1' ? new RuntimeError('Other', 'ambiguous digest string') : undefined;
    assert.deepEqual(await looks(2, { images: ['a'], pods: [pod()], runtime }), ['remove a']);
  });

  it('removes no image while the runtime does not say which are in use', async () => {
    const runtime = (call: string) =>
      call === 'find app:1' ? new RuntimeError('Unavailable', 'no socket') : undefined;
    assert.deepEqual(await looks(2, { images: ['a'], pods: [pod()], runtime }), [`evict ${UID}`]);
  });
});
