/** `DnsSockets` on sockets of the machine. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Shares } from '../../core/dns/shares.ts';
import type { DnsServer } from '../../core/dns/upstreams.ts';
import type { DnsListener, DnsSockets } from '../../ports/dns.ts';
import { framed, MessageReader } from './tcp-messages.ts';

/** No question is longer; one that is has something else in mind. */
const MOST_QUERY_BYTES = 4096;
const MOST_ANSWER_BYTES = 65_535;
const MOST_CONNECTIONS = 128;
/** So that no pod can take all of them. */
const MOST_CONNECTIONS_OF_ONE = 16;
/** Without a whole question, in milliseconds (RFC 7766, 6.2.3: a few seconds). */
const IDLE_MS = 10_000;
/** Of one connection, waiting for their answers. */
const MOST_WAITING = 16;

export const dnsSockets: DnsSockets = {
  async listen(at, handlers) {
    const udp = await listenUdp(at, handlers);
    try {
      const tcp = await listenTcp(at, handlers);
      return {
        async close() {
          await Promise.all([udp.close(), tcp.close()]);
        },
      };
    } catch (error) {
      await udp.close();
      throw error;
    }
  },
  ask: (server, query, transport, isAnswer, signal) =>
    transport === 'udp' ? askUdp(server, query, isAnswer, signal) : askTcp(server, query, isAnswer, signal),
};

type Handlers = Parameters<DnsSockets['listen']>[1];

async function listenUdp({ address, port }: DnsServer, { isAllowed, answer }: Handlers): Promise<DnsListener> {
  const socket = createSocket('udp4');
  let isOpen = true;
  socket.on('message', (query, from) => {
    // Who wants no answer says port 0 (RFC 768), and Node throws where one is sent there.
    if (query.length > MOST_QUERY_BYTES || from.port === 0 || !isAllowed(from.address)) return;
    // Nobody hears of an answer that cannot be sent: the asker asks again.
    const send = (message: Uint8Array | undefined): void => {
      if (message && isOpen) socket.send(message, from.port, from.address, () => undefined);
    };
    const answered = answer(query, 'udp', from.address);
    if (answered instanceof Promise) answered.then(send, () => undefined);
    else send(answered);
  });
  try {
    socket.bind({ address, port, exclusive: true });
    await once(socket, 'listening');
  } catch (error) {
    await closed(socket);
    throw error;
  }
  socket.on('error', () => undefined);
  return {
    close() {
      isOpen = false;
      return closed(socket);
    },
  };
}

async function listenTcp({ address, port }: DnsServer, handlers: Handlers): Promise<DnsListener> {
  const connections = new Set<Socket>();
  const shares = new Shares(MOST_CONNECTIONS_OF_ONE);
  const server: Server = createServer((socket) => {
    const { remoteAddress: from } = socket;
    if (from === undefined || !handlers.isAllowed(from) || !shares.take(from)) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    socket.on('close', () => {
      connections.delete(socket);
      shares.giveBack(from);
    });
    serve(socket, (query) => handlers.answer(query, 'tcp', from));
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.listen({ host: address, port, exclusive: true });
  await once(server, 'listening');
  server.on('error', () => undefined);
  return {
    async close() {
      const done = once(server, 'close');
      server.close();
      for (const socket of connections) socket.destroy();
      await done;
    },
  };
}

function serve(socket: Socket, answer: (query: Uint8Array) => ReturnType<Handlers['answer']>): void {
  const reader = new MessageReader(MOST_QUERY_BYTES);
  let waiting = 0;
  // Not the socket's own, which each byte sets back: a question could take for ever.
  let idle: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => socket.destroy(), IDLE_MS);
  };
  wait();
  socket.on('close', () => clearTimeout(idle));
  socket.on('error', () => socket.destroy());
  const reply = async (query: Uint8Array): Promise<void> => {
    const message = await answer(query);
    if (message && !socket.destroyed) socket.write(framed(message));
  };
  socket.on('data', (chunk) => {
    const queries = reader.take(chunk);
    if (!queries || waiting + queries.length > MOST_WAITING || socket.writableLength > MOST_ANSWER_BYTES * 4) {
      socket.destroy();
      return;
    }
    if (queries.length > 0) wait();
    for (const query of queries) {
      waiting += 1;
      reply(query)
        .catch(() => socket.destroy())
        .finally(() => (waiting -= 1));
    }
  });
}

function askUdp(
  { address, port }: DnsServer,
  query: Uint8Array,
  isAnswer: (message: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    let isOpen = true;
    // Once: Node throws where a socket is closed that is closed already, and errors may come one after the other.
    const end = (): void => {
      if (!isOpen) return;
      isOpen = false;
      signal.removeEventListener('abort', aborted);
      socket.close();
    };
    const fail = (error: Error): void => {
      reject(error);
      end();
    };
    const aborted = (): void => fail(new Error('no answer'));
    socket.on('error', fail);
    socket.on('message', (message) => {
      if (!isAnswer(message)) return;
      resolve(message);
      end();
    });
    // Connected: the kernel throws away what others send, and tells when nobody listens there.
    socket.connect(port, address, (error?: Error) => {
      // Where no route leads there, Node tells it here and nowhere else.
      if (error) fail(error);
      else if (isOpen) socket.send(query);
    });
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
  });
}

async function askTcp(
  { address, port }: DnsServer,
  query: Uint8Array,
  isAnswer: (message: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const socket = connect({ host: address, port, signal });
  const reader = new MessageReader(MOST_ANSWER_BYTES);
  socket.write(framed(query));
  try {
    for await (const chunk of socket) {
      const found = reader.take(chunk as Buffer)?.find(isAnswer);
      if (found) return found;
    }
    throw new Error('the server closed the connection');
  } finally {
    socket.destroy();
  }
}

async function closed(socket: UdpSocket): Promise<void> {
  const done = once(socket, 'close');
  socket.close();
  await done;
}
