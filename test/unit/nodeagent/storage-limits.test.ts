/** How much a pod may write to its node's disk. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { Pod } from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { diskLimits, memoryBytes } from '../../../nodeagent/core/pod/volumes/limits.ts';
import { storageExceeded } from '../../../nodeagent/core/pod/storage-limits.ts';
import { startStorageKeeper, type StorageKeeperDeps } from '../../../nodeagent/loops/storage-keeper.ts';
import { container, pod, seen, UID } from './pods.ts';

const MIB = 2 ** 20;

function withFolder(emptyDir: Record<string, unknown>, memory?: string, name = 'v'): Pod {
  return pod({
    containers: [{ name: 'main', image: 'a:1', ...(memory !== undefined && { resources: { limits: { memory } } }) }],
    volumes: [{ name, emptyDir }],
  });
}

describe('diskLimits', () => {
  for (const [emptyDir, expected] of [
    [{}, []],
    [{ sizeLimit: '0' }, []],
    [{ sizeLimit: '1Mi', medium: 'Memory' }, []],
    [{ sizeLimit: '1.5Mi' }, [{ volume: 'v', bytes: 1.5 * MIB, said: '1.5Mi' }]],
  ] as const)
    it(JSON.stringify(emptyDir), () => assert.deepEqual(diskLimits(withFolder(emptyDir)), expected));
});

describe('memoryBytes', () => {
  for (const [what, sizeLimit, ofContainer, ofNode, expected] of [
    ['nothing is known', undefined, undefined, undefined, undefined],
    ['the node bounds it', undefined, undefined, '64Mi', 64],
    ['its limit is less', '8Mi', '16Mi', '64Mi', 8],
    ['its containers may take less', '32Mi', '16Mi', '64Mi', 16],
    ['its limit is none', '0', undefined, '64Mi', 64],
  ] as const)
    it(`where ${what}`, () => {
      const one = withFolder({ medium: 'Memory', ...(sizeLimit !== undefined && { sizeLimit }) }, ofContainer);
      const source = one.spec.volumes?.[0]?.emptyDir ?? assert.fail('no volume');
      assert.equal(
        memoryBytes(source, one, ofNode === undefined ? undefined : { memory: ofNode }),
        expected === undefined ? undefined : expected * MIB,
      );
    });
});

/** Pods that were evicted in a number of looks, and the volumes that were counted. */
async function looks(times: number, one: Pod | readonly Pod[], used: (volume: string) => number, countMs = 0) {
  const evicted: string[] = [];
  const counted: string[] = [];
  let now = 0;
  let looked = 0;
  let asked = 0;
  let enough = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const keeper = startStorageKeeper({
    space: {
      async filesOf() {
        return { bytes: used('files'), files: 0, whole: true };
      },
      async logsOf() {
        return { bytes: used('logs'), whole: true };
      },
      async writtenByContainers() {
        asked += 1;
        return new Map([['main-0', { bytes: used('layer'), files: 0 }]]);
      },
      async volumeOf(_pod, volume) {
        counted.push(volume);
        now += countMs;
        return { bytes: used(volume), whole: true };
      },
    },
    assignment: { current: () => ({ list: () => [one].flat() }) } as unknown as StorageKeeperDeps['assignment'],
    hub: { statuses: () => new Map() },
    pods: {
      observed: () => seen({ containers: [container()] }),
      evict: (uid, message, cause) => void evicted.push(`${uid} ${message}${cause}`),
    },
    clock: {
      ...systemClock,
      monotonic: () => now,
      async sleep(ms, signal) {
        looked += 1;
        now += ms;
        if (looked === times) enough();
        await systemClock.sleep(looked < times ? 0 : 3_600_000, signal);
      },
    },
    log: jsonLog(() => undefined),
  });
  await over;
  await keeper.close();
  return { evicted, counted, asked };
}

