/** What a stranger, a closed socket or a missing route does to the sockets of a node's DNS server. */
import assert from 'node:assert/strict';
import { createSocket, Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { dnsSockets } from '../../../nodeagent/adapters/dns/dns-sockets.ts';
import type { DnsListener, DnsSockets } from '../../../nodeagent/ports/dns.ts';

const AT = { address: '127.53.1.1', port: 10_053 };
const QUESTION = Buffer.from('a question');
const NEVER = new AbortController().signal;
const echo: Handlers['answer'] = (query) => query;

type Handlers = Parameters<DnsSockets['listen']>[1];

async function listen(t: TestContext, answer: Handlers['answer']): Promise<DnsListener> {
  const listener = await dnsSockets.listen(AT, { isAllowed: () => true, answer });
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await listener.close();
  };
  t.after(close);
  return { close };
}

function socketsOpen(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

async function client(t: TestContext): Promise<Socket> {
  const socket = connect({ port: AT.port, host: AT.address });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const framed = (message: Buffer): Buffer => Buffer.concat([Buffer.from([0, message.length]), message]);

describe('sockets for names', () => {
  it('end a connection without a whole question in time, whatever trickles in', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    await listen(t, echo);
    const [slow, other] = [await client(t), await client(t)];
    slow.resume();
    slow.write(Buffer.from([0]));
    other.write(framed(QUESTION));
    await once(other, 'data');
    t.mock.timers.tick(6000);
    slow.write(Buffer.from([9]));
    other.write(framed(QUESTION));
    await once(other, 'data');
    t.mock.timers.tick(4000);
    await once(slow, 'close');
    other.write(framed(QUESTION));
    await once(other, 'data');
  });

  it('reject where no route leads to a server, rather than end the agent', async () => {
    // A broadcast address is refused where there is a route for it, and has none where there is no other network.
    const asking = dnsSockets.ask({ address: '255.255.255.255', port: 53 }, QUESTION, 'udp', () => true, NEVER);
    await assert.rejects(asking, /EACCES|ENETUNREACH/);
    await setImmediate();
  });

  it('reject at the signal, also where it came before', async () => {
    const silent = createSocket('udp4').bind(AT.port, '127.53.1.2');
    await once(silent, 'listening');
    const aborting = new AbortController();
    const server = { address: '127.53.1.2', port: AT.port };
    const asking = dnsSockets.ask(server, QUESTION, 'udp', () => true, aborting.signal);
    await once(silent, 'message');
    aborting.abort();
    await assert.rejects(asking, /no answer/);
    await assert.rejects(
      dnsSockets.ask(server, QUESTION, 'udp', () => true, AbortSignal.abort()),
      /no answer/,
    );
    silent.close();
  });

  it('leave nothing open where there is no such address', async () => {
    const before = socketsOpen();
    await assert.rejects(dnsSockets.listen({ ...AT, address: '192.0.2.1' }, { isAllowed: () => true, answer: echo }));
    assert.equal(socketsOpen(), before);
  });

  it('answer nobody at port 0', async (t) => {
    const bind = t.mock.method(UdpSocket.prototype, 'bind');
    await listen(t, echo);
    const server: unknown = bind.mock.calls[0]?.this;
    assert.ok(server instanceof UdpSocket, 'a socket was bound');
    server.emit('message', QUESTION, { address: '127.0.0.1', port: 0 });
    assert.deepEqual(await dnsSockets.ask(AT, QUESTION, 'udp', () => true, NEVER), QUESTION);
  });

  it('send nothing once they are closed', async (t) => {
    const asked = deferred<undefined>();
    const answer = deferred<Uint8Array>();
    const listener = await listen(t, () => {
      asked.resolve(undefined);
      return answer.promise;
    });
    const aborting = new AbortController();
    const asking = dnsSockets.ask(AT, QUESTION, 'udp', () => true, aborting.signal);
    await asked.promise;
    await listener.close();
    answer.resolve(QUESTION);
    await setImmediate();
    aborting.abort();
    await assert.rejects(asking);
  });

  it('tell from which address a question comes', async (t) => {
    const from: string[] = [];
    await listen(t, (query, transport, address) => {
      from.push(`${transport} ${address}`);
      return query;
    });
    for (const transport of ['udp', 'tcp'] as const) await dnsSockets.ask(AT, QUESTION, transport, () => true, NEVER);
    assert.deepEqual(from, ['udp 127.0.0.1', 'tcp 127.0.0.1']);
  });

  it('let one address have some of the connections, and not all', async (t) => {
    await listen(t, echo);
    const clients = await Promise.all(Array.from({ length: 16 }, () => client(t)));
    for (const socket of clients) {
      socket.write(framed(QUESTION));
      await once(socket, 'data');
    }
    const more = await client(t);
    if (!more.closed) await once(more, 'close');
    const other = connect({ port: AT.port, host: AT.address, localAddress: '127.53.1.3' });
    other.write(framed(QUESTION));
    await once(other, 'data');
    other.destroy();
    clients[0]?.destroy();
    // The server hears of it when it does: whoever comes before that is turned away, as the one above was.
    for (let answered = false; !answered;) {
      const again = await client(t);
      again.write(framed(QUESTION));
      answered = await Promise.race([once(again, 'data').then(() => true), once(again, 'close').then(() => false)]);
    }
  });
});

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}
