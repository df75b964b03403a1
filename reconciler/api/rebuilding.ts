/** What answers on the control plane's socket while there is no state to show yet. */
import { chmod, rm } from 'node:fs/promises';
import { fastify } from 'fastify';
import { ApiError, errorStatus } from './answers.ts';
import { type ApiServer, freeSocket } from './server.ts';

/**
 * Refuses every request with 503 `Rebuilding` and what `why` says at that time. Ends before the API listens on the same
 * socket.
 */
export async function startRebuildingApi(socket: string, why: () => string): Promise<ApiServer> {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(503).send(errorStatus(new ApiError(503, 'Rebuilding', why()))),
  );
  await freeSocket(socket);
  await app.listen({ path: socket });
  await chmod(socket, 0o600);
  let closed: Promise<void> | undefined;
  async function close(): Promise<void> {
    await app.close();
    await rm(socket, { force: true });
  }
  return {
    socket,
    close: () => (closed ??= close()),
  };
}
