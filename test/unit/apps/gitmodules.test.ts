/** `.gitmodules` as Git reads it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readGitmodules } from '../../../reconciler/core/apps/gitmodules.ts';
import { processorTime } from '../../support/processor-time.ts';

function entries(text: string): Readonly<Record<string, string>> {
  const read = readGitmodules(text);
  assert.ok(read.ok, JSON.stringify(read));
  return Object.fromEntries([...read.byPath].map(([path, { url }]) => [path, url]));
}

describe('.gitmodules', () => {
  it('names submodules by path, whatever they are called', () => {
    const read = readGitmodules(
      '[submodule "lib"]\n\tpath = libs/lib\n\turl = ../lib.git\n\tbranch = stable\n[submodule "b"]\n\tpath = b/\n\turl = https://h/b\n\tupdate = none\n\tbranch = .\n',
    );
    assert.ok(read.ok);
    assert.deepEqual(
      [...read.byPath.values()],
      [
        { path: 'libs/lib', url: '../lib.git', branch: 'stable', isLeftOut: false, line: 1 },
        { path: 'b', url: 'https://h/b', branch: undefined, isLeftOut: true, line: 5 },
      ],
    );
  });

  const same: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ['comments and blank lines', '# a\n\n; b\n[submodule "x"] # c\n path=x # d\n url = u ; e\n', { x: 'u' }],
    ['quotes and escapes', '[submodule "x"]\npath = "a b#c"\nurl = "u\\"\\\\"\n', { 'a b#c': 'u"\\' }],
    ['a line that goes on', '[submodule "x"]\npath = a\\\nb\nurl = u\n', { ab: 'u' }],
    [
      'a line that ends with a backslash, and goes on',
      '[submodule "x"]\npath = a\\\\\\\nb\\\n\\\nc\nurl = u\\\\\n',
      { 'a\\bc': 'u\\' },
    ],
    ['a variable beside its section', '[submodule "x"] path = x\nurl = u\n', { x: 'u' }],
    [
      'the last of equal variables, and sections of one name',
      '[submodule "x"]\npath=a\npath=x\n[submodule "x"]\nURL=u\n',
      { x: 'u' },
    ],
    ['other sections', '[core]\npath = no\nurl = no\nbare\n[submodule]\npath = no\nurl = no\n', {}],
    ['sections without a URL or a path', '[submodule "x"]\npath = x\n[submodule "y"]\nurl = u\n', {}],
    [
      'names of objects',
      '[submodule "__proto__"]\npath = __proto__\nurl = u\n',
      Object.fromEntries([['__proto__', 'u']]),
    ],
    ['lines of Windows', '[submodule "x"]\r\n\tpath = x\r\n\turl = u\r\n', { x: 'u' }],
  ];
  for (const [what, text, found] of same)
    it(`may have ${what}`, () => {
      assert.deepEqual(entries(text), found);
    });

  const refused: readonly (readonly [string, string, number, RegExp])[] = [
    ['what is no configuration', '[submodule "x"]\n\tpath = x\n<<<<<<< HEAD\n', 3, /no line of a Git configuration/],
    ['a quote that does not end', '[submodule "x"]\npath = "x\nurl = u\n', 2, /a quote or a backslash/],
    ['an unknown escape', '[submodule "x"]\npath = \\x\nurl = u\n', 2, /a quote or a backslash/],
    ['one path twice', '[submodule "x"]\npath=x\nurl=u\n[submodule "y"]\npath=x\nurl=v\n', 4, /names x a second time/],
  ];
  for (const [what, text, line, message] of refused)
    it(`with ${what} is refused at its line`, () => {
      const read = readGitmodules(text);
      assert.ok(!read.ok);
      assert.equal(read.line, line);
      assert.match(read.message, message);
    });

  it('is read in time that grows with it', () => {
    const seconds = processorTime();
    readGitmodules(`[submodule "x"]\npath = ${'\\\\'.repeat(200_000)}\nurl = ${'" '.repeat(200_000)}\n`);
    readGitmodules(`[submodule "${'\\'.repeat(400_000)}\n`);
    readGitmodules(' '.repeat(900_000));
    readGitmodules(`[submodule "x"]\npath = ${'x\\\n'.repeat(300_000)}\n`);
    readGitmodules(`[submodule "x"]\npath = ${'\\\n'.repeat(400_000)}\n`);
    assert.ok(seconds() < 5);
  });
});
