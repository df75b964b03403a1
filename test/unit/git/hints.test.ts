import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hintsFrom } from '../../../reconciler/adapters/git/hints.ts';
import { Nudges } from '../../../reconciler/adapters/git/nudges.ts';
import { makeFolder } from '../../support/folder.ts';

const AN_HOUR = 3600;

describe('when to look at a branch', () => {
  it('says who told, and of several that nobody has read the first', async () => {
    const folder = makeFolder('plumb-hints-');
    const stop = new AbortController();
    try {
      const nudges = new Nudges();
      const hints = hintsFrom({ folders: [folder], nudges }, AN_HOUR, stop.signal);
      let next = hints.next();
      nudges.notify();
      assert.deepEqual(await next, { done: false, value: 'webhook' });
      next = hints.next();
      writeFileSync(join(folder, 'pushed'), 'x');
      assert.deepEqual(await next, { done: false, value: 'hook' });
      const polled = hintsFrom({ folders: [] }, 0.01, stop.signal);
      assert.deepEqual(await polled.next(), { done: false, value: 'poll' });
      await polled.return(undefined);
      stop.abort();
      for (let last = await hints.next(); last.done !== true;) last = await hints.next();
      nudges.notify();
    } finally {
      stop.abort();
      rmSync(folder, { recursive: true });
    }
  });
});
