import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  canonicalRange,
  formatAddress,
  nthAddress,
  parseAddress,
  parseRange,
  readAddress,
  rangeHas,
  rangesOverlap,
  readRange,
  subrange,
} from '../../contracts/ipv4.ts';

describe('IPv4 addresses', () => {
  for (const [text, address] of [
    ['0.0.0.0', 0],
    ['1.2.3.4', 0x01020304],
    ['10.0.100.209', 0x0a0064d1],
    ['255.255.255.255', 0xffffffff],
  ] as const)
    it(`${text} is one, and is written as it was read`, () => {
      assert.equal(parseAddress(text), address);
      assert.equal(formatAddress(address), text);
    });

  for (const text of [
    '',
    '.',
    '...',
    '1.2.3',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '1.2.3.4.',
    '1.2.3.4.5',
    '0.0.0.0.0.0.0.0',
    '256.1.1.1',
    '1.1.1.256',
    '1.1.1.1000',
    '00.1.1.1',
    '1.01.1.1',
    '1.1.1.00',
    '+1.1.1.1',
    '1.1.1.1 ',
    ' 1.1.1.1',
    '1.1.1.1\n',
    '1.1.1.a',
    '1,1,1,1',
    '::1',
    '１.1.1.1',
  ])
    it(`${JSON.stringify(text)} is none`, () => {
      assert.equal(readAddress(text), undefined);
      assert.throws(() => parseAddress(text), RangeError);
    });
});

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
