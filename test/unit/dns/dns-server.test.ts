/** What one asker, or a server of strangers, can make of a node's DNS server. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { decode, encode, type DecodedPacket, type Packet } from 'dns-packet';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { NO_LOCAL_PODS } from '../../../nodeagent/core/local-pods.ts';
import { startDnsServer } from '../../../nodeagent/loops/dns-server.ts';
import type { DnsSockets } from '../../../nodeagent/ports/dns.ts';
import { cluster, node, service, TestAssignment } from '../network/world.ts';

type Answer = Parameters<DnsSockets['listen']>[1]['answer'];

const settings = cluster();
const assignment = new TestAssignment('n', [
  node('n', '198.18.0.1', '198.19.1.0/24'),
  { ...settings, spec: { ...settings.spec, dns: { servers: ['192.0.2.53'] } } },
  service('alias', '', [], { type: 'ExternalName', externalName: 'db.example.com', clusterIP: '' }),
]);

async function server(t: TestContext, ask: DnsSockets['ask']): Promise<Answer> {
  return (await counting(t, ask)).answer;
}

/** `metrics`: the lines without those of buckets, sums and what they mean. */
async function counting(
  t: TestContext,
  ask: DnsSockets['ask'],
): Promise<{ readonly answer: Answer; readonly metrics: () => readonly string[] }> {
  let answer: Answer | undefined;
  const loop = startDnsServer({
    assignment,
    pods: NO_LOCAL_PODS,
    sockets: {
      listen(_at, handlers) {
        ({ answer } = handlers);
        return Promise.resolve({ close: () => Promise.resolve() });
      },
      ask,
    },
    clock: systemClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    ofHost: () => Promise.resolve({ etc: undefined, behindStub: undefined }),
    randomId: () => 1,
    onEvent: () => undefined,
  });
  t.after(() => loop.close());
  await loop.listening();
  return {
    answer: answer ?? assert.fail('it does not listen'),
    metrics: () =>
      loop
        .metrics()
        .trimEnd()
        .split('\n')
        .filter((line) => !/^#|_bucket|_sum/.test(line)),
  };
}

const query = (name: string): Buffer =>
  encode({ type: 'query', id: 5, flags: 0x100, questions: [{ type: 'A', name }] });

function answerTo(message: Uint8Array, count: number): Buffer {
  const { id = 0, questions = [] } = decode(Buffer.from(message));
  const name = questions[0]?.name ?? '';
  const answers = Array.from({ length: count }, () => ({ type: 'A', name, ttl: 60, data: '192.0.2.9' }) as const);
  return encode({ type: 'response', id, flags: 0x8180, questions, answers });
}

async function packet(answered: ReturnType<Answer>): Promise<DecodedPacket> {
  return decode(Buffer.from((await answered) ?? assert.fail('nothing is answered')));
}

const codeOf = ({ flags = 0 }: Packet): number => flags & 0xf;
const FAILED = 2;

describe('a DNS server', () => {
  it('lets one asker wait for many names, and others still ask', async (t) => {
    let asked = 0;
    const goOn: (() => void)[] = [];
    const answer = await server(t, async (_server, message) => {
      asked += 1;
      await new Promise<void>((resolve) => goOn.push(resolve));
      return answerTo(message, 1);
    });
    const waiting = Array.from({ length: 128 }, (_, i) => answer(query(`n${i % 100}.example`), 'udp', '198.19.1.2'));
    assert.equal(asked, 100);
    assert.equal(codeOf(await packet(answer(query('more.example'), 'udp', '198.19.1.2'))), FAILED);
    // Neither may it wait for what is asked already: that costs memory too.
    assert.equal(codeOf(await packet(answer(query('n1.example'), 'udp', '198.19.1.2'))), FAILED);
    const other = answer(query('other.example'), 'udp', '198.19.1.3');
    for (const go of goOn) go();
    for (const one of [...waiting, other]) assert.equal(codeOf(await packet(one)), 0);
    const again = answer(query('more.example'), 'udp', '198.19.1.2');
    goOn.at(-1)?.();
    assert.equal(codeOf(await packet(again)), 0);
  });

  it('gives nobody a longer datagram than was asked for', async (t) => {
    const answer = await server(t, (_server, message) => Promise.resolve(answerTo(message, 3000)));
    const found = await packet(answer(query('long.example'), 'udp', '198.19.1.2'));
    assert.deepEqual([found.flag_tc, found.answers], [true, []]);
    const whole = await packet(answer(query('long.example'), 'tcp', '198.19.1.2'));
    assert.equal(whole.answers?.length, 3000);
  });

  it('asks once for what an alias leads to, as long as the answer holds', async (t) => {
    let asked = 0;
    const answer = await server(t, (_server, message) => {
      asked += 1;
      return Promise.resolve(answerTo(message, 1));
    });
    for (let i = 0; i < 2; i++) {
      const { answers } = await packet(answer(query('alias.default.svc.cluster.local'), 'udp', '198.19.1.2'));
      assert.deepEqual(
        answers?.map(({ type }) => type),
        ['CNAME', 'A'],
      );
    }
    assert.equal(asked, 1);
  });

  it('counts what it was asked, what it said, and whom it asked', async (t) => {
    const { answer, metrics } = await counting(t, (_server, message) => {
      const { questions: [first] = [] } = decode(Buffer.from(message));
      return first?.name === 'silent.example' ? Promise.reject(new Error('no')) : Promise.resolve(answerTo(message, 1));
    });
    const from = '198.19.1.2';
    for (const name of ['a.example', 'a.example', 'no.default.svc.cluster.local', 'silent.example'])
      await packet(answer(query(name), 'udp', from));
    await packet(answer(encode({ type: 'query', questions: [{ type: 'SRV', name: 'b.example' }] }), 'tcp', from));
    // No question at all, and one that is cut off.
    void answer(Buffer.alloc(12), 'udp', from);
    void answer(query('x.example').subarray(0, 14), 'udp', from);
    assert.deepEqual(metrics(), [
      'coredns_dns_requests_total{proto="udp",type="A"} 4',
      'coredns_dns_requests_total{proto="tcp",type="SRV"} 1',
      'coredns_dns_requests_total{proto="udp",type="other"} 2',
      'coredns_dns_responses_total{rcode="NOERROR"} 3',
      'coredns_dns_responses_total{rcode="NXDOMAIN"} 1',
      'coredns_dns_responses_total{rcode="SERVFAIL"} 1',
      'coredns_dns_responses_total{rcode="FORMERR"} 2',
      'coredns_dns_request_duration_seconds_count 7',
      'coredns_cache_hits_total 1',
      'coredns_cache_misses_total 6',
      'coredns_cache_entries 2',
      'coredns_proxy_request_duration_seconds_count{proxy_name="forward",rcode="NOERROR"} 2',
      'plumbline_dns_forward_failures_total 1',
      'coredns_forward_max_concurrent_rejects_total 0',
    ]);
  });
});
