/** What a node tells of its network at its socket, and what it tries for others. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import {
  NetworkProbeResults,
  NetworkReport,
  type NetworkProbe,
  type NetworkProbeResult,
} from '../../../contracts/agent/index.ts';
import { createReach } from '../../../nodeagent/adapters/probe/reach.ts';
import { createReachWithin } from '../../../nodeagent/adapters/probe/reach-within.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { DNS_CODE, readQuery, writeAnswer } from '../../../nodeagent/core/wire/dns-message.ts';
import { startApi, type ApiDeps } from '../../../nodeagent/loops/api/server.ts';
import type { Reach } from '../../../nodeagent/ports/reach.ts';
import { makeFolder } from '../../support/folder.ts';
import { cluster, node, podEndpoint, pod, service, slice, TestAssignment, TestLocalPods } from '../network/world.ts';

const web = service('web', '198.19.128.10', [{ name: 'http', port: 80, nodePort: 30_080 }]);
const here = pod('here');
const assignment = new TestAssignment('n1', [
  cluster(),
  node('n1', '198.18.0.1', '198.19.0.0/24'),
  web,
  slice(web, [podEndpoint(here, 'n1', '198.19.0.5'), podEndpoint(pod('there'), 'n2', '198.19.1.5')]),
  here,
]);

describe("a node's network, at its socket", () => {
  let folder: string;
  let api: Awaited<ReturnType<typeof startApi>>;
  /** Target of each connection that was tried. */
  const connected: string[] = [];
  /** Namespaces, and how many were tried there. */
  const within: string[] = [];
  let atOnce = 0;
  let most = 0;
  const pods = new TestLocalPods();

  const reach: Reach = {
    async connect({ address, port }) {
      connected.push(`${address}:${port}`);
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce -= 1;
      return { outcome: 'refused' };
    },
    resolve: (name) => Promise.resolve({ outcome: 'answered', addresses: [name] }),
  };

  before(async () => {
    folder = makeFolder('agent-api-');
    pods.see(here, '198.19.0.6');
    api = await startApi({
      socket: `${folder}/agent.sock`,
      assignment,
      clock: systemClock,
      network: {
        pods,
        state: () => ({ version: '1', error: null }),
        held: () => ['192.0.2.1'],
        reach,
        reachWithin: (namespace: string, probes: readonly NetworkProbe[]) => {
          within.push(`${namespace}: ${probes.length}`);
          return namespace.endsWith('full')
            ? Promise.reject(new Error('no more processes'))
            : Promise.resolve(probes.map(() => ({ outcome: 'silent', ms: 7 })));
        },
      },
      runtime: {
        listSandboxes: (uid: string) =>
          Promise.resolve(
            uid === 'gone'
              ? [{ id: 'of-gone', ready: false, createdAt: 1 }]
              : [
                  { id: `old-${uid}`, ready: true, createdAt: 1 },
                  { id: uid, ready: true, createdAt: 2 },
                ],
          ),
        sandboxNetwork: (id: string) => Promise.resolve(id === 'host' ? undefined : `/run/netns/${id}`),
      },
      info: {},
    } as unknown as ApiDeps);
  });
  after(async () => {
    await api.close();
    await removeFolder(folder);
  });

  const ask = (
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number | undefined; readonly body: unknown }> =>
    new Promise((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST';
      const asked = request({ socketPath: `${folder}/agent.sock`, method, path }, (answer) => {
        answer
          .toArray()
          .then((chunks: Buffer[]) =>
            resolve({ status: answer.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) }),
          )
          .catch(reject);
      });
      asked.once('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const probe = async (...probes: readonly NetworkProbe[]): Promise<readonly NetworkProbeResult[]> =>
    NetworkProbeResults.parse((await ask('/v1/network/probes', { probes })).body).results;

  it('says what is forwarded for a Service, with its own pods as it sees them', async () => {
    const { body } = await ask('/v1/network?service=default/web');
    assert.deepEqual(NetworkReport.parse(body), {
      assignmentVersion: '1',
      networkVersion: '1',
      networkError: null,
      known: true,
      held: ['192.0.2.1'],
      forwardings: [
        {
          port: 'http',
          protocol: 'TCP',
          at: ['198.19.128.10:80', 'node port 30080'],
          to: ['198.19.0.6:8080', '198.19.1.5:8080'],
          more: 0,
        },
      ],
    });
  });

  for (const path of ['/v1/network', '/v1/network?service=default/none', '/v1/network?service=../../x'])
    it(`knows nothing of what is not there: ${path}`, async () => {
      const { known, forwardings } = NetworkReport.parse((await ask(path)).body);
      assert.deepEqual([known, forwardings], [false, []]);
    });

  it('tries what it is asked to, and answers in order', async () => {
    const results = await probe(
      { ask: 'connect', address: '192.0.2.9', port: 1 },
      { ask: 'resolve', name: 'web.default' },
      { ask: 'connect', address: '192.0.2.9', port: 2 },
    );
    assert.deepEqual(
      results.map(({ outcome, addresses }) => [outcome, addresses]),
      [
        ['refused', undefined],
        ['answered', ['web.default']],
        ['refused', undefined],
      ],
    );
    assert.deepEqual(connected, ['192.0.2.9:1', '192.0.2.9:2']);
  });

  it('tries in the networks of its pods what is asked of them, and says why where it cannot', async () => {
    const to = (port: number, of?: string): NetworkProbe => ({
      ...{ ask: 'connect', address: '192.0.2.9', port },
      ...(of !== undefined && { pod: of }),
    });
    const results = await probe(
      to(1, 'a'),
      to(2),
      { ask: 'resolve', name: 'web', pod: 'a' },
      to(3, 'host'),
      to(4, 'full'),
    );
    assert.deepEqual(
      results.map(({ outcome, message }) => message ?? outcome),
      ['silent', 'refused', 'silent', 'the pod has no network of its own on this node', 'no more processes'],
    );
    assert.deepEqual(within, ['/run/netns/a: 2', '/run/netns/full: 1']);
    assert.equal((await probe(to(1, 'gone')))[0]?.outcome, 'failed');
  });

  it('a few at a time', async () => {
    await probe(
      ...Array.from({ length: 256 }, (_, i): NetworkProbe => ({
        ask: 'connect',
        address: '192.0.2.9',
        port: i + 1,
      })),
    );
    assert.equal(most, 32);
  });

  for (const [what, body] of [
    ['more than are taken', { probes: Array(257).fill({ ask: 'resolve', name: 'a' }) }],
    ['no list', { probes: {} }],
    ['a kind that is not known', { probes: [{ ask: 'ping' }] }],
    [
      'more pods than it looks into',
      { probes: Array.from({ length: 6 }, (_, i) => ({ ask: 'resolve', name: 'a', pod: `p${i}` })) },
    ],
    ['a pod that is none', { probes: [{ ask: 'resolve', name: 'a', pod: 7 }] }],
    ['no port', { probes: [{ ask: 'connect', address: '192.0.2.9' }] }],
  ] as const)
    it(`refuses ${what}`, async () => {
      assert.equal((await ask('/v1/network/probes', body)).status, 400);
    });
});

