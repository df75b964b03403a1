import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatusLine } from '../../../contracts/agent/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { reportedImages } from '../../../nodeagent/core/node/images.ts';
import { createStatusHub } from '../../../nodeagent/loops/status-hub.ts';

const image = (sizeBytes: number, tags: readonly string[], digests: readonly string[] = []) => ({
  sizeBytes,
  tags,
  digests,
});

describe('the images that a node reports', () => {
  it('are the largest fifty, ties by name, whatever order they are listed in', () => {
    const images = Array.from({ length: 60 }, (_, i) => image(i < 10 ? 5 : i, [`app:${String(i).padStart(2, '0')}`]));
    const told = reportedImages(images);
    assert.equal(told.length, 50);
    assert.deepEqual(
      [told[0], told[49]],
      [
        { names: ['app:59'], sizeBytes: 59 },
        { names: ['app:10'], sizeBytes: 10 },
      ],
    );
    assert.deepEqual(reportedImages([...images].reverse()), told);
    assert.deepEqual(
      reportedImages([image(1, ['b']), image(1, ['a'])]).map(({ names }) => names[0]),
      ['a', 'b'],
    );
  });

  it('have digests and tags as names, five at most; without one they are left out', () => {
    assert.deepEqual(reportedImages([image(3, ['a:2', 'a:1'], ['a@sha256:1'])]), [
      { names: ['a@sha256:1', 'a:1', 'a:2'], sizeBytes: 3 },
    ]);
    assert.equal(reportedImages([image(3, ['1', '2', '3', '4', '5', '6'])])[0]?.names.length, 5);
    assert.deepEqual(reportedImages([image(3, [])]), []);
  });

  it('are told when they change, and to everyone who comes later', () => {
    const hub = createStatusHub(systemClock);
    const heard: StatusLine[] = [];
    hub.subscribe((line) => heard.push(line));
    hub.tellImages([{ names: ['a:1'], sizeBytes: 1 }]);
    hub.tellImages([{ names: ['a:1'], sizeBytes: 1 }]);
    assert.deepEqual(heard, [{ type: 'synced' }, { type: 'images', images: [{ names: ['a:1'], sizeBytes: 1 }] }]);
    const later: StatusLine[] = [];
    hub.subscribe((line) => later.push(line));
    assert.deepEqual(
      later.map((line) => line.type),
      ['images', 'synced'],
    );
  });
});
