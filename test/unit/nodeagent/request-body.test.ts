/** What the agent reads of an assignment's body, and what it does not take into memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { requestBody } from '../../../nodeagent/loops/api/request-body.ts';

const LIMIT = 1000;

async function* inPieces(body: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += 7) yield body.subarray(at, at + 7);
}

const read = (body: Buffer, encoding?: string): Promise<string> => requestBody(inPieces(body), encoding, LIMIT);

describe("a request's body", () => {
  it('is read as it is, and as gzip in one member or several', async () => {
    const parts = ['{"of": "all nodes ', 'höher"', '}'];
    const text = parts.join('');
    assert.equal(await read(Buffer.from(text)), text);
    assert.equal(await read(gzipSync(text), 'gzip'), text);
    assert.equal(await read(Buffer.concat(parts.map((part) => gzipSync(part))), 'gzip'), text);
  });

  const twice = gzipSync(Buffer.alloc(LIMIT - 1));
  for (const [what, body, encoding, refusal] of [
    ['longer than it may be', Buffer.alloc(LIMIT + 1), undefined, { status: 413, code: 'TooLarge' }],
    ['longer once it is decompressed', gzipSync(Buffer.alloc(LIMIT + 1)), 'gzip', { status: 413, code: 'TooLarge' }],
    ['longer in several members', Buffer.concat([twice, twice]), 'gzip', { status: 413, code: 'TooLarge' }],
    ['no gzip though it says so', Buffer.from('{}'), 'gzip', { status: 400, code: 'BadRequest' }],
    ['cut off', gzipSync('a text that is cut off').subarray(0, 20), 'gzip', { status: 400, code: 'BadRequest' }],
    ['compressed in another way', Buffer.from('{}'), 'br', { status: 415, code: 'EncodingUnknown' }],
  ] as const)
    it(`is refused when it is ${what}`, async () => {
      await assert.rejects(read(body, encoding), refusal);
    });

  it('has exactly the limit', async () => {
    assert.equal((await read(gzipSync(Buffer.alloc(LIMIT)), 'gzip')).length, LIMIT);
  });
});
