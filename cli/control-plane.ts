/** Talking with a running control plane over its Unix socket. */
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { CliFailure } from './failure.ts';
import { homeFolder, SOCKET_NAME } from './home.ts';

export interface ControlPlaneClient {
  /** The parsed answer. CliFailure 1 with the control plane's words when it says no. */
  get<T>(path: string): Promise<T>;
  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** An answer that is read as it comes. */
  stream(path: string, signal: AbortSignal): Promise<IncomingMessage>;
  upgrade(path: string, protocol: string): Promise<Duplex>;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** Finds the socket in the home folder. Nothing is connected yet. */
export function controlPlane(home: string | undefined): ControlPlaneClient {
  const folder = homeFolder(home);
  const socketPath = join(folder, SOCKET_NAME);

  function notRunning(error: NodeJS.ErrnoException): Error {
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new CliFailure(
        1,
        `the control plane is not running: nothing answers at ${socketPath}`,
        'start it with `plumb up --repo PATH`, or name its home folder with --home or PLUMB_HOME',
      );
    }
    if (error.code === 'EACCES')
      return new CliFailure(
        1,
        `${socketPath} may not be opened by this user`,
        'run the command as the user that runs `plumb up`',
      );
    return error;
  }

  function call({ method, path, body, signal }: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const asked = request(
        {
          socketPath,
          method,
          path,
          headers:
            text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
          ...(signal && { signal }),
        },
        resolve,
      );
      asked.once('error', (error) => reject(notRunning(error)));
      asked.end(text);
    });
  }

  async function read(message: IncomingMessage): Promise<string> {
    let text = '';
    message.setEncoding('utf8');
    for await (const chunk of message) text += chunk as string;
    return text;
  }

  async function answer<T>(message: IncomingMessage): Promise<T> {
    const text = await read(message);
    if (message.statusCode !== 200) throw refusal(message.statusCode ?? 0, text);
    return JSON.parse(text) as T;
  }

  return {
    get: async (path) => answer(await call({ method: 'GET', path })),
    send: async (method, path, body) => answer(await call({ method, path, body })),
    async stream(path, signal) {
      const message = await call({ method: 'GET', path, signal });
      if (message.statusCode !== 200) throw refusal(message.statusCode ?? 0, await read(message));
      return message;
    },
    upgrade(path, protocol) {
      return new Promise((resolve, reject) => {
        const asked = request({
          socketPath,
          method: 'GET',
          path,
          headers: { connection: 'Upgrade', upgrade: protocol },
        });
        asked.once('upgrade', (_response, socket, head) => {
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        });
        asked.once(
          'response',
          (message) => void read(message).then((text) => reject(refusal(message.statusCode ?? 0, text)), reject),
        );
        asked.once('error', (error) => reject(notRunning(error)));
        asked.end();
      });
    },
  };
}

function refusal(status: number, text: string): CliFailure {
  let message = text.trim();
  try {
    const body = JSON.parse(text) as { message?: unknown };
    if (typeof body.message === 'string') message = body.message;
  } catch {
    // Not JSON: the words as they are.
  }
  return new CliFailure(1, message || `the control plane answered ${status}`);
}
