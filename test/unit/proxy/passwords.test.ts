/** Passwords of basic authentication: which are checked, and which cost a worker too much. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Assembly } from '../../../nodeagent/core/proxy/assembly.ts';
import { usersOf } from '../../../nodeagent/core/proxy/passwords.ts';

describe('passwords of a Secret', () => {
  const cases: readonly (readonly [string, 'checked' | 'leftOut' | 'tooDear'])[] = [
    ['{PLAIN}secret', 'checked'],
    ['$1$salt$x', 'checked'],
    ['$2y$05$abcdefghijklmnopqrstuu', 'checked'],
    ['$2b$11$abcdefghijklmnopqrstuu', 'checked'],
    ['$2y$12$abcdefghijklmnopqrstuu', 'tooDear'],
    ['$2a$31$abcdefghijklmnopqrstuu', 'tooDear'],
    ['$2y$5$abcdefghijklmnopqrstuu', 'leftOut'],
    ['$6$salt$x', 'checked'],
    ['$5$rounds=50000$salt$x', 'checked'],
    ['$6$rounds=50001$salt$x', 'tooDear'],
    ['$6$rounds=999999999$salt$x', 'tooDear'],
    ['$6$rounds=00999999999$salt$x', 'leftOut'],
    ['$5$rounds=x$salt$x', 'leftOut'],
    ['$y$j9T$salt$x', 'leftOut'],
    ['$gy$j9T$salt$x', 'leftOut'],
    ['$7$CU..../....salt$x', 'leftOut'],
    ['$apr1$salt$x', 'leftOut'],
    ['{SHA}x', 'leftOut'],
  ];
  for (const [hash, expected] of cases)
    it(`${hash} is ${expected}`, () => {
      const { lines, leftOut, tooDear } = usersOf(`anna:${hash}\n`, 1000);
      assert.deepEqual(
        [lines.length, leftOut, tooDear],
        {
          checked: [1, [], []],
          leftOut: [0, ['anna'], []],
          tooDear: [0, [], ['anna']],
        }[expected],
      );
    });

  it('are checked while all together take no longer than they may', () => {
    const text = ['a:$2y$10$x', 'b:$2y$10$x', 'c:$2y$10$x', 'd:$2y$05$x'].join('\n');
    const { lines, tooDear, cost } = usersOf(text, 150);
    assert.deepEqual([lines.length, tooDear, cost], [3, ['c'], 130]);
  });

  it('of all Secrets keep a reload no longer than ten seconds, and who is left out is told', () => {
    const dear = Array.from({ length: 40 }, (_, at) => `user-${at}:$2y$11$x`).join('\n');
    const assembly = new Assembly(
      { certificate: () => ({ problem: 'none' }), passwords: () => dear },
      new Map(),
      new Map(),
    );
    const of = { port: 80, hostname: '', origin: 'rule' };
    const users = ['a', 'b', 'c', 'd', 'e', 'f', 'a'].map((name) => {
      const list = assembly.users(80, { namespace: 'default', name }, of);
      return (assembly.userlists.get(list ?? '') ?? []).length - 1;
    });
    assert.deepEqual(users, [15, 15, 15, 15, 15, 3, 15]);
    assert.equal(assembly.problems.length, 6);
    assert.match(assembly.problems[5]?.message ?? '', /default\/f: passwords of 37 users take too long/);
  });
});
