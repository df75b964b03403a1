import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  agedImages,
  imageBytesToFree,
  imagesToRemove,
  isFull,
  reserveBytes,
  shortages,
  type DiskUse,
  type ImageAge,
} from '../../../nodeagent/core/node/disk.ts';

const use = (freePercent: number, freeInodePercent = 100): DiskUse => ({
  bytes: 1000,
  freeBytes: freePercent * 10,
  inodes: 100,
  freeInodes: freeInodePercent,
});

describe("a node's disk", () => {
  for (const [name, disks, short, toFree] of [
    ['has room', { node: use(50), images: use(50) }, [], 0],
    ['is at the high mark', { node: use(15), images: use(15) }, [], 50],
    ['is just above it', { node: use(16), images: use(16) }, [], 0],
    ['is short for images', { node: use(50), images: use(14) }, ['imagefs.available'], Infinity],
    ['is short for pods', { node: use(9), images: use(50) }, ['nodefs.available'], Infinity],
    ['is at the threshold for pods', { node: use(10), images: use(50) }, [], 0],
    ['is short for both', { node: use(9), images: use(9) }, ['nodefs.available', 'imagefs.available'], Infinity],
    ['has no inodes left', { node: use(50, 4), images: use(50, 5) }, ['nodefs.inodesFree'], Infinity],
    ['makes inodes as it needs them', { node: { ...use(50), inodes: 0, freeInodes: 0 }, images: use(50) }, [], 0],
    [
      'is large and has more than a node needs',
      { node: { ...use(50), bytes: 2e12, freeBytes: 5e10 }, images: { ...use(50), bytes: 2e12, freeBytes: 5e10 } },
      [],
      0,
    ],
    [
      'is large and has less',
      { node: { ...use(50), bytes: 2e12, freeBytes: 1e10 }, images: { ...use(50), bytes: 2e12, freeBytes: 1e10 } },
      ['nodefs.available', 'imagefs.available'],
      Infinity,
    ],
    [
      'cannot be measured',
      {
        node: { bytes: 0, freeBytes: 0, inodes: 0, freeInodes: 0 },
        images: { bytes: 0, freeBytes: 0, inodes: 0, freeInodes: 0 },
      },
      [],
      0,
    ],
  ] as const) {
    it(name, () => {
      assert.deepEqual(shortages(disks), short);
      assert.equal(Math.round(imageBytesToFree(disks)), toFree);
    });
  }
});

describe('a full disk', () => {
  const free = (bytes: number, freeBytes: number): DiskUse => ({ ...use(50), bytes, freeBytes });
  for (const [name, disks, full] of [
    ['to the last byte', { node: free(1e9, 0), images: free(1e9, 1e8) }, true],
    ['but for what a runtime needs', { node: free(1e12, 5e6), images: free(1e12, 5e6) }, false],
    ['for images alone', { node: free(1e12, 5e9), images: free(1e8, 1e6) }, true],
    ['that cannot be measured', { node: free(0, 0), images: free(0, 0) }, false],
  ] as const) {
    it(name, () => assert.equal(isFull(disks), full));
  }
  it('has a reserve in keeping with its size', () => {
    assert.deepEqual(
      [reserveBytes({ node: free(1e6, 0), images: use(0) }), reserveBytes({ node: free(1e12, 0), images: use(0) })],
      [20_000, 32 * 2 ** 20],
    );
  });
});

describe('images to remove', () => {
  const image = (id: string, sizeBytes = 10) => ({ id, tags: [`${id}:1`], digests: [`${id}@sha256:1`], sizeBytes });
  const NOW = 1_000_000;
  const age = (firstSeenAt: number, usedAt?: number): ImageAge => ({ firstSeenAt, usedAt });
  const images = [image('pause'), image('used'), image('old'), image('older'), image('never'), image('new')];
  const ages = new Map([
    ['pause', age(0)],
    ['used', age(0, NOW)],
    ['old', age(0, 500)],
    ['older', age(0, 400)],
    ['never', age(100)],
    ['new', age(NOW - 119_999)],
  ]);
  const inUse = new Set(['pause:1', 'used']);

  for (const [name, bytes, removed] of [
    ['are none when nothing is to be freed', 0, []],
    ['are the least recently used first', 1, ['never']],
    ['are as many as it takes', 15, ['never', 'older']],
    ['are never those in use, nor new ones', Infinity, ['never', 'older', 'old']],
  ] as const) {
    it(name, () => assert.deepEqual(imagesToRemove(images, ages, inUse, bytes, NOW), removed));
  }

  it('age by when they were seen and used; one that is gone is forgotten', () => {
    const first = agedImages(new Map(), [image('a'), image('b')], new Set(['a@sha256:1']), 5);
    assert.deepEqual(
      [...first],
      [
        ['a', age(5, 5)],
        ['b', age(5)],
      ],
    );
    assert.deepEqual([...agedImages(first, [image('a')], new Set(), 9)], [['a', age(5, 5)]]);
  });
});
