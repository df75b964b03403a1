import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { pauseImage, pauseProgram } from '../../../nodeagent/core/image/pause.ts';
import { parseLogLine, plainText } from '../../../nodeagent/core/logs/cri-log.ts';
import { grpcFrame, GrpcMessages } from '../../../nodeagent/core/wire/grpc-frame.ts';
import {
  bool,
  bytes,
  decode,
  encode,
  int,
  ints,
  message,
  messages,
  text,
  textMap,
  texts,
  WireError,
} from '../../../nodeagent/core/wire/protobuf.ts';
import { dataFrames, openStreamFrame, takeSpdyFrames } from '../../../nodeagent/core/wire/spdy.ts';

describe('protobuf', () => {
  const Inner = { name: text(1), on: bool(2) };
  const Outer = {
    n: int(1),
    inner: message(2, Inner),
    list: messages(3, Inner),
    map: textMap(4),
    words: texts(5),
    raw: bytes(6),
    numbers: ints(7),
  };

  // Bytes as in the Protocol Buffers encoding guide.
  for (const [value, hex] of [
    [150, '089601'],
    [1, '0801'],
    [-1, '08ffffffffffffffffff01'],
    [2 ** 31, '088080808008'],
    [1_700_000_000_000_000_000, '088080a8b1e39fe7cb17'],
    [0, ''],
  ] as const) {
    it(`int ${value} is ${hex}`, () => {
      assert.equal(encode({ n: int(1) }, { n: value }).toString('hex'), hex);
      assert.equal(decode({ n: int(1) }, Buffer.from(hex, 'hex')).n, value);
    });
  }

  it('gives back what was written', () => {
    const value = {
      n: -7,
      inner: { name: 'ü', on: true },
      list: [
        { name: 'a', on: false },
        { name: '', on: true },
      ],
      map: { a: '1', b: '' },
      words: ['x', ''],
      raw: Buffer.from([0, 255]),
      numbers: [1, 300, -1],
    };
    assert.deepEqual(decode(Outer, encode(Outer, value)), value);
    assert.deepEqual(decode(Outer, Buffer.alloc(0)), {
      n: 0,
      inner: undefined,
      list: [],
      map: {},
      words: [],
      raw: Buffer.alloc(0),
      numbers: [],
    });
  });

  it('skips what it does not know and refuses what is cut off', () => {
    const wide = encode({ a: text(9), n: int(1), z: messages(12, Inner) }, { a: 'x', n: 3, z: [{ name: 'y' }] });
    assert.equal(decode({ n: int(1) }, wide).n, 3);
    assert.equal(
      decode({ n: int(1) }, Buffer.from('0d00000000' + '110000000000000000' + '0805', 'hex').subarray(0)).n,
      5,
    );
    assert.throws(() => decode(Outer, encode(Outer, { words: ['hello'] }).subarray(0, 4)), WireError);
    assert.throws(() => decode(Outer, Buffer.from([0x08, 0x80])), WireError);
  });
});

