import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { imageBytes } from '../../../contracts/objects/local-volumes.ts';
import { isNewsOfRoom, roomForVolumes } from '../../../nodeagent/core/node/disk.ts';
import { deviceNumber, fileSystemBytes, loopDevices, mayGrowInto } from '../../../nodeagent/core/node/volume-image.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('the image of a volume', () => {
  for (const [capacity, bytes] of [
    [0.5, 16 * MIB],
    [16 * MIB, 16 * MIB],
    [GIB + 0.1, GIB + 4096],
    [1e9, 1_000_001_536],
  ] as const)
    it(`has ${bytes} bytes where ${capacity} are asked for`, () => assert.equal(imageBytes(capacity), bytes));

  it('may have as much as leaves the disk as much as it must have', () => {
    assert.equal(roomForVolumes({ bytes: 10 * GIB, freeBytes: 5 * GIB }), 4 * GIB);
    assert.equal(roomForVolumes({ bytes: 10 * GIB, freeBytes: GIB / 2 }), 0);
    assert.equal(roomForVolumes({ bytes: 4000 * GIB, freeBytes: 100 * GIB }), 90 * GIB);
  });

  it('is told of anew where there is room for more or less by a few per cent', () => {
    const news = [undefined, 100, 103, 104, 97, 96, 0].map((told) => isNewsOfRoom(100, told));
    assert.deepEqual(news, [true, false, false, true, false, true, true]);
    assert.equal(isNewsOfRoom(0, 0), false);
  });

  it('tells how large its file system is', () => {
    const superblock = Buffer.alloc(1024);
    assert.equal(fileSystemBytes(superblock), undefined);
    superblock.writeUInt16LE(0xef53, 0x38);
    superblock.writeUInt32LE(2, 0x18);
    superblock.writeUInt32LE(4096, 0x4);
    superblock.writeUInt32LE(1, 0x150);
    assert.equal(fileSystemBytes(superblock), 16 * MIB, 'the high half counts only where it is said to be one');
    superblock.writeUInt32LE(0x80, 0x60);
    assert.equal(fileSystemBytes(superblock), 16 * MIB + 2 ** 44);
    assert.equal(fileSystemBytes(superblock.subarray(0, 100)), undefined);
    assert.deepEqual([mayGrowInto(8192, 4096), mayGrowInto(8000, 4096)], [true, false]);
  });

  it('is known by its number and that of its file system', () => {
    assert.deepEqual(loopDevices('/dev/loop0   7:0   4251746   254:0  \n/dev/loop12 7:12 9 0:45\n\n'), [
      { name: '/dev/loop0', device: '7:0', inode: 4_251_746, on: '254:0' },
      { name: '/dev/loop12', device: '7:12', inode: 9, on: '0:45' },
    ]);
    assert.deepEqual([65_024, 45, 0x1234_5678].map(deviceNumber), ['254:0', '0:45', '1110:74616']);
  });
});
