import assert from 'node:assert/strict';
import http, { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { httpExchange } from '../../../reconciler/adapters/git/http-client.ts';
import { inPatience } from '../../support/patience.ts';

describe('an HTTP exchange', () => {
  const signal = inPatience(30_000);
  let server: Server;
  /** Requests on each connection, in the order in which the connections came. */
  let served: { readonly socket: Socket; requests: number }[] = [];
  let resetFrom = Infinity;

  before(async () => {
    server = createServer((request, response) => {
      const of = served.find(({ socket }) => socket === request.socket) ?? { socket: request.socket, requests: 0 };
      if (of.requests === 0) served.push(of);
      of.requests += 1;
      if (of.requests >= resetFrom) request.socket.resetAndDestroy();
      else response.end('refs');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    http.globalAgent.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function ask(method: 'GET' | 'POST'): Promise<string> {
    const body = method === 'POST' ? [Buffer.from('x')] : undefined;
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const answer = await httpExchange()(
      {
        url,
        method,
        ...(body && {
          body: (async function* () {
            yield* body;
          })(),
        }),
      },
      signal,
    );
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  /** With a connection that was kept, and that the server resets from its `from`th request on. */
  async function kept(from: number): Promise<void> {
    http.globalAgent.destroy();
    served = [];
    resetFrom = Infinity;
    assert.equal(await ask('GET'), 'refs');
    resetFrom = from;
  }

  it('reads again on a new connection when the server closed the one that was kept', async () => {
    await kept(2);
    assert.equal(await ask('GET'), 'refs');
    assert.deepEqual(
      served.map(({ requests }) => requests),
      [2, 1],
    );
  });

  it('does not say twice what may not be done twice', async () => {
    await kept(2);
    await assert.rejects(ask('POST'), { code: 'ECONNRESET' });
    assert.deepEqual(
      served.map(({ requests }) => requests),
      [2],
    );
  });

  it('fails when a new connection is closed too', async () => {
    await kept(1);
    await assert.rejects(ask('GET'), { code: 'ECONNRESET' });
    assert.deepEqual(
      served.map(({ requests }) => requests),
      [2, 1],
    );
  });
});