describe('frames', () => {
  it('gRPC messages come out whole, whatever the pieces', () => {
    const stream = Buffer.concat([
      grpcFrame(Buffer.from('one')),
      grpcFrame(Buffer.alloc(0)),
      grpcFrame(Buffer.from('three')),
    ]);
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const reader = new GrpcMessages(5);
      assert.deepEqual([...reader.push(stream.subarray(0, cut)), ...reader.push(stream.subarray(cut))].map(String), [
        'one',
        '',
        'three',
      ]);
    }
    const reader = new GrpcMessages(5);
    assert.deepEqual([...stream].flatMap((byte) => reader.push(Buffer.from([byte]))).map(String), ['one', '', 'three']);
  });

  it('a gRPC message that is too long is refused by its header, before a byte of it is kept', () => {
    const header = grpcFrame(Buffer.alloc(6)).subarray(0, 5);
    assert.throws(() => new GrpcMessages(5).push(header), RangeError);
    assert.deepEqual(new GrpcMessages(6).push(header), []);
  });

  it('exec frames come out whole however the bytes are cut; one that is too large is refused', () => {
    const sent = Buffer.concat([
      execFrame(1, Buffer.from('hello')),
      execFrame(2, Buffer.alloc(0)),
      execFrame(3, Buffer.from('{"exitCode":0}')),
      Buffer.from([3, 0, 0]),
    ]);
    for (let size = 1; size <= sent.length; size++) {
      const got: [number, string][] = [];
      const read = execFrameReader((channel, payload) => got.push([channel, payload.toString()]));
      for (let at = 0; at < sent.length; at += size) read(sent.subarray(at, at + size));
      assert.deepEqual(got, [
        [1, 'hello'],
        [2, ''],
        [3, '{"exitCode":0}'],
      ]);
    }
    assert.throws(() => execFrameReader(() => undefined)(Buffer.from([1, 0xff, 0, 0, 0])), RangeError);
  });

  it('SPDY: headers inflate, data comes back, the last frame closes', () => {
    const opening = openStreamFrame(1, { streamtype: 'stdin' }, true);
    assert.equal(opening.readUInt32BE(0), 0x8003_0001);
    const block = inflateSync(opening.subarray(18), { finishFlush: 2 });
    assert.equal(block.toString('latin1'), '\0\0\0\x01\0\0\0\x0astreamtype\0\0\0\x05stdin');
    const large = Buffer.alloc(100_000, 7);
    const { events, rest } = takeSpdyFrames(Buffer.concat([dataFrames(5, large, true), Buffer.from([0])]));
    assert.equal(rest.length, 1);
    assert.deepEqual(
      Buffer.concat(events.map((event) => (event.type === 'data' ? event.data : Buffer.alloc(0)))),
      large,
    );
    assert.deepEqual(
      events.map((event) => event.type === 'data' && event.last),
      [false, false, false, true],
    );
    assert.deepEqual(takeSpdyFrames(dataFrames(1, Buffer.alloc(0), true)).events, [
      { type: 'data', streamId: 1, data: Buffer.alloc(0), last: true },
    ]);
  });
});

describe('the sandbox image', () => {
  for (const [architecture, machine] of [
    ['amd64', 62],
    ['arm64', 183],
  ] as const) {
    it(`${architecture}: an ELF program whose entry is its code`, () => {
      const program = pauseProgram(architecture);
      assert.equal(program.subarray(0, 4).toString('latin1'), '\x7fELF');
      assert.equal(program.readUInt16LE(18), machine);
      assert.equal(Number(program.readBigUInt64LE(24) - program.readBigUInt64LE(80)), 120);
      assert.equal(Number(program.readBigUInt64LE(96)), program.length);
    });
  }
  it('is the same bytes every time, under the name that was asked for', () => {
    const image = pauseImage('registry.k8s.io/pause:3.6', 'amd64');
    assert.deepEqual(image, pauseImage('registry.k8s.io/pause:3.6', 'amd64'));
    assert.ok(image.includes('"RepoTags":["registry.k8s.io/pause:3.6"]'));
    assert.equal(image.length % 512, 0);
  });
});

describe('logs', () => {
  const lines = [
    '2026-01-01T00:00:00.1Z stdout F one',
    '2026-01-01T00:00:00.2Z stderr P half ',
    '2026-01-01T00:00:00.3Z stderr F whole',
    'garbage',
    '2026-01-01T00:00:00.4Z stdout F ',
  ];
  it('are joined and stripped', () => {
    assert.equal(plainText(lines, false), 'one\nhalf whole\n\n');
    assert.equal(plainText(lines.slice(0, 1), true), '2026-01-01T00:00:00.1Z one\n');
    assert.deepEqual(parseLogLine('2026-01-01T00:00:00Z stdout F a b '), {
      time: '2026-01-01T00:00:00Z',
      stream: 'stdout',
      partial: false,
      message: 'a b ',
    });
    assert.equal(parseLogLine('x'), undefined);
  });
});
