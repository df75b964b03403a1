/** Room for the ends of containers, on disks that have none. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskSpace } from '../../../nodeagent/adapters/disk/disk-space.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import type { DiskUse } from '../../../nodeagent/core/node/disk.ts';
import { withRoomToEnd } from '../../../nodeagent/loops/disk-reserve.ts';
import { RuntimeError, type ContainerRuntime } from '../../../nodeagent/ports/container-runtime.ts';
import type { RuntimeDisk } from '../../../nodeagent/ports/disk-space.ts';
import { makeFolder } from '../../support/folder.ts';

const use = (freeBytes: number): DiskUse => ({ bytes: 1e9, freeBytes, inodes: 0, freeInodes: 0 });

interface Node {
  /** Bytes that are free, at first. */
  readonly free: number;
  /** Whether the runtime can write an end down now. */
  readonly ends: (free: number, waits: number) => boolean | RuntimeError;
  /** Bytes that are held, and what giving them back does. */
  readonly held?: number;
}

/** What was waited, in milliseconds, and given back, until a container of a grace of 5 s had ended, or what failed. */
async function end({ free, ends, held = 1e8 }: Node): Promise<readonly (string | number)[]> {
  const did: (string | number)[] = [];
  let left = held;
  let stop: (ended: boolean | RuntimeError) => void = () => undefined;
  const stopped = new Promise<void>((resolve, reject) => {
    stop = (ended) => (ended === true ? resolve() : ended && reject(ended));
  });
  const runtime = withRoomToEnd({ stopContainer: () => stopped } as unknown as ContainerRuntime, {
    space: {
      read: async () => ({ node: use(free), images: use(free) }),
      async giveBack() {
        did.push(left > 0 ? 'given' : 'none left');
        free += left;
        left = 0;
        return did.at(-1) === 'given';
      },
    },
    clock: {
      ...systemClock,
      async sleep(ms, signal) {
        did.push(ms);
        stop(ends(free, did.length));
        await systemClock.sleep(0, signal);
      },
    },
    log: jsonLog(() => undefined),
  });
  await runtime.stopContainer('c', 5, new AbortController().signal).catch((cause: unknown) => did.push(String(cause)));
  return did;
}

describe('the end of a container', () => {
  it('is given room on a full disk, once its processes must be gone', async () => {
    assert.deepEqual(await end({ free: 0, ends: (free) => free > 0 }), [6000, 'given', 2000]);
  });
  it('takes nothing of a disk that has room', async () => {
    assert.deepEqual(await end({ free: 5e8, ends: (_free, waits) => waits > 2 }), [6000, 2000, 2000]);
  });
  it('is waited for where nothing is left to give', async () => {
    assert.deepEqual(await end({ free: 0, held: 0, ends: (_free, waits) => waits > 2 }), [6000, 'none left', 2000]);
  });
  it('fails as the runtime says', async () => {
    const failure = new RuntimeError('Timeout', 'no answer');
    assert.deepEqual(await end({ free: 5e8, ends: () => failure }), [6000, 'RuntimeError: no answer']);
  });
});

describe('room that is held on a disk', () => {
  let state = '';
  beforeEach(async () => {
    state = makeFolder('disk-reserve-');
  });
  afterEach(() => rm(state, { recursive: true }));

  it('is given back by halves', async () => {
    const space = diskSpace({ state, run: state, podLogs: state }, {} as RuntimeDisk);
    const held = async (): Promise<number> => (await stat(join(state, 'reserve'))).size;
    assert.equal(await space.giveBack(), false);
    await space.reserve(2 ** 18);
    const sizes = [await held()];
    while (await space.giveBack()) sizes.push(await held().catch(() => 0));
    assert.deepEqual(sizes, [2 ** 18, 2 ** 17, 2 ** 16, 0]);
  });
});
