/** Messages as another implementation reads and writes them, and what strangers send. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode, encode, type OptAnswer, type Packet, type Question } from 'dns-packet';
import fc from 'fast-check';
import {
  addressesIn,
  answerTimes,
  DNS_TYPE,
  isAnswerTo,
  isCut,
  readQuery,
  writeAnswer,
  writeQuery,
  writeRefusal,
  type DnsQuery,
  type DnsRecord,
} from '../../../nodeagent/core/wire/dns-message.ts';

function query(question: Question, more: Partial<Packet> = {}): Buffer {
  return encode({ type: 'query', id: 4711, flags: 0x100, questions: [question], ...more });
}

function optOf(udpPayloadSize: number): OptAnswer {
  const none = { flags: 0, options: [], extendedRcode: 0, ednsVersion: 0, flag_do: false };
  return { type: 'OPT', name: '.', udpPayloadSize, ...none };
}

function read(message: Uint8Array): DnsQuery {
  const found = readQuery(message);
  assert.ok('question' in found, 'the query is refused');
  return found;
}

const address = (name: string, i: number): DnsRecord => ({
  name,
  ttl: 5,
  data: { type: 'A', address: `198.19.${Math.floor(i / 250)}.${(i % 250) + 1}` },
});

describe('a query', () => {
  it('is read as another implementation wrote it', () => {
    const found = read(query({ type: 'SRV', name: '_http._tcp.Web.shop.svc.cluster.local' }));
    assert.equal(found.id, 4711);
    assert.deepEqual(found.question, { name: '_http._tcp.web.shop.svc.cluster.local', type: DNS_TYPE.SRV });
    assert.deepEqual([found.room, found.edns, found.recursionDesired], [512, false, true]);
  });

  it('may say how much its asker takes, within bounds', () => {
    for (const [size, room] of [
      [4096, 1232],
      [800, 800],
      [100, 512],
    ] as const) {
      const found = read(query({ type: 'A', name: 'a.example' }, { additionals: [optOf(size)] }));
      assert.deepEqual([found.room, found.edns], [room, true]);
    }
  });

  it('is one that this implementation writes', () => {
    const packet = decode(writeQuery(7, 'db.example.com', DNS_TYPE.AAAA));
    assert.deepEqual(packet.questions, [{ name: 'db.example.com', type: 'AAAA', class: 'IN' }]);
    assert.equal(packet.id, 7);
  });

  for (const [title, message, code] of [
    ['is answered to nothing that is too short', Buffer.alloc(11), undefined],
    ['is no answer, which could go on for ever', query({ type: 'A', name: 'a' }, { type: 'response' }), undefined],
    ['has one question', encode({ type: 'query', questions: [] }), 1],
    ['has a whole name', query({ type: 'A', name: 'a.example' }).subarray(0, 18), 1],
    [
      'has no pointer in its name',
      Buffer.concat([query({ type: 'A', name: '.' }).subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
      1,
    ],
    ['is of the Internet', query({ type: 'A', name: 'a', class: 'CH' }), 5],
    ['asks, and changes nothing', query({ type: 'A', name: 'a' }, { flags: 0x2800 }), 4],
  ] as const)
    it(title, () => {
      assert.deepEqual(readQuery(message), { code });
      if (code === undefined) return;
      const refusal = writeRefusal(message, code);
      assert.deepEqual(
        [refusal.readUInt16BE(0), refusal.readUInt16BE(2) & 0x800f],
        [message.readUInt16BE(0), 0x8000 | code],
      );
    });

  it('of any bytes is refused or read, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const found = readQuery(bytes);
        if ('question' in found) writeAnswer(found, { code: 0, authoritative: true, answers: [] }, 512);
        answerTimes(bytes, found && 'raw' in found ? found.raw.length : 5);
        addressesIn(bytes, 5, 'a.example');
      }),
    );
  });
});

describe('an answer', () => {
  const asked = read(query({ type: 'A', name: 'web.shop.svc.cluster.local' }));

  it('is read by another implementation as it was meant', () => {
    const { name } = asked.question;
    const records: DnsRecord[] = [
      address(name, 0),
      { name, ttl: 30, data: { type: 'CNAME', target: 'db.example.com' } },
      { name, ttl: 5, data: { type: 'SRV', priority: 0, weight: 50, port: 8080, target: `web-0.${name}` } },
      { name: '1.2.3.4.in-addr.arpa', ttl: 5, data: { type: 'PTR', target: name } },
      { name: 'dns-version.cluster.local', ttl: 5, data: { type: 'TXT', text: '1.1.0' } },
      { name, ttl: 9, data: { type: 'AAAA', bytes: Buffer.from('20010db8000000000000000000000001', 'hex') } },
    ];
    const packet = decode(writeAnswer(asked, { code: 0, authoritative: true, answers: records }, 65_535));
    assert.equal(packet.id, 4711);
    assert.deepEqual(packet.questions, [{ name, type: 'A', class: 'IN' }]);
    assert.deepEqual(
      packet.answers?.map((a) => [a.type, a.name, 'ttl' in a ? a.ttl : undefined, 'data' in a ? a.data : undefined]),
      [
        ['A', name, 5, '198.19.0.1'],
        ['CNAME', name, 30, 'db.example.com'],
        ['SRV', name, 5, { priority: 0, weight: 50, port: 8080, target: `web-0.${name}` }],
        ['PTR', '1.2.3.4.in-addr.arpa', 5, name],
        ['TXT', 'dns-version.cluster.local', 5, [Buffer.from('1.1.0')]],
        ['AAAA', name, 9, '2001:db8::1'],
      ],
    );
  });

  it('has each name once, so that 28 addresses go into what every resolver takes', () => {
    const answers = Array.from({ length: 28 }, (_, i) => address(asked.question.name, i));
    const packet = decode(writeAnswer(asked, { code: 0, authoritative: true, answers }, asked.room));
    assert.equal(packet.answers?.length, 28);
  });

  it('that is too long says so, and has the first ones that there is room for', () => {
    const answers = Array.from({ length: 60 }, (_, i) => address(asked.question.name, i));
    const message = writeAnswer(asked, { code: 0, authoritative: true, answers }, asked.room);
    // 16 bytes each: one more would not fit.
    assert.ok(message.length <= 512 && message.length > 512 - 16, `${message.length} bytes`);
    assert.equal(isCut(message), true);
    const { answers: told = [] } = decode(message);
    assert.ok(told.length >= 28, `${told.length} answers`);
    assert.deepEqual(
      told,
      decode(writeAnswer(asked, { code: 0, authoritative: true, answers: answers.slice(0, told.length) }, 512)).answers,
    );
    const withEdns = read(query({ type: 'A', name: asked.question.name }, { additionals: [optOf(600)] }));
    const longer = writeAnswer(withEdns, { code: 0, authoritative: true, answers }, withEdns.room);
    assert.ok(longer.length <= 600 && longer.length > 600 - 16, `${longer.length} bytes`);
    assert.equal(decode(longer).additionals?.[0]?.type, 'OPT');
    assert.equal(decode(writeAnswer(asked, { code: 0, authoritative: true, answers }, 65_535)).answers?.length, 60);
  });

  it('leaves out what only helps before it is cut', () => {
    const { name } = asked.question;
    const additional = Array.from({ length: 60 }, (_, i) => address(name, i));
    const message = writeAnswer(asked, { code: 0, authoritative: true, answers: [address(name, 1)], additional }, 512);
    assert.equal(isCut(message), false);
    assert.deepEqual([decode(message).answers?.length, decode(message).additionals], [1, []]);
  });

  it('repeats the question as it was asked, with the case of its name', () => {
    const mixed = read(query({ type: 'A', name: 'WeB.shop.svc.cluster.local' }));
    const packet = decode(
      writeAnswer(mixed, { code: 0, authoritative: true, answers: [address('web.shop.svc.cluster.local', 1)] }, 512),
    );
    assert.equal(packet.questions?.[0]?.name, 'WeB.shop.svc.cluster.local');
    assert.equal(packet.answers?.[0]?.name, 'WeB.shop.svc.cluster.local');
  });
});

describe("another server's answer", () => {
  const question = { type: 'A', name: 'db.example.com', class: 'IN' } as const;
  const message = query(question);
  const { raw } = read(message);
  const answer = (more: Partial<Packet>): Buffer =>
    encode({ type: 'response', id: 4711, flags: 0x8180, questions: [question], ...more });
  const soa = {
    type: 'SOA',
    name: 'example.com',
    ttl: 900,
    data: { mname: 'ns.example.com', rname: 'h.example.com', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
  } as const;

  for (const [title, packet, ttl] of [
    [
      'holds as long as the first of its records',
      {
        answers: [
          { type: 'CNAME', name: 'db.example.com', ttl: 300, data: 'x.example.com' },
          { type: 'A', name: 'x.example.com', ttl: 20, data: '192.0.2.1' },
        ],
      },
      20,
    ],
    ['of no name holds as its zone says', { flags: 0x8183, authorities: [soa] }, 60],
    ['of no record holds as its zone says', { authorities: [soa] }, 60],
    ['without a zone is asked for again', { flags: 0x8183 }, 0],
    ['that failed is asked for again', { flags: 0x8182, authorities: [soa] }, 0],
    [
      'that was cut is asked for again',
      { flags: 0x8380, answers: [{ type: 'A', name: 'db.example.com', ttl: 20, data: '192.0.2.1' }] },
      0,
    ],
  ] as const)
    it(title, () => assert.equal(answerTimes(answer(packet as Partial<Packet>), raw.length).ttl, ttl));

  it('gives its addresses, of both families, to the name that was asked for', () => {
    const found = addressesIn(
      answer({
        answers: [
          { type: 'CNAME', name: 'db.example.com', ttl: 300, data: 'x.example.com' },
          { type: 'A', name: 'x.example.com', ttl: 20, data: '192.0.2.1' },
          { type: 'AAAA', name: 'x.example.com', ttl: 20, data: '2001:db8::1' },
        ],
        additionals: [{ type: 'A', name: 'evil.example', ttl: 20, data: '192.0.2.66' }],
      }),
      raw.length,
      'alias.example',
    );
    assert.deepEqual(
      found.map(({ name, data }) => [name, data.type]),
      [
        ['alias.example', 'A'],
        ['alias.example', 'AAAA'],
      ],
    );
  });

  it('is one to this query only with its id and its question', () => {
    assert.equal(isAnswerTo(message, answer({}), raw.length), true);
    assert.equal(isAnswerTo(message, answer({ id: 4712 }), raw.length), false);
    assert.equal(
      isAnswerTo(message, answer({ questions: [{ ...question, name: 'dc.example.com' }] }), raw.length),
      false,
    );
    assert.equal(isAnswerTo(message, message, raw.length), false);
  });
});

it('a target of SRV is written out, as some readers take no pointer there', () => {
  const name = '_http._tcp.web.shop.svc.cluster.local';
  const target = 'web.shop.svc.cluster.local';
  const data = { type: 'SRV', priority: 0, weight: 1, port: 80, target } as const;
  const written = writeAnswer(
    read(query({ type: 'SRV', name })),
    { code: 0, authoritative: true, answers: [{ name, ttl: 5, data }] },
    512,
  );
  const labels = target.split('.').map((label) => `${String.fromCharCode(label.length)}${label}`);
  assert.ok(written.toString('latin1').endsWith(`${labels.join('')}\0`));
});
