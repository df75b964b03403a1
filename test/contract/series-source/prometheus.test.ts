import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { Prometheus } from '../../../contracts/objects/index.ts';
import { PrometheusSource } from '../../../reconciler/adapters/prometheus/prometheus.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import type { SeriesAccess } from '../../../reconciler/core/workloads/series-access.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { startTestPrometheus, type TestPrometheus } from '../../support/prometheus.ts';
import { SERIES, seriesSourceSuite } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

const clock = new SystemClock();
const signal = inPatience(600_000);

/** In Prometheus' text format. */
function page(): string {
  const lines = SERIES.map(({ metric, labels, value }) => {
    const text = Object.entries(labels).map(([name, of]) => `${name}=${JSON.stringify(of)}`);
    return `${metric}{${text.join(',')}} ${value}`;
  });
  return `${lines.join('\n')}\n`;
}

seriesSourceSuite('prometheus', async () => {
  const server = await startTestPrometheus(page(), 'minus');
  return { source: new PrometheusSource({ clock }), settings: { url: server.url }, close: () => server.close() };
});

describe('formulas of the Cluster', () => {
  let server: TestPrometheus;
  const source = new PrometheusSource({ clock });
  before(async () => {
    server = await startTestPrometheus(page(), 'minus');
  });
  after(() => server.close());
  const of = async (query: string, by?: string): Promise<unknown> => {
    const settings: Prometheus = { url: `${server.url}/`, queries: [{ metric: 'rate', query }] };
    const matchers = [{ label: 'namespace', is: 'in', values: ['default'] }] as const;
    return Object.fromEntries(
      await source.sums(settings, { metric: 'rate', matchers, ...(by !== undefined && { by }) }, signal),
    );
  };

  it('have the matchers and the label put in where they stand', async () => {
    assert.deepEqual(await of('sum by (<<.GroupBy>>) (requests{code="200",<<.LabelMatchers>>} * 2)', 'pod'), {
      'web-0': 20,
      'web-1': 60,
      'web.1': 800,
    });
    assert.deepEqual(await of('scalar(sum(requests{<<.LabelMatchers>>}))'), { '': 449.5 });
  });

  it('that are none are told of in its words', async () => {
    await assert.rejects(of('sum(requests{<<.LabelMatchers>>}'), {
      code: 'PrometheusRefused',
      message: /^Prometheus does not take the query: bad_data: /,
    });
    await assert.rejects(of('requests{<<.LabelMatchers>>}[5m]'), { code: 'PrometheusUnavailable' });
  });
});

describe('a server that asks who asks, with a certificate of an authority of its own', () => {
  let authority: TestAuthority;
  let server: Server;
  before(async () => {
    authority = testAuthority();
    server = createTlsServer(authority.issue('IP:127.0.0.1'), (request, response) => {
      if (request.headers.authorization !== 'Bearer open') return void response.writeHead(401).end('who are you?');
      response.end('{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    authority.remove();
  });
  const ask = (access?: SeriesAccess): Promise<ReadonlyMap<string, number>> =>
    new PrometheusSource({ clock }).sums(
      { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` },
      { metric: 'a', matchers: [] },
      signal,
      access,
    );

  it('answers who has the token and knows the authority', async () => {
    assert.deepEqual([...(await ask({ authorization: 'Bearer open', ca: authority.cert }))], [['', 7]]);
  });

  it('is told nothing by who does not know the authority, and answers nobody else', async () => {
    await assert.rejects(ask({ authorization: 'Bearer open' }), { message: /certificate/ });
    await assert.rejects(ask({ authorization: 'Bearer secret', ca: authority.cert }), (error: Error) => {
      assert.match(error.message, /another login than that of spec\.metrics\.prometheus\.secretRef \(status 401\)/);
      assert.doesNotMatch(inspect(error, { depth: 9 }), /Bearer/);
      return true;
    });
  });
});

describe('a server that is no good Prometheus', () => {
  let server: Server;
  let answer: (response: ServerResponse) => void;
  before(async () => {
    server = createServer((_request, response) => answer(response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const ask = (timeoutMs: number): Promise<unknown> =>
    new PrometheusSource({ clock, maxBytes: 1000, timeoutMs }).sums(
      { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prom` },
      { metric: 'a', matchers: [] },
      signal,
    );
  for (const [name, does, says] of [
    ['says nothing', () => undefined, /no answer within 0\.3 s/],
    ['never ends', (response: ServerResponse) => response.write('{"status"'), /no answer within 0\.3 s/],
    ['says too much', (response: ServerResponse) => response.end(' '.repeat(1001)), /longer than 1000 bytes/],
    [
      'says something else',
      (response: ServerResponse) => response.end('<html>'),
      /with status 200, is not that of a query/,
    ],
    [
      'says numbers of another shape',
      (response: ServerResponse) =>
        response.end('{"status":"success","data":{"resultType":"vector","result":[{"value":[1,2]}]}}'),
      /is not that of a query/,
    ],
    [
      'has trouble of its own',
      (response: ServerResponse) => response.end('{"status":"error","errorType":"timeout","error":"too busy"}'),
      /timeout: too busy/,
    ],
    [
      'leads elsewhere',
      (response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /with status 302, is not that of a query/,
    ],
    ['hangs up', (response: ServerResponse) => response.destroy(), /Prometheus at http/],
  ] as const)
    it(`${name}: it is told, and asked again later`, async () => {
      answer = does;
      // Short for those alone from whom no answer comes.
      await assert.rejects(
        ask(says.source.includes('no answer') ? 300 : 60_000),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'PrometheusUnavailable');
          assert.match(error.message, says);
          return true;
        },
      );
    });

  it('is not there', async () => {
    const source = new PrometheusSource({ clock });
    await assert.rejects(source.sums({ url: 'http://127.0.0.1:1' }, { metric: 'a', matchers: [] }, signal), {
      code: 'PrometheusUnavailable',
      message: /ECONNREFUSED|bad port/,
    });
  });
});
