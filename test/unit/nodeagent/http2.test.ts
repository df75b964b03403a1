import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { huffmanDecode } from '../../../nodeagent/core/wire/hpack-huffman.ts';
import { encodeHeaders, HeaderDecoder, HpackError } from '../../../nodeagent/core/wire/hpack.ts';
import { Http2Client } from '../../../nodeagent/core/wire/http2-client.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('hpack', () => {
  // RFC 7541, Appendix C.4.1 and C.6.1 to C.6.3.
  it('unpacks the texts of the RFC', () => {
    assert.equal(huffmanDecode(hex('f1e3 c2e5 f23a 6ba0 ab90 f4ff')), 'www.example.com');
    assert.equal(
      huffmanDecode(hex('d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff')),
      'Mon, 21 Oct 2013 20:13:21 GMT',
    );
    assert.equal(huffmanDecode(hex('ffff ffff')), undefined);
    assert.equal(huffmanDecode(hex('f1e3 c2e5 f23a 6ba0 ab90 f4')), undefined);
  });

  it('reads the responses of the RFC one after the other, with their table', () => {
    const decoder = new HeaderDecoder();
    const date = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'];
    const location = ['location', 'https://www.example.com'];
    assert.deepEqual(
      decoder.decode(
        hex(
          '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        ),
      ),
      [[':status', '302'], ['cache-control', 'private'], date, location],
    );
    assert.deepEqual(decoder.decode(hex('4883 640e ffc1 c0bf')), [
      [':status', '307'],
      ['cache-control', 'private'],
      date,
      location,
    ]);
  });

  it('reads what it writes', () => {
    const headers = [
      [':method', 'POST'],
      [':path', `/${'x'.repeat(500)}`],
      ['te', 'trailers'],
    ] as const;
    assert.deepEqual(new HeaderDecoder().decode(encodeHeaders(headers)), headers);
  });

  it('refuses a block that unpacks to more than is taken', () => {
    // One entry of 4,000 bytes in the table, then one byte for each use of it.
    const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 0x62)]);
    assert.equal(new HeaderDecoder().decode(Buffer.concat([entry, Buffer.alloc(10, 0xbe)])).length, 11);
    assert.throws(() => new HeaderDecoder().decode(Buffer.concat([entry, Buffer.alloc(20, 0xbe)])), HpackError);
  });

  for (const [what, bytes] of [
    ['an index without entry', 'ff20'],
    ['an end inside a number', 'ff'],
    ['an end inside a text', '0005 61'],
    ['a table that is too large', '3fe1ff03'],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => new HeaderDecoder().decode(hex(bytes)), HpackError));
  }
});

