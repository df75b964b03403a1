/** What is written to cgroups of both versions, on folders that look like them. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { podCgroups } from '../../../nodeagent/adapters/cgroup/pod-cgroups.ts';
import type { PodLimits } from '../../../nodeagent/core/pod/pod-limits.ts';
import { makeFolder } from '../../support/folder.ts';

const POD = '/plumbline/poduid-1';
const MIB = 2 ** 20;
const SIZED: PodLimits = { cpuShares: 512, cpuQuota: 20_000, memoryBytes: 64 * MIB };
const LARGER: PodLimits = { cpuShares: 1024, cpuQuota: 40_000, memoryBytes: 128 * MIB };
const UNLIMITED: PodLimits = { cpuShares: 2, cpuQuota: undefined, memoryBytes: undefined };

/** As a runtime leaves them. */
const NEW: Readonly<Record<'v1' | 'v2', Readonly<Record<string, string>>>> = {
  v1: {
    [`pids${POD}/pids.max`]: 'max\n',
    [`cpu${POD}/cpu.shares`]: '1024\n',
    [`cpu${POD}/cpu.cfs_quota_us`]: '-1\n',
    [`memory${POD}/memory.limit_in_bytes`]: '9223372036854771712\n',
    [`memory${POD}/memory.usage_in_bytes`]: String(80 * MIB),
  },
  v2: {
    [`${POD}/pids.max`]: 'max\n',
    [`${POD}/cpu.weight`]: '100\n',
    [`${POD}/cpu.max`]: 'max 100000\n',
    [`${POD}/memory.max`]: 'max\n',
    [`${POD}/memory.current`]: String(80 * MIB),
  },
};

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await removeFolder(root);
});

function newRoot(): string {
  const root = makeFolder('plumbline-cgroups-');
  roots.push(root);
  return root;
}

async function machine(version: 'v1' | 'v2', more: Readonly<Record<string, string>> = {}) {
  const root = newRoot();
  for (const [file, text] of Object.entries({ ...NEW[version], ...more })) {
    await mkdir(join(root, dirname(file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
  const inForce = async () => {
    const read = async (file: string): Promise<string> => (await readFile(join(root, file), 'utf8')).trim();
    return version === 'v1'
      ? [
          await read(`cpu${POD}/cpu.shares`),
          await read(`cpu${POD}/cpu.cfs_quota_us`),
          await read(`memory${POD}/memory.limit_in_bytes`),
        ]
      : [await read(`${POD}/cpu.weight`), await read(`${POD}/cpu.max`), await read(`${POD}/memory.max`)];
  };
  return { root, cgroups: podCgroups(root), inForce };
}

describe("a pod's cgroup", () => {
  const IDLE = {
    v1: { [`memory${POD}/memory.usage_in_bytes`]: '4096' },
    v2: { [`${POD}/memory.current`]: '4096' },
  };
  const WORDS = {
    v1: {
      sized: ['512', '20000', String(64 * MIB)],
      larger: ['1024', '40000', String(128 * MIB)],
      none: ['2', '-1', '-1'],
    },
    v2: {
      sized: ['20', '20000 100000', String(64 * MIB)],
      larger: ['39', '40000 100000', String(128 * MIB)],
      none: ['1', 'max 100000', 'max'],
    },
  };
  for (const version of ['v1', 'v2'] as const) {
    const { sized, larger, none } = WORDS[version];
    it(`${version}: is set, raised, lowered, and let go`, async () => {
      const { cgroups, inForce } = await machine(version, IDLE[version]);
      await cgroups.limit(POD, SIZED, 'set');
      assert.deepEqual(await inForce(), sized);
      await cgroups.limit(POD, LARGER, 'raise');
      assert.deepEqual(await inForce(), larger);
      await cgroups.limit(POD, SIZED, 'raise');
      assert.deepEqual(await inForce(), larger, 'what is higher stays');
      await cgroups.limit(POD, SIZED, 'set');
      assert.deepEqual(await inForce(), sized);
      await cgroups.limit(POD, { ...UNLIMITED, cpuShares: 512 }, 'raise');
      await cgroups.limit(POD, SIZED, 'raise');
      assert.deepEqual((await inForce()).slice(1), none.slice(1), 'no bound is the highest');
      await cgroups.limit(POD, UNLIMITED, 'set');
      assert.deepEqual(await inForce(), none);
    });

    it(`${version}: is not held to less memory than the pod holds`, async () => {
      const { cgroups, inForce } = await machine(version);
      const before = (await inForce())[2];
      await assert.rejects(
        cgroups.limit(POD, SIZED, 'set'),
        /pod memory limit \(67108864\) below current usage \(83886080\)/,
      );
      assert.equal((await inForce())[2], before);
    });

    it(`${version}: has a bound of its processes whatever else is asked for`, async () => {
      const { cgroups, inForce, root } = await machine(version, IDLE[version]);
      const before = await inForce();
      await cgroups.limit(POD, undefined, 'set');
      assert.deepEqual(await inForce(), before);
      const file = version === 'v1' ? `pids${POD}/pids.max` : `${POD}/pids.max`;
      assert.match(await readFile(join(root, file), 'utf8'), /^\d+$/);
    });
  }

  it('has what its machine has controllers for', async () => {
    const root = newRoot();
    await podCgroups(root).limit(POD, SIZED, 'set');
    assert.equal(await podCgroups(root).processesIn(POD), undefined);
  });
});
