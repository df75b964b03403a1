/** Places that `plumb cp` copies between. Source: Kubernetes, kubectl's cp_test.go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { archiveCommand, placeOf } from '../../../cli/commands/cp.ts';

describe('a place to copy from or to', () => {
  const cases: readonly [string, unknown][] = [
    ['/some/file', '/some/file'],
    ['file', 'file'],
    ['./a:b', './a:b'],
    ['../a:b', '../a:b'],
    ['/a:b', '/a:b'],
    ['pod:/some/file', { namespace: 'default', pod: 'pod', path: '/some/file' }],
    ['shop/pod:file', { namespace: 'shop', pod: 'pod', path: 'file' }],
    ['pod:/a:b', { namespace: 'default', pod: 'pod', path: '/a:b' }],
  ];
  for (const [word, place] of cases)
    it(word, () => {
      assert.deepEqual(placeOf(word, 'default'), place);
    });
  for (const word of ['', ':file', 'a/b/c:file', 'pod:', 'a/:file'])
    it(`refuses ${JSON.stringify(word)}`, () => {
      assert.throws(() => placeOf(word, 'default'), { exitCode: 2 });
    });
});

describe('what the container archives', () => {
  const cases: readonly [string, string, string, readonly string[]][] = [
    ['/srv/site', '/srv', './site', ['site']],
    ['/srv/site/', '/srv', './site', ['site']],
    ['/srv/../etc/./passwd', '/etc', './passwd', ['passwd']],
    ['site', '.', './site', ['site']],
    ['-rf', '.', './-rf', ['-rf']],
    ['/', '/', '.', []],
    ['.', '.', '.', []],
    ['../..', '../..', '.', []],
  ];
  for (const [path, folder, name, top] of cases)
    it(path, () => {
      assert.deepEqual(archiveCommand(path), { command: ['tar', 'cf', '-', '-C', folder, name], top });
    });
});
