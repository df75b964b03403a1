import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { freePort } from '../../support/free-port.ts';
import { endpoint, service, slice } from '../../unit/network/world.ts';
import { backend, prefix, rule } from '../../unit/proxy/configs.ts';
import { proxyWorld, type ProxyWorld } from './world.ts';

/** Of RFC 6455, 1.3: HAProxy holds what is asked for and what is answered against each other. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPTED = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
/** For an answer that is to come, on a busy machine too. */
const LONG_MS = 30_000;

describe('a request for a websocket', () => {
  let world: ProxyWorld;
  let port = 0;

  before(async () => {
    world = await proxyWorld();
    port = await freePort();
  });
  after(async () => {
    await world?.close();
  });

  // [HTTPRouteBackendProtocolWebSocket]
  it('becomes a connection of bytes in both directions where both sides upgrade', async () => {
    const at = await freePort();
    const server = createServer((_asked, answer) => answer.writeHead(426).end()).listen(at, '127.0.0.1');
    server.on('upgrade', (asked, socket, head) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${asked.headers.upgrade}\r\nsec-websocket-accept: ${ACCEPTED}\r\n\r\n`,
      );
      if (head.length > 0) socket.write(head);
      socket.pipe(socket);
    });
    const sockets: Duplex[] = [];
    try {
      await once(server, 'listening');
      const of = service('ws', '198.19.128.8', [{ name: 'http', port: 80, targetPort: at }]);
      await world.give(
        [{ port, protocol: 'http', hosts: [{ hostname: '', rules: [rule(prefix('/'), 'ws')] }] }],
        [backend('ws')],
        of,
        slice(of, [endpoint('127.0.0.1')], 'a', at),
      );
      const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-key': KEY };
      const asked = request({ host: '127.0.0.1', port, path: '/chat', headers, agent: false }).end();
      const [answer, socket] = (await once(asked, 'upgrade', { signal: AbortSignal.timeout(LONG_MS) })) as [
        IncomingMessage,
        Duplex,
      ];
      sockets.push(socket);
      assert.deepEqual([answer.statusCode, answer.headers.upgrade], [101, 'websocket']);
      for (const word of ['ping', 'again']) {
        socket.write(word);
        assert.equal(String((await once(socket, 'data', { signal: AbortSignal.timeout(LONG_MS) }))[0]), word);
      }
    } finally {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
    }
  });
});
