import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  evictionMessage,
  headroomOf,
  shortageOfMemory,
  shortageOfPids,
} from '../../../nodeagent/core/node/headroom.ts';

const MIB = 2 ** 20;
const meminfo = (freeKib: number): string =>
  `MemTotal:        1048576 kB\nMemFree:   ${freeKib} kB\nMemAvailable:    9 kB\nInactive(file):     20480 kB\n`;
const TEXTS = {
  meminfo: meminfo(524_288),
  loadavg: '0.10 0.20 0.30 2/400 1234\n',
  pidMax: '32768\n',
  threadsMax: '9000\n',
};

describe("a machine's room", () => {
  it('is what is not in use, with files that were not read lately, and what both limits leave', () => {
    assert.deepEqual(headroomOf(TEXTS), {
      memory: { capacity: 1024 * MIB, available: 532 * MIB },
      pids: { capacity: 9000, available: 8600 },
    });
  });
  for (const [name, texts, unknown] of [
    [
      'is unknown where the kernel shows nothing',
      { meminfo: '', loadavg: '', pidMax: '', threadsMax: '' },
      ['memory', 'pids'],
    ],
    ['is unknown where a limit is no number', { ...TEXTS, pidMax: 'max\n' }, ['pids']],
    ['is unknown where there are more threads than there can be', { ...TEXTS, loadavg: '0 0 0 2/9001 1\n' }, ['pids']],
  ] as const) {
    it(name, () => {
      const room = headroomOf(texts);
      assert.deepEqual(
        (['memory', 'pids'] as const).filter((what) => room[what] === undefined),
        unknown,
      );
      if (unknown.length === 2)
        assert.deepEqual([shortageOfMemory(room), shortageOfPids(room)], [undefined, undefined]);
    });
  }

  for (const [name, freeKib, threads, short] of [
    ['much of both', 524_288, 400, []],
    ['a hundred MiB', 81_920, 400, []],
    ['a byte less', 81_919, 400, ['memory']],
    ['a twentieth of its process ids', 524_288, 8550, []],
    ['one less', 524_288, 8551, ['pids']],
    ['nothing', 0, 9000, ['memory', 'pids']],
  ] as const) {
    it(`with ${name} left is short of ${short.join(' and ') || 'nothing'}`, () => {
      const room = headroomOf({ ...TEXTS, meminfo: meminfo(freeKib), loadavg: `0 0 0 2/${threads} 1\n` });
      const found = [shortageOfMemory(room), shortageOfPids(room)].flatMap((one) => one?.resource ?? []);
      assert.deepEqual(found, short);
    });
  }
});

describe('the message of an eviction', () => {
  it('blames the containers that took more than they asked for', () => {
    assert.equal(
      evictionMessage({ resource: 'memory', threshold: 100 * MIB, available: 50 * MIB + 4096 }, [
        { name: 'main', used: 60 * MIB, requested: 0 },
        { name: 'modest', used: MIB, requested: MIB },
        { name: 'over', used: 3 * 2 ** 30, requested: 1_000_000 },
      ]),
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 51204Ki. Container main was using 60Mi, request is 0, has larger consumption of memory. Container over was using 3Gi, request is 1000000, has larger consumption of memory. ',
    );
  });
  it('names no container for processes', () => {
    assert.equal(
      evictionMessage({ resource: 'pids', threshold: 1638, available: 12 }, []),
      'The node was low on resource: pids. Threshold quantity: 1638, available: 12. ',
    );
  });
});
