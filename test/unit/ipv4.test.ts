import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  canonicalRange,
  nthAddress,
  parseRange,
  rangeHas,
  rangesOverlap,
  readRange,
  subrange,
} from '../../contracts/ipv4.ts';

describe('IPv4 ranges', () => {
  const cases: readonly (readonly [a: string, b: string, overlap: boolean])[] = [
    ['198.18.0.0/24', '198.18.0.128/25', true],
    ['198.18.0.0/24', '198.18.1.0/24', false],
    ['198.18.0.0/24', '198.18.0.0/15', true],
    ['198.18.9.0/24', '198.18.9.7/32', true],
    ['198.18.9.0/24', '10.0.0.0/8', false],
    ['255.255.255.255/32', '255.255.255.0/24', true],
    ['0.0.0.0/0', '255.255.255.255/32', true],
  ];
  for (const [a, b, overlap] of cases) {
    it(`${a} and ${b} ${overlap ? 'overlap' : 'are apart'}`, () => {
      assert.equal(rangesOverlap(parseRange(a), parseRange(b)), overlap);
      assert.equal(rangesOverlap(parseRange(b), parseRange(a)), overlap);
    });
  }

  for (const text of [
    '',
    '1.2.3.4',
    '1.2.3/8',
    '1.2.3.256/8',
    '01.2.3.4/8',
    '1.2.3.4/33',
    '1.2.3.4/8/8',
    '1.2.3.4/',
    'default',
    'fe80::1/64',
  ])
    it(`'${text}' is none`, () => {
      assert.equal(readRange(text), undefined);
      assert.throws(() => parseRange(text), RangeError);
    });

  it('lose their host bits', () => assert.equal(canonicalRange('198.19.1.77/24'), '198.19.1.0/24'));

  it('have addresses by number', () => assert.equal(nthAddress('198.19.1.0/24', 2), '198.19.1.2'));

  it('have the addresses from first to last', () => {
    assert.equal(rangeHas(parseRange('198.18.0.0/15'), '198.19.255.255'), true);
    assert.equal(rangeHas(parseRange('198.18.0.0/15'), '198.20.0.0'), false);
    assert.equal(rangeHas(parseRange('0.0.0.0/0'), '255.255.255.255'), true);
    assert.equal(rangeHas(parseRange('0.0.0.0/0'), 'nothing'), false);
  });

  it('are cut into parts as long as there are any', () => {
    const range = parseRange('198.18.5.9/23');
    assert.deepEqual(
      [0, 1, 2].map((index) => subrange(range, 24, index)),
      ['198.18.4.0/24', '198.18.5.0/24', undefined],
    );
  });
});
