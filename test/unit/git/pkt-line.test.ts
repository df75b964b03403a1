import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FLUSH, FlushReader, parseAdvertisement, parsePkts, pkt } from '../../../reconciler/adapters/git/pkt-line.ts';

/** What a hostile or broken server may send: bytes that are nearly packet lines. */
const crafted = fc
  .array(
    fc.oneof(
      fc
        .constantFrom(
          '0000',
          '0001',
          '0002',
          '0003',
          '0004',
          '0005',
          'ffff',
          'FFF0',
          '0x10',
          ' 12a',
          '-001',
          '+004',
          '1e10',
          '00',
          'zzzz',
          '001e# service=git-upload-pack\n',
        )
        .map((text) => Buffer.from(text)),
      fc.string({ unit: 'binary', maxLength: 40 }).map(pkt),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts));

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

/**
 * What a reader says of bytes in chunks: where the flush ended, that they are no packet lines, or that more are needed.
 */
function told(chunks: readonly Buffer[]): number | 'invalid' | 'more' {
  const reader = new FlushReader();
  try {
    for (const [i, chunk] of chunks.entries()) {
      const found = reader.take(chunk);
      if (found) {
        assert.deepEqual(
          Buffer.concat([found.upToFlush, found.rest, ...chunks.slice(i + 1)]),
          Buffer.concat([...chunks]),
        );
        return found.upToFlush.length;
      }
    }
    return 'more';
  } catch (error) {
    assert.ok(error instanceof RangeError);
    return 'invalid';
  }
}

describe('Git packet lines', () => {
  it('ends on whatever a server sends, and says the same however it is cut into chunks', () => {
    fc.assert(
      fc.property(crafted, fc.integer({ min: 1, max: 50 }), (bytes, size) => {
        const whole = told([bytes]);
        assert.deepEqual(told(cut(bytes, size)), whole);
        if (typeof whole === 'number') assert.equal(parsePkts(bytes.subarray(0, whole)).at(-1), undefined);
      }),
      { numRuns: 2000 },
    );
  });

  it('parses what it writes, and throws nothing but RangeError for anything else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.string({ unit: 'binary', maxLength: 100 }), { nil: undefined })),
        (payloads) => {
          const bytes = Buffer.concat(payloads.map((payload) => (payload === undefined ? FLUSH : pkt(payload))));
          assert.deepEqual(
            parsePkts(bytes).map((line) => line?.toString('utf8')),
            payloads.map((payload) => (payload === undefined ? undefined : Buffer.from(payload).toString('utf8'))),
          );
        },
      ),
    );
    fc.assert(
      fc.property(crafted, (bytes) => {
        for (const parse of [parsePkts, parseAdvertisement]) {
          try {
            parse(bytes);
          } catch (error) {
            assert.ok(error instanceof RangeError, String(error));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  const table: readonly [string, ReturnType<typeof told>][] = [
    ['0000', 4],
    ['0008abcd0000rest', 12],
    ['', 'more'],
    ['00', 'more'],
    ['0008ab', 'more'],
    ['0001', 'invalid'],
    ['00030000', 'invalid'],
    ['0x100000', 'invalid'],
    ['Welcome to Debian\n', 'invalid'],
    ['fff1', 'invalid'],
    ['W', 'invalid'],
  ];
  for (const [text, wanted] of table)
    it(`finds ${String(wanted)} in ${JSON.stringify(text)}`, () => assert.deepEqual(told([Buffer.from(text)]), wanted));
});
