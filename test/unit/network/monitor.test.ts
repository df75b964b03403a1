import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMonitorReader } from '../../../nodeagent/adapters/nft/monitor.ts';
import { createLineReader } from '../../../nodeagent/adapters/process/follow-command.ts';

function changes(...lines: string[]): string[] {
  const told: string[] = [];
  const read = createMonitorReader({ table: 'plumbline', generationChain: 'generation' }, (change) =>
    told.push(change),
  );
  for (const line of lines) read(line);
  return told;
}

const END = '# new generation 7 by process 4711 (nft)';

describe('what nft monitor says', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    [
      'a transaction of ours',
      [
        'flush chain ip plumbline svc-a',
        'add rule ip plumbline svc-a drop',
        'add rule ip plumbline generation jump anchor comment "7"',
        END,
      ],
      [],
    ],
    [
      'our table is deleted',
      [
        'delete rule ip plumbline generation handle 3',
        'delete chain ip plumbline anchor',
        'delete table ip plumbline',
        END,
      ],
      ['own-rules'],
    ],
    ['a rule of ours is deleted', ['delete rule ip plumbline services handle 9', END], ['own-rules']],
    [
      'a table with a longer name, and one of another family',
      ['add table ip plumbline2', 'add rule ip plumbline2 a drop', 'add rule inet plumbline a drop', END],
      ['others'],
    ],
    [
      'a chain of others',
      ['add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }', END],
      ['others'],
    ],
    ['everything is flushed', ['delete table ip plumbline', 'delete table ip filter', END], ['own-rules', 'others']],
    ['nothing before the transaction is over', ['delete table ip plumbline'], []],
    [
      'one after ours is told',
      ['add rule ip plumbline generation jump anchor comment "7"', END, 'delete table ip plumbline', END],
      ['own-rules'],
    ],
    ['events were lost', ['# ERROR: We lost some netlink events!', END], ['others']],
  ];
  for (const [name, lines, told] of cases)
    it(name, () => {
      assert.deepEqual(changes(...lines), told);
    });
});

describe('lines of a program', () => {
  it('are told once they are whole, and cut where they are too long', () => {
    const lines: string[] = [];
    const read = createLineReader((line) => lines.push(line));
    read('one\ntw');
    assert.deepEqual(lines, ['one']);
    read('o\n');
    for (let i = 0; i < 100; i += 1) read('x'.repeat(1024));
    read('\nlast\n');
    assert.deepEqual(
      lines.map((line) => (line.length > 10 ? line.length : line)),
      ['one', 'two', 16 * 1024, 'last'],
    );
  });
});