describe('http2 client', () => {
  const settings = (id: number, value: number): Buffer =>
    hex(`000006 04 00 00000000 ${id.toString(16).padStart(4, '0')} ${value.toString(16).padStart(8, '0')}`);
  const windowUpdate = (stream: number, more: number): Buffer =>
    hex(`000004 08 00 ${stream.toString(16).padStart(8, '0')} ${more.toString(16).padStart(8, '0')}`);
  /** Lengths of the data frames in the output, the last with `!` when it ends the stream. */
  function dataFrames(output: Buffer, skip = 0): string[] {
    const found: string[] = [];
    for (let at = skip; at < output.length; at += 9 + output.readUIntBE(at, 3)) {
      if (output[at + 3] === 0)
        found.push(`${output.readUIntBE(at, 3)}${((output[at + 4] ?? 0) & 1) === 1 ? '!' : ''}`);
    }
    return found;
  }

  it('begins as RFC 9113 says and cuts a body to what the peer allows', () => {
    const client = new Http2Client();
    const stream = client.request([[':method', 'POST']], Buffer.alloc(100_000));
    const output = client.takeOutput();
    assert.equal(output.subarray(0, 24).toString(), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    assert.deepEqual(dataFrames(output, 24), ['16384', '16384', '16384', '16383']);
    assert.deepEqual(dataFrames((client.receive(windowUpdate(stream, 50_000)), client.takeOutput())), []);
    assert.deepEqual(dataFrames((client.receive(windowUpdate(0, 20_000)), client.takeOutput())), ['16384', '3616']);
    assert.deepEqual(dataFrames((client.receive(windowUpdate(0, 20_000)), client.takeOutput())), ['14465!']);
  });

  it('follows the settings of the peer', () => {
    const client = new Http2Client();
    client.request([[':method', 'POST']], Buffer.alloc(70_000));
    client.takeOutput();
    client.receive(windowUpdate(0, 100_000));
    client.receive(settings(4, 68_000));
    assert.deepEqual(dataFrames(client.takeOutput()), ['2465']);
    client.receive(settings(5, 1_000_000));
    client.receive(settings(4, 1_000_000));
    assert.deepEqual(dataFrames(client.takeOutput()), ['2000!']);
  });

  it('puts headers and data together whatever the pieces, and tells nothing of a stream that was given up', () => {
    const headers = encodeHeaders([['grpc-status', '0']]);
    const answer = Buffer.concat([
      settings(3, 100),
      hex('000003 00 08 00000001'),
      Buffer.from([1, 0x61, 0]),
      hex(`${headers.subarray(0, 4).length.toString(16).padStart(6, '0')} 01 01 00000001`),
      headers.subarray(0, 4),
      hex(`${(headers.length - 4).toString(16).padStart(6, '0')} 09 04 00000001`),
      headers.subarray(4),
    ]);
    for (let cut = 0; cut <= answer.length; cut += 1) {
      const client = new Http2Client();
      client.request([], Buffer.from('x'));
      const events = [...client.receive(answer.subarray(0, cut)), ...client.receive(answer.subarray(cut))];
      assert.deepEqual(events, [
        { type: 'data', stream: 1, data: Buffer.from('a'), last: false },
        { type: 'headers', stream: 1, headers: [['grpc-status', '0']], last: true },
      ]);
    }
    const client = new Http2Client();
    client.cancel(client.request([], Buffer.from('x')));
    assert.deepEqual(client.receive(answer), []);
  });

  const framed = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const header = Buffer.alloc(9);
    header.writeUIntBE(payload.length, 0, 3);
    header.set([type, flags], 3);
    header.writeUInt32BE(stream, 5);
    return Buffer.concat([header, payload]);
  };
  const many = (count: number, one: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => one));
  for (const [what, bytes] of [
    ['a frame longer than was agreed', framed(0, 0, 1, Buffer.alloc(16_385))],
    [
      'a header block without end',
      Buffer.concat([framed(1, 0, 1, Buffer.alloc(0)), many(20, framed(9, 0, 1, Buffer.alloc(0)))]),
    ],
    [
      'a header block that is too large',
      Buffer.concat([framed(1, 0, 1, Buffer.alloc(16_000)), many(5, framed(9, 0, 1, Buffer.alloc(16_000)))]),
    ],
    [
      'another frame inside a header block',
      Buffer.concat([framed(1, 0, 1, Buffer.alloc(0)), framed(6, 0, 0, Buffer.alloc(8))]),
    ],
    ['the rest of a header block without its beginning', framed(9, 4, 1, Buffer.alloc(0))],
    ['a push', framed(5, 4, 1, Buffer.alloc(8))],
    ['more padding than bytes', framed(0, 8, 1, Buffer.from([200, 0, 0]))],
    ['a window that is too large', settings(4, 2 ** 31)],
    ['frames of no size', settings(5, 0)],
    ['a flood of pings', many(11_000, framed(6, 0, 0, Buffer.alloc(8)))],
    ['a flood of settings', many(11_000, settings(3, 1))],
  ] as const) {
    it(`refuses ${what}`, () => {
      const client = new Http2Client();
      client.request([], Buffer.from('x'));
      client.takeOutput();
      assert.throws(() => client.receive(bytes), Error);
    });
  }

  it('answers a ping, and passes a goodbye on', () => {
    const client = new Http2Client();
    client.takeOutput();
    assert.deepEqual(client.receive(hex('000008 06 00 00000000 0102030405060708')), []);
    assert.equal(client.takeOutput().toString('hex'), '0000080601000000000102030405060708');
    assert.deepEqual(client.receive(hex('000008 07 00 00000000 00000005 00000000')), [
      { type: 'goaway', lastStream: 5 },
    ]);
  });
});
