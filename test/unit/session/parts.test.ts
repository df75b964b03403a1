import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Part, Parts } from '../../../reconciler/session/part.ts';
import { MemoryLog } from '../runtime/world.ts';

describe('parts', () => {
  const log = new MemoryLog();
  const running = new AbortController().signal;

  function part(name: string, said: string[], fails?: 'start' | 'close'): Part<string> {
    return {
      name,
      start() {
        said.push(`start ${name}`);
        if (fails === 'start') throw new Error(`${name} does not start`);
        return `handle of ${name}`;
      },
      async close(started) {
        said.push(`close ${name} with ${String(started)}`);
        if (fails === 'close') throw new Error(`${name} does not end`);
      },
    };
  }

  it('end in the reverse order, each with what its start gave, once', async () => {
    const said: string[] = [];
    const parts = new Parts(running, log);
    assert.equal(await parts.start(part('a', said)), 'handle of a');
    await parts.start(part('b', said));
    await Promise.all([parts.close(), parts.close()]);
    await parts.close();
    assert.deepEqual(said, ['start a', 'start b', 'close b with handle of b', 'close a with handle of a']);
  });

  it('are ended also where the start failed or the signal came first', async () => {
    const said: string[] = [];
    const stop = new AbortController();
    const parts = new Parts(stop.signal, log);
    await assert.rejects(parts.start(part('a', said, 'start')), /a does not start/);
    stop.abort(new Error('stopped'));
    await assert.rejects(parts.start(part('b', said)), /stopped/);
    await parts.close();
    assert.deepEqual(said, ['start a', 'close b with undefined', 'close a with undefined']);
  });

  it('are ended when another does not end well, which the log tells', async () => {
    const said: string[] = [];
    const parts = new Parts(running, log);
    for (const fails of [undefined, 'close', undefined] as const) await parts.start(part(fails ?? 'well', said, fails));
    await parts.close();
    assert.deepEqual(
      said.filter((line) => line.startsWith('close')),
      ['close well with handle of well', 'close close with handle of close', 'close well with handle of well'],
    );
    assert.deepEqual(
      log.lines.map(({ fields }) => fields),
      [{ part: 'close', error: 'close does not end' }],
    );
  });
});
