import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseStat, startedBy, type Process } from '../../../nodeagent/core/probe/processes.ts';

const one = (pid: number, parent: number, session: number): Process => ({ pid, parent, session, startTime: pid });

describe('what a command has started', () => {
  // 1 is the container's own, 50 the command.
  for (const [what, processes, known, expected] of [
    ['itself', [one(1, 0, 1), one(50, 0, 50)], [], [50]],
    ['its children and theirs', [one(1, 0, 1), one(50, 0, 50), one(51, 50, 50), one(52, 51, 50)], [], [50, 51, 52]],
    ['children whose parent has ended', [one(1, 0, 1), one(51, 1, 50)], [], [51]],
    [
      'children in a session of their own',
      [one(1, 0, 1), one(50, 0, 50), one(51, 50, 51), one(52, 51, 51)],
      [],
      [50, 51, 52],
    ],
    ['children of what was found before', [one(1, 0, 1), one(53, 51, 53)], [51], [53]],
    ['not the container, nor another command', [one(1, 0, 1), one(2, 1, 1), one(60, 0, 60), one(61, 60, 60)], [], []],
    ['not a daemon that has left it', [one(1, 0, 1), one(51, 1, 51)], [], []],
  ] as const) {
    it(what, () =>
      assert.deepEqual(
        startedBy(50, processes, new Set(known)).map(({ pid }) => pid),
        expected,
      ),
    );
  }

  it('is read from /proc, whatever a program calls itself', () => {
    const own = parseStat(readFileSync('/proc/self/stat', 'utf8'));
    assert.equal(own?.parent, process.ppid);
    const line = (name: string, state: string): string =>
      `7 (${name}) ${state} 3 7 5 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 999 1 1 1\n`;
    assert.deepEqual(parseStat(line(') R 9 9 9 (', 'S')), { pid: 7, parent: 3, session: 5, startTime: 999 });
    for (const text of [line('x', 'Z'), '', 'nothing', '7 (x) S 1']) assert.equal(parseStat(text), undefined);
  });
});