describe('storageExceeded', () => {
  const limited = (...limits: readonly (string | undefined)[]): Pod =>
    pod({
      containers: limits.map((limit, i) => ({
        name: `c${i}`,
        image: 'a:1',
        ...(limit !== undefined && { resources: { limits: { 'ephemeral-storage': limit } } }),
      })),
    });
  const total = (said: string): string =>
    `Pod ephemeral local storage usage exceeds the total limit of containers ${said}. `;
  for (const [what, one, ofPod, ofContainers, expected] of [
    ['has no limit', limited(undefined), 9 * MIB, [9 * MIB], undefined],
    ['is within its limit', limited('1Mi'), MIB, [MIB], undefined],
    ['takes more than its only limit', limited('1Mi'), MIB + 1, [0], total('1Mi')],
    ['takes more than its limits together', limited('1Mi', undefined, '1Mi'), 2 * MIB + 1, [0], total(String(2 * MIB))],
    [
      'has a container over its own limit',
      limited('1Mi', '8Mi'),
      3 * MIB,
      [2 * MIB, MIB],
      'Container c0 exceeded its local ephemeral storage limit "1Mi". ',
    ],
    ['may write nothing', limited('0'), 1, [0], total('0')],
  ] as const)
    it(`a pod that ${what}`, () => {
      const containers = new Map(ofContainers.map((bytes, i) => [`c${i}`, bytes]));
      assert.equal(storageExceeded(one, { pod: ofPod, containers }), expected);
    });
});

describe('the keeper of what pods write', () => {
  it('evicts a pod that wrote more than its limit, in the words of a kubelet', async () => {
    const one = withFolder({ sizeLimit: '1Mi' });
    assert.deepEqual((await looks(1, one, () => MIB + 1)).evicted, [
      `${UID} Usage of EmptyDir volume "v" exceeds the limit "1Mi". Limit`,
    ]);
    assert.deepEqual((await looks(1, one, () => MIB)).evicted, []);
  });

  it('asks the runtime once a look for all pods, and not at all where none has a limit', async () => {
    const resources = { limits: { 'ephemeral-storage': '2Mi' } };
    const three = ['a', 'b', 'c'].map((uid) =>
      pod({ containers: [{ name: 'main', image: 'a:1', resources }] }, { uid }),
    );
    const found = await looks(2, three, () => 1);
    assert.deepEqual([found.asked, found.evicted], [2, []]);
    assert.equal((await looks(2, pod({}), () => 1)).asked, 0);
  });

  it('evicts a pod whose container wrote more than its limit to its own files and log, volumes apart', async () => {
    const one = pod({
      containers: [
        { name: 'main', image: 'a:1', resources: { limits: { 'ephemeral-storage': '2Mi' } } },
        { name: 'other', image: 'a:1', resources: { limits: { 'ephemeral-storage': '4Mi' } } },
      ],
    });
    const used = (layer: number) => (what: string) => (what === 'layer' ? layer : MIB);
    assert.deepEqual((await looks(1, one, used(MIB))).evicted, []);
    assert.deepEqual((await looks(1, one, used(MIB + 1))).evicted, [
      `${UID} Container main exceeded its local ephemeral storage limit "2Mi". Limit`,
    ]);
    assert.deepEqual((await looks(1, one, used(6 * MIB))).evicted, [
      `${UID} Pod ephemeral local storage usage exceeds the total limit of containers ${6 * MIB}. Limit`,
    ]);
  });

  it('counts nothing that has no limit', async () => {
    assert.deepEqual(await looks(2, withFolder({}), () => MIB), { evicted: [], counted: [], asked: 0 });
  });

  it('leaves a pod alone that is ending', async () => {
    const one = withFolder({ sizeLimit: '1Mi' });
    const ending = { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-01-01T12:00:00Z' } };
    assert.deepEqual((await looks(1, ending, () => 2 * MIB)).evicted, []);
  });

  it('counts the more seldom what takes long to count', async () => {
    const one = withFolder({ sizeLimit: '1Mi' });
    assert.equal((await looks(4, one, () => 0)).counted.length, 4);
    assert.equal((await looks(4, one, () => 0, 1000)).counted.length, 2);
  });
});
