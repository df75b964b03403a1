import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { followedRef } from '../../../reconciler/core/sources/follow.ts';
import { compareVersions, parseRange, parseVersion } from '../../../reconciler/core/sources/semver.ts';

function isIn(range: string, version: string): boolean {
  const [fits, parsed] = [parseRange(range), parseVersion(version)];
  assert.ok(fits, `${range} is a range`);
  assert.ok(parsed, `${version} is a version`);
  return fits(parsed);
}

describe('semantic versions', () => {
  it('are ordered as semver.org orders them', () => {
    const inOrder = [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.2.0',
      '1.10.0',
      'v2.0.0',
      '10.0.0',
    ];
    const mixed = inOrder.toReversed().toSorted((a, b) => compareVersions(parseVersion(a)!, parseVersion(b)!));
    assert.deepEqual(mixed, inOrder);
    assert.equal(compareVersions(parseVersion('1.0.0+a')!, parseVersion('1.0.0+b')!), 0);
  });

  for (const text of ['', '1', '1.2', '1.2.3.4', '01.2.3', '1.2.3-', 'w1.2.3', '1.2.3 ', `1.2.3-${'a'.repeat(300)}`])
    it(`are no other text: ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.equal(parseVersion(text), undefined);
    });
});

describe('ranges of versions', () => {
  const cases: readonly (readonly [range: string, has: readonly string[], hasNot: readonly string[]])[] = [
    ['1.2.3', ['1.2.3', 'v1.2.3', '1.2.3+build'], ['1.2.4', '1.2.3-rc.1']],
    ['=1.2', ['1.2.0', '1.2.9'], ['1.3.0', '1.1.9']],
    ['!=1.2.3', ['1.2.4'], ['1.2.3']],
    ['>= 1.2, < 3.0.0 || >= 4.2.3', ['1.2.0', '2.9.9', '4.2.3', '5.0.0'], ['1.1.9', '3.0.0', '4.2.2']],
    ['>=1.0.0 <2.0.0', ['1.0.0', '1.99.0'], ['2.0.0', '2.0.0-rc.1', '0.9.9']],
    ['1.2 - 1.4.5', ['1.2.0', '1.4.5'], ['1.4.6', '1.1.0']],
    ['2.3.4 - 4.5', ['2.3.4', '4.5.9'], ['2.3.3', '4.6.0']],
    ['1.2.x', ['1.2.0', '1.2.7'], ['1.3.0']],
    ['>= 1.2.x', ['1.2.0', '9.0.0'], ['1.1.9']],
    ['<= 2.x', ['2.9.9', '0.1.0'], ['3.0.0']],
    ['> 2.x', ['3.0.0'], ['2.9.9']],
    ['*', ['0.0.0', '99.0.0'], ['1.0.0-rc.1']],
    ['~1.2.3', ['1.2.3', '1.2.9'], ['1.2.2', '1.3.0']],
    ['~1', ['1.0.0', '1.9.9'], ['2.0.0']],
    ['~2.3', ['2.3.0'], ['2.4.0']],
    ['~1.x', ['1.7.0'], ['2.0.0']],
    ['^1.2.3', ['1.2.3', '1.9.0'], ['1.2.2', '2.0.0', '2.0.0-rc.1']],
    ['^1.2.x', ['1.2.0', '1.9.0'], ['2.0.0']],
    ['^0.2.3', ['0.2.3', '0.2.9'], ['0.3.0']],
    ['^0.2', ['0.2.0'], ['0.3.0']],
    ['^0.0.3', ['0.0.3'], ['0.0.4']],
    ['^0.0', ['0.0.9'], ['0.1.0']],
    ['^0', ['0.9.0'], ['1.0.0']],
    ['>=1.2.3-0', ['1.2.3-beta.1', '1.2.3', '1.3.0-rc.1'], ['1.2.2']],
    ['^1.0.0-0', ['1.0.0-rc.1', '1.4.0-rc.1'], ['2.0.0-rc.1', '2.0.0']],
  ];
  for (const [range, has, hasNot] of cases)
    it(`${range} has ${has.join(', ')} and not ${hasNot.join(', ')}`, () => {
      for (const version of has) assert.ok(isIn(range, version), version);
      for (const version of hasNot) assert.ok(!isIn(range, version), version);
    });

  for (const text of ['', ' ', 'latest', '>', '1.2.3 ||', '^^1', '>=1.2.3.4', 'v', '1.2.3 && 2', '>1 '.repeat(40)])
    it(`are no other text: ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.equal(parseRange(text), undefined);
    });

  it('are read in time, whatever is written', () => {
    for (const text of ['1.'.repeat(127), '- '.repeat(127), '1 - '.repeat(60), '-'.repeat(256), '1-a.'.repeat(64)])
      parseRange(text);
  });
});

describe('what is followed', () => {
  const TAGS = ['v1.0.0', '1.2.0', 'v1.2.0', 'v1.10.0', 'v2.0.0-rc.1', 'nightly', 'v2'];
  it('is the highest version of a range, and the first name of two for one version', () => {
    assert.equal(followedRef({ semver: '^1' }, TAGS), 'refs/tags/v1.10.0');
    assert.equal(followedRef({ semver: '1.2.x' }, TAGS), 'refs/tags/1.2.0');
    assert.equal(followedRef({ semver: '>=2.0.0-0' }, TAGS), 'refs/tags/v2.0.0-rc.1');
    assert.equal(followedRef({ semver: '>=3' }, TAGS), undefined);
  });
  it('is a branch or a tag as it is named', () => {
    assert.equal(followedRef({ branch: 'main' }, []), 'refs/heads/main');
    assert.equal(followedRef({ tag: 'v2' }, []), 'refs/tags/v2');
  });
});