describe('what is reached from a pod', () => {
  const signal = new AbortController().signal;
  const said = (code: number, stdout: string, stderr = ''): ReturnType<typeof createReachWithin> =>
    createReachWithin(
      (argv, { input }) => {
        assert.deepEqual(argv, ['nsenter', '--net=/run/netns/a', 'tries']);
        assert.deepEqual(JSON.parse(input ?? ''), { probes: [{ ask: 'resolve', name: 'a' }] });
        return Promise.resolve({ code, stdout, stderr });
      },
      ['tries'],
    );
  const ask = (within: ReturnType<typeof createReachWithin>): Promise<readonly NetworkProbeResult[]> =>
    within('/run/netns/a', [{ ask: 'resolve', name: 'a' }], signal);

  it('is what the program there says', async () => {
    const results = [{ outcome: 'answered', ms: 2, addresses: ['198.19.128.10'] }];
    assert.deepEqual(await ask(said(0, JSON.stringify({ results }))), results);
  });

  for (const [what, within, why] of [
    ['it cannot go there', said(1, '', 'nsenter: cannot open /run/netns/a'), /cannot open/],
    ['it says nothing', said(0, ''), /no JSON/],
    ['it says too little', said(0, '{"results":[]}'), /0 of 1/],
    ['it says what is no result', said(0, '{"results":[{"outcome":"well"}]}'), /says nothing/],
  ] as const)
    it(`is not known where ${what}`, () => assert.rejects(ask(within), why));
});

describe('what is reached', () => {
  const never = new AbortController().signal;
  const dns = (code: number) =>
    createReach(
      {
        ask: (_server, message) => {
          const query = readQuery(message);
          if (!('question' in query)) return Promise.reject(new Error('no question'));
          const { name } = query.question;
          const answers = [{ name, ttl: 5, data: { type: 'A' as const, address: '198.19.128.10' } }];
          return Promise.resolve(
            writeAnswer(query, { code, authoritative: true, answers: code === DNS_CODE.ok ? answers : [] }, 512),
          );
        },
      },
      () => 7,
    );

  it('is told by who answers, refuses, or is silent', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { readonly port: number };
    const reach = dns(DNS_CODE.ok);
    const to = { address: '127.0.0.1', port };
    assert.deepEqual(await reach.connect(to, never), { outcome: 'answered' });
    assert.deepEqual(await reach.connect(to, AbortSignal.abort()), { outcome: 'silent' });
    await new Promise((resolve) => server.close(resolve));
    assert.deepEqual(await reach.connect(to, never), { outcome: 'refused' });
  });

  it('is a name by its addresses, or by that there is none', async () => {
    assert.deepEqual(await dns(DNS_CODE.ok).resolve('web.default', never), {
      outcome: 'answered',
      addresses: ['198.19.128.10'],
    });
    assert.equal((await dns(DNS_CODE.noName).resolve('web.default', never)).outcome, 'refused');
    assert.equal((await dns(DNS_CODE.failed).resolve('web.default', never)).outcome, 'failed');
  });
});
