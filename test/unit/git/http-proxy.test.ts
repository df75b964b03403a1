/** Tunnels of a proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { it } from 'node:test';
import { TunnelAgent } from '../../../reconciler/adapters/git/http-proxy.ts';

it('a server behind a proxy that speaks no TLS is not waited for without end', { timeout: 30_000 }, async () => {
  const tunnels: Duplex[] = [];
  const proxy = http.createServer().on('connect', (_request, socket: Duplex) => {
    tunnels.push(socket);
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = proxy.address() as AddressInfo;
  const agent = new TunnelAgent(new URL(`http://127.0.0.1:${port}`), 200);
  try {
    const asking = https.get({ host: 'git.test', agent });
    const [error] = (await once(asking, 'error').catch((thrown: unknown) => [thrown])) as [Error];
    assert.match(error.message, /^git\.test:443 behind the proxy 127\.0\.0\.1:\d+ did not answer for 0\.2 s$/);
  } finally {
    agent.destroy();
    for (const socket of tunnels) socket.destroy();
    proxy.close();
  }
});
