/** The DNS server of a node on real sockets of the loopback, with another server behind it. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { connect, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import {
  decode,
  encode,
  streamDecode,
  streamEncode,
  type DecodedPacket,
  type Packet,
  type RecordType,
} from 'dns-packet';
import { dnsSockets } from '../../../nodeagent/adapters/dns/dns-sockets.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { NO_LOCAL_PODS } from '../../../nodeagent/core/local-pods.ts';
import { startDnsServer, type DnsServerLoop } from '../../../nodeagent/loops/dns-server.ts';
import { cluster, endpoint, node, service, slice, TestAssignment } from '../../unit/network/world.ts';

const AT = { address: '127.53.0.1', port: 10_053 };
const OTHER = { address: '127.53.0.2', port: 10_053 };
const SILENT = { address: '127.53.0.3', port: 10_053 };
const SILENT_LOG = { debug() {}, info() {}, warn() {}, error() {} };

const web = service('web', '198.19.128.10', [{ name: 'http', port: 80 }]);
const many = service('many', 'None', [{ port: 80 }]);
const alias = service('alias', '', [], { type: 'ExternalName', externalName: 'db.example.com', clusterIP: '' });
const settings = cluster();
const assignment = new TestAssignment('n', [
  node('n', '198.18.0.1', '198.19.1.0/24'),
  {
    ...settings,
    spec: {
      ...settings.spec,
      dns: { servers: [`${SILENT.address}:${SILENT.port}`, `${OTHER.address}:${OTHER.port}`] },
    },
  },
  web,
  alias,
  many,
  slice(
    many,
    Array.from({ length: 90 }, (_, i) => endpoint(`198.19.2.${i + 1}`)),
  ),
]);

function ask(name: string, type: RecordType = 'A', at = AT): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.on('error', reject);
    socket.on('message', (message) => {
      socket.close();
      resolve(decode(message));
    });
    socket.send(encode({ type: 'query', id: 5, flags: 0x100, questions: [{ type, name }] }), at.port, at.address);
  });
}

async function askTcp(name: string): Promise<Packet> {
  const socket = connect(AT.port, AT.address);
  socket.write(streamEncode({ type: 'query', id: 6, flags: 0x100, questions: [{ type: 'A', name }] }));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    const all = Buffer.concat(chunks);
    if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) break;
  }
  socket.destroy();
  return streamDecode(Buffer.concat(chunks));
}

const [NO_NAME, FAILED] = [3, 2];
const codeOf = ({ flags = 0 }: Packet): number => flags & 0xf;
const addresses = ({ answers }: Packet): unknown[] => (answers ?? []).flatMap((a) => (a.type === 'A' ? a.data : []));

describe('the DNS server of a node', () => {
  /** What the other server was asked. */
  const heard: string[] = [];
  const other = createSocket('udp4');
  const silent = createSocket('udp4');
  let loop: DnsServerLoop;

  before(async () => {
    other.on('message', (message, from) => {
      const { id, questions } = decode(message);
      const [question] = questions ?? [];
      if (!question) return;
      heard.push(`${question.type} ${question.name}`);
      const reply = (more: Partial<Packet>): void =>
        other.send(
          encode({ type: 'response', id: id ?? 0, flags: 0x8180, questions: [question], ...more }),
          from.port,
          from.address,
        );
      // What a stranger would try first is no answer: another id, and another question.
      reply({
        id: ((id ?? 0) + 1) % 65_536,
        answers: [{ type: 'A', name: question.name, ttl: 60, data: '192.0.2.66' }],
      });
      reply({
        questions: [{ ...question, name: 'x.example' }],
        answers: [{ type: 'A', name: question.name, ttl: 60, data: '192.0.2.66' }],
      });
      if (question.name.startsWith('no.')) reply({ flags: 0x8183 });
      else if (question.name.startsWith('long.')) reply({ flags: 0x8380 });
      else reply({ answers: [{ type: 'A', name: question.name, ttl: 60, data: '192.0.2.9' }] });
    });
    other.bind(OTHER.port, OTHER.address);
    silent.bind(SILENT.port, SILENT.address);
    await Promise.all([once(other, 'listening'), once(silent, 'listening')]);
    loop = startDnsServer({
      assignment,
      pods: NO_LOCAL_PODS,
      sockets: dnsSockets,
      clock: systemClock,
      log: SILENT_LOG,
      ofHost: () => Promise.resolve({ etc: undefined, behindStub: undefined }),
      randomId: () => Math.floor(Math.random() * 65_536),
      onEvent: () => undefined,
      at: AT,
    });
    await loop.listening();
  });
  after(async () => {
    await loop.close();
    other.close();
    silent.close();
  });

  it('answers the names of the cluster, and follows every change', async () => {
    assert.deepEqual(addresses(await ask('web.default.svc.cluster.local')), ['198.19.128.10']);
    assignment.set(service('web', '198.19.128.11', [{ name: 'http', port: 80 }]));
    assert.deepEqual(addresses(await ask('web.default.svc.cluster.local')), ['198.19.128.11']);
    assert.equal(codeOf(await ask('no.default.svc.cluster.local')), NO_NAME);
  });

  it('gives over TCP what does not fit into a datagram', async () => {
    const cut = await ask('many.default.svc.cluster.local');
    assert.equal(cut.flag_tc, true);
    assert.equal(addresses(await askTcp('many.default.svc.cluster.local')).length, 90);
  });

  it('asks another server when the first is silent, believes only its answer, and asks once', async () => {
    const [one, two] = await Promise.all([ask('db.example.com'), ask('db.example.com')]);
    assert.deepEqual([addresses(one), addresses(two)], [['192.0.2.9'], ['192.0.2.9']]);
    assert.deepEqual(addresses(await ask('db.example.com')), ['192.0.2.9']);
    // What a node says of itself makes nobody ask again.
    assignment.set(node('other', '198.18.0.2', '198.19.2.0/24'));
    assert.deepEqual(addresses(await ask('db.example.com')), ['192.0.2.9']);
    assert.deepEqual(heard, ['A db.example.com']);
  });

  it('passes on that there is no such name', async () => {
    assert.equal(codeOf(await ask('no.example.com')), NO_NAME);
  });

  it('brings along what an alias stands for', async () => {
    const { answers = [] } = await ask('alias.default.svc.cluster.local');
    assert.deepEqual(
      answers.map((a) => [a.type, a.name, 'data' in a && a.data]),
      [
        ['CNAME', 'alias.default.svc.cluster.local', 'db.example.com'],
        ['A', 'db.example.com', '192.0.2.9'],
      ],
    );
  });

  it('closes a connection that sends no question, and goes on', async () => {
    const socket = connect(AT.port, AT.address);
    socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    assert.deepEqual(addresses(await askTcp('web.default.svc.cluster.local')), ['198.19.128.11']);
  });

  it('says that it failed where nobody answers', async () => {
    const { spec } = settings;
    assignment.set({ ...settings, spec: { ...spec, dns: { servers: ['127.53.0.4:10053'] } } });
    assert.equal(codeOf(await ask('gone.example.com')), FAILED);
  });

  it('tells what it did, under the names that CoreDNS gives it', () => {
    const lines = loop.metrics().split('\n');
    const value = (name: string): number =>
      Number(
        lines
          .find((line) => line.startsWith(name))
          ?.split(' ')
          .at(-1),
      );
    assert.ok(value('coredns_dns_requests_total{proto="udp",type="A"}') >= 8, lines.join('\n'));
    assert.ok(value('coredns_dns_requests_total{proto="tcp",type="A"}') >= 2);
    assert.ok(value('coredns_dns_responses_total{rcode="NXDOMAIN"}') >= 2);
    assert.ok(value('coredns_dns_responses_total{rcode="SERVFAIL"}') >= 1);
    assert.ok(value('coredns_cache_hits_total') >= 1);
    assert.ok(value('plumbline_dns_forward_failures_total') >= 1);
  });

  it('waits for its address where another program has it', async () => {
    const taken = { address: '127.53.0.5', port: 10_053 };
    const holder = createServer().listen(taken.port, taken.address);
    await once(holder, 'listening');
    const tries = new EventEmitter();
    const failed = once(tries, 'failed');
    const late = startDnsServer({
      assignment,
      pods: NO_LOCAL_PODS,
      sockets: {
        ...dnsSockets,
        listen: (...how) =>
          dnsSockets.listen(...how).catch((error: unknown) => {
            tries.emit('failed', error);
            throw error;
          }),
      },
      clock: systemClock,
      log: SILENT_LOG,
      ofHost: () => Promise.resolve({ etc: undefined, behindStub: undefined }),
      randomId: () => 1,
      onEvent: () => undefined,
      at: taken,
    });
    try {
      assert.match(String(await failed), /EADDRINUSE/);
      holder.close();
      await late.listening();
      assert.deepEqual(addresses(await ask('web.default.svc.cluster.local', 'A', taken)), ['198.19.128.11']);
    } finally {
      holder.close();
      await late.close();
    }
  });
});
