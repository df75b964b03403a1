import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { describe, it } from 'node:test';
import { descriptorLines, jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';

describe("the agent's log", () => {
  it('loses lines that a full disk or a closed pipe refuses, and nothing else', () => {
    for (const [path, flags, code] of [
      ['/dev/full', 'w', 'ENOSPC'],
      ['/dev/null', 'r', 'EBADF'],
    ] as const) {
      const descriptor = openSync(path, flags);
      const write = descriptorLines(descriptor);
      assert.throws(() => write('a line\n'), { code });
      assert.doesNotThrow(() => jsonLog(write).info('a line'));
      closeSync(descriptor);
    }
  });

  it('says how many were lost when lines are taken again', () => {
    const lines: { message: string; lines?: number }[] = [];
    let full = true;
    const log = jsonLog((line) => {
      if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      lines.push(JSON.parse(line) as { message: string });
    });
    log.info('one');
    log.warn('two');
    log.debug('not asked for');
    full = false;
    log.info('three');
    log.info('four');
    assert.deepEqual(
      lines.map(({ message, lines: count }) => [message, count]),
      [
        ['log lines were lost', 2],
        ['three', undefined],
        ['four', undefined],
      ],
    );
  });

  it('takes fields that no JSON can hold for a lost line', () => {
    const lines: string[] = [];
    const log = jsonLog((line) => lines.push(line));
    log.info('huge', { count: 1n });
    log.info('fine', { detail: new Error('as its message') });
    assert.equal(lines.length, 2);
    assert.match(lines[1] ?? '', /"detail":"as its message"/);
  });
});
