/** Ports for servers of tests that take one by number. */
import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/**
 * Below what the kernel gives to those who ask for any port, and to the own end of connections: 32768 and more (ip(7), ip_local_port_range).
 * Of those one could be given away before its server has it, or lead who looks for the server to himself (tcp(7): a simultaneous open).
 */
const [FIRST, END] = [10_000, 32_768];
const TRIES = 100;

/** A TCP port that nobody has at any IPv4 address of this machine just now. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Held all at once, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held = new Map<number, Server>();
  for (let tries = 0; held.size < count; tries += 1) {
    if (tries === TRIES + count) throw new Error(`no ${count} free ports in ${tries} tries`);
    const port = randomInt(FIRST, END);
    const server = held.has(port) ? undefined : await listening(port);
    if (server) held.set(port, server);
  }
  await Promise.all(
    [...held.values()].map(async (server) => {
      const closed = once(server, 'close');
      server.close();
      await closed;
    }),
  );
  return [...held.keys()];
}

/** Undefined where somebody has the port. */
async function listening(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '0.0.0.0');
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
