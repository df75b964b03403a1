import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  canonicalAddress,
  canonicalCidr,
  cidrHas,
  cidrsOverlap,
  compareAddresses,
  familyOf,
  familyOfRange,
  nthOf,
} from '../../contracts/ip.ts';
import { parseRange6, subrange6 } from '../../contracts/ipv6.ts';

describe('addresses of either family', () => {
  /** Written, and as the kernel writes it (RFC 5952, 4; RFC 4291, 2.2). */
  const cases: readonly (readonly [text: string, canonical: string])[] = [
    ['10.0.0.1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8:0:0:1:0:0:0', '2001:db8:0:0:1::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::198.18.0.255', '64:ff9b::c612:ff'],
  ];
  for (const [text, canonical] of cases) {
    it(`reads ${text}`, () => {
      assert.equal(canonicalAddress(text), canonical);
      assert.equal(familyOf(text), text.includes(':') ? 'IPv6' : 'IPv4');
    });
  }

  for (const text of [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
    ':1:2:3:4:5:6:7',
    'fe80::1%eth0',
    '::1.2.3',
    '::1.2.3.256',
    '::01.2.3.4',
    '1.2.3.4::',
    '010.0.0.1',
    `::${'0'.repeat(60)}`,
  ]) {
    it(`reads no address from "${text.slice(0, 30)}"`, () => {
      assert.equal(familyOf(text), undefined);
    });
  }

  it('orders by number, IPv4 first', () => {
    assert.deepEqual(['fd00::a', '::2', '10.0.0.9', 'fd00::9', '9.0.0.0'].sort(compareAddresses), [
      '9.0.0.0',
      '10.0.0.9',
      '::2',
      'fd00::9',
      'fd00::a',
    ]);
  });
});

describe('ranges of either family', () => {
  it('cuts off host bits', () => {
    assert.equal(canonicalCidr('10.1.2.3/16'), '10.1.0.0/16');
    assert.equal(canonicalCidr('FD00:0::1:2/112'), 'fd00::1:0/112');
    assert.equal(canonicalCidr('::1/0'), '::/0');
    assert.equal(canonicalCidr('fd00::1/128'), 'fd00::1/128');
  });
  for (const text of [
    'fd00::',
    'fd00::/129',
    'fd00::/064',
    'fd00::/-1',
    'fd00::/',
    '/64',
    'fd00::/64/64',
    'fd00::%1/64',
  ]) {
    it(`reads no range from ${text}`, () => {
      assert.equal(familyOfRange(text), undefined);
      assert.throws(() => canonicalCidr(text), RangeError);
    });
  }
  const overlaps: readonly (readonly [a: string, b: string, overlap: boolean])[] = [
    ['fd00::/64', 'fd00::ffff:0:0:0/80', true],
    ['fd00::/64', 'fd00:0:0:1::/64', false],
    ['::/0', 'ffff::/16', true],
    ['::/0', '10.0.0.0/8', false],
    ['0.0.0.0/0', '10.0.0.0/8', true],
  ];
  for (const [a, b, overlap] of overlaps) {
    it(`${a} and ${b} ${overlap ? 'overlap' : 'are apart'}`, () => {
      assert.equal(cidrsOverlap(a, b), overlap);
      assert.equal(cidrsOverlap(b, a), overlap);
    });
  }
  it('has addresses of its own family alone', () => {
    assert.equal(cidrHas('fd00::/64', 'fd00::ffff:ffff:ffff:ffff'), true);
    assert.equal(cidrHas('fd00::/64', 'fd00:0:0:1::'), false);
    assert.equal(cidrHas('::/0', '10.0.0.1'), false);
    assert.equal(cidrHas('0.0.0.0/0', '::1'), false);
    assert.equal(cidrHas('0.0.0.0/0', '10.0.0.1'), true);
  });
  it('counts addresses and parts', () => {
    assert.equal(nthOf('fd00::/64', 2), 'fd00::2');
    assert.equal(nthOf('10.0.0.7/24', 2), '10.0.0.2');
    assert.equal(subrange6(parseRange6('fd00:10:244::/56'), 64, 255), 'fd00:10:244:ff::/64');
    assert.equal(subrange6(parseRange6('fd00:10:244::/56'), 64, 256), undefined);
    assert.equal(subrange6(parseRange6('fd00:10:244::/56'), 48, 0), undefined);
  });
});
